"""What events held is read where they stood; what is gone from there is told, and nothing waits."""

from collections.abc import Callable

import pytest
from kafka import TopicPartition

from headgate.config import Config
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.connect import admin_client
from headgate.kafka.publish import Publisher
from headgate.kafka.span import Spans
from headgate.replay.events import Place
from headgate.replay.payloads import GAP, Payloads
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import InboxRecord, Signal

pytestmark = [pytest.mark.flink, pytest.mark.slow]

Topics = Callable[..., Config]


def test_what_is_there_is_read_and_what_is_gone_is_told(topics: Topics) -> None:
    config = topics()
    bootstrap, name, inbox = (
        config.kafka.bootstrap, config.topics[0].name, config.topic_names.inbox,
    )  # fmt: skip
    with Publisher(bootstrap) as publisher:
        # One key is one partition: the offsets are 0, 1, 2, ...
        sent = [
            publisher.send(
                name, "17", structured({"n": n}, event_type="t", source="s", event_id=f"e{n}"),
                dict([CONTENT_TYPE]),
            )
            for n in range(GAP + 10)
        ]  # fmt: skip
        [*_, last] = places = [delivery.wait() for delivery in sent]
        broken = publisher.send(name, "17", b"{", dict([CONTENT_TYPE])).wait()
        signal = InboxRecord(signal=Signal(signal_id="s1", name="go", data=b"1"))
        signalled = publisher.send(inbox, "order/17", signal.SerializeToString()).wait()
    with admin_client(bootstrap) as admin:
        admin.delete_records({TopicPartition(name, last.partition): 3})

    def at(number: int) -> Place:
        return Place(name, places[number].partition, places[number].offset)

    unread = Place(broken.topic, broken.partition, broken.offset)
    ahead = Place(name, last.partition, broken.offset + 1)
    inner = Place(inbox, signalled.partition, signalled.offset)
    missing = {Place("nowhere", 0, 1): "no such partition", Place(name, 99, 1): "no such partition"}
    missing |= {at(2): "does not hold it any more", unread: "not JSON", ahead: "does not hold"}
    present = [at(3), at(5), at(GAP + 7), inner]
    with Spans(bootstrap, is_read_committed=False) as spans:
        payloads = Payloads(bootstrap, config, spans)
        found = payloads.read([*missing, *present, at(3)])
    assert set(found) == {*missing, *present}
    for place, why in missing.items():
        assert why in str(found[place])
    ids = []
    for place in present:
        event = found[place]
        assert isinstance(event, Event)
        assert (event.origin.topic, event.origin.partition, event.origin.offset) == place
        ids.append(event.id)
    assert ids == ["e3", "e5", f"e{GAP + 7}", "s1"]
