"""Where a reader that follows topics begins, and how it waits for what is not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import pytest
from kafka import TopicPartition

from headgate.bootstrap import Bootstrap
from headgate.errors import HeadgateError
from headgate.kafka import follow
from headgate.kafka.follow import Following

OLD, YOUNG = TopicPartition("t", 0), TopicPartition("t", 1)


class Log:
    """A topic of two partitions with ten records each: those of the first are old."""

    def __init__(self) -> None:
        self.sought: dict[TopicPartition, int] = {}
        self.partitions: set[int] | None = {0, 1}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self.partitions

    def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 2)

    def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 10)

    def offsets_for_times(self, asked: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        return {place: SimpleNamespace(offset=7) if place == YOUNG else None for place in asked}

    def assign(self, places: list[TopicPartition]) -> None:
        return

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought[place] = offset

    def poll(self, ms: int) -> dict[TopicPartition, Any]:
        return {}

    def close(self) -> None:
        return


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    made = Log()
    monkeypatch.setattr(follow, "open_consumer", lambda *_, **__: made)
    return made


@pytest.mark.parametrize(
    ("start", "expected"),
    [("start", (2, 2)), ("end", (10, 10)), (1_700_000_000_000, (10, 7))],
)
def test_it_begins_where_it_is_told(
    log: Log, start: Literal["start", "end"] | int, expected: tuple[int, int]
) -> None:
    with Following(Bootstrap("h:1"), ["t"], print, start=start) as reader:
        reader.await_ready(10)
    assert (log.sought[OLD], log.sought[YOUNG]) == expected


def test_a_topic_that_is_not_there_is_waited_for(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "MISSING_SECONDS", 0.01)
    log.partitions = None
    with Following(Bootstrap("h:1"), ["t"], print) as reader:
        with pytest.raises(HeadgateError, match="there is no topic t at h:1 yet"):
            reader.await_ready(0.2)
        log.partitions = {0}
        reader.await_ready(10)
    assert log.sought == {OLD: 10}
