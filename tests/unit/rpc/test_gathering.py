"""Outcomes that gather before they are journaled: their order, their ticks, their size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from headgate.core.batch import opened, records_in
from headgate.core.calls import calls_made
from headgate.rpc.dispatcher import Dispatcher, DispatcherLimits
from headgate.rpc.endpoint import EndpointLimits
from headgate.v1.turn_pb2 import InvokeRequest, JournalRecord
from tests.integration.doubles import HELLO, KEYS, call

pytestmark = pytest.mark.asyncio

RECORD_BYTES = 6_000


@dataclass
class Written:
    """Keeps what was written: partition and value."""

    records: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, partition: int, key: bytes, value: bytes) -> None:
        assert key == KEYS[partition]
        self.records.append((partition, value))

    def note(self, topic: str, key: bytes, value: bytes) -> None:
        raise AssertionError

    def is_full(self) -> bool:
        return False

    def raise_if_lost(self) -> None:
        return

    def outcomes(self, partition: int) -> list[list[str]]:
        """The keys of the outcomes of each record of a partition."""
        return [
            [JournalRecord.FromString(each).outcome.key for each in records_in(value)]
            for place, value in self.records
            if place == partition
        ]


@pytest.fixture
def journal() -> Written:
    return Written()


@pytest.fixture
async def dispatcher(journal: Written) -> AsyncIterator[Dispatcher]:
    """One that is greeted, and waits for others for longer than any test."""
    ids = iter(range(1, 1_000))
    made = Dispatcher(
        journal,
        DispatcherLimits(EndpointLimits(), RECORD_BYTES, gather_seconds=3_600.0),
        now_us=lambda: 1,
        random_id=lambda: next(ids).to_bytes(16, "big"),
    )
    made.take(HELLO)
    journal.records.clear()
    yield made
    await made.close()


def unserved(number: int) -> InvokeRequest:
    """A call that is answered at once: nobody serves its agent."""
    return call(number)


async def test_outcomes_of_a_partition_share_a_record_in_their_order(
    dispatcher: Dispatcher, journal: Written
) -> None:
    for number in (4, 1, 2, 3, 6):
        dispatcher.take(unserved(number))
    dispatcher.take(unserved(4))
    assert journal.records == [], "they wait for others"
    dispatcher.flush()
    assert journal.outcomes(0) == [["4", "2", "6"]]
    assert journal.outcomes(1) == [["1", "3"]]


async def test_a_record_of_several_outcomes_tells_of_their_calls_and_of_no_others(
    dispatcher: Dispatcher, journal: Written
) -> None:
    for number in (2, 1, 4):
        dispatcher.take(unserved(number))
    dispatcher.flush()
    told = {}
    for partition, value in journal.records:
        records, made = opened(value)
        outcomes = [JournalRecord.FromString(each).outcome for each in records]
        told[partition] = len(outcomes), made
        assert made is None or made == calls_made(outcomes)
    assert {place: count for place, (count, _) in told.items()} == {0: 2, 1: 1}
    assert (told[0][1] is None, told[1][1] is None) == (False, True)


async def test_a_call_gets_its_span_here(dispatcher: Dispatcher, journal: Written) -> None:
    request = unserved(2)
    request.call.request.events[0].fingerprint = b"f" * 16
    unlike = unserved(4)
    unlike.call.untraced = True
    unlike.call.request.events[0].fingerprint = b"g" * 16
    dispatcher.take(request)
    dispatcher.take(unlike)
    dispatcher.flush()
    records = [JournalRecord.FromString(each) for each in records_in(journal.records[0][1])]
    spans = [record.outcome.traceparent for record in records]
    base = request.call.request.base[:8].hex()
    assert spans[0] == f"00-{b'f'.hex() * 16}-{base}-01"
    assert spans[1].startswith(f"00-{b'g'.hex() * 16}-")
    assert spans[1].endswith("-00")


async def test_a_tick_has_what_was_answered_before_it_in_front(
    dispatcher: Dispatcher, journal: Written
) -> None:
    """Gate takes the start tick for the end of what its predecessors journaled."""
    dispatcher.take(unserved(2))
    dispatcher.take(HELLO)
    first, second = (value for partition, value in journal.records if partition == 0)
    assert JournalRecord.FromString(first).outcome.key == "2"
    assert JournalRecord.FromString(second).tick.start


async def test_no_batch_is_larger_than_a_record_may_be(
    dispatcher: Dispatcher, journal: Written
) -> None:
    for number in range(0, 100, 2):
        dispatcher.take(unserved(number))
    dispatcher.flush()
    assert [key for keys in journal.outcomes(0) for key in keys] == [
        str(number) for number in range(0, 100, 2)
    ]
    assert max(len(value) for _, value in journal.records) <= RECORD_BYTES
    assert any(len(keys) > 1 for keys in journal.outcomes(0))
