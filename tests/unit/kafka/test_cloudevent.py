"""What we publish is what the job reads."""

from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.core.identity import partition_of
from headgate.kafka.cloudevent import CONTENT_TYPE, structured

RULE = TopicRule("cloudevents", "record", "messages", 1_000_000)


def read(value: bytes) -> Decoded:
    """The event as the job decodes it."""
    headers = dict([CONTENT_TYPE])
    decoded = decode(Record("messages", 0, 1, 1, b"17", value, headers), RULE)
    assert isinstance(decoded, Decoded)
    return decoded


def test_every_attribute_arrives() -> None:
    value = structured(
        {"text": "hé"},
        event_type="t",
        source="s",
        event_id="1",
        subject="sub",
        time_us=1_700_000_000_000_001,
        extensions={"tenant": "eu"},
    )
    event = read(value).event
    assert (event.id, event.source, event.type, event.subject) == ("1", "s", "t", "sub")
    assert event.time_us == 1_700_000_000_000_001
    assert event.extensions == {"tenant": "eu"}
    assert event.data.decode() == '{"text":"hé"}'


def test_bytes_arrive_as_they_were() -> None:
    value = structured(
        b"\xff\x00", event_type="t", source="s", datacontenttype="application/octet-stream"
    )
    assert read(value).event.data == b"\xff\x00"


def test_an_event_without_an_id_gets_one_of_its_own() -> None:
    one, two = (read(structured(1, event_type="t", source="s")).event for _ in range(2))
    assert one.id
    assert one.id != two.id


def test_the_partition_is_that_of_kafkas_own_producers() -> None:
    from kafka.partitioner.default import murmur2

    for number in range(1_000):
        key = f"käy-{number}".encode()
        assert partition_of(key, 7) == (murmur2(key) & 0x7FFFFFFF) % 7
