"""Which instances are meant, where no keys are named: those that have moved since."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.replay.selection import moved_since
from headgate.v1.history_pb2 import StateAsOf


class TwoMoments:
    """Instances and their last turns, now and at any moment before."""

    def __init__(self, now: dict[str, int], then: dict[str, int]) -> None:
        self.now, self.then = now, then
        self.asked: list[int] = []

    def snapshot(
        self, *, at_us: int = 0, agent_type: str = "", only: tuple[str, ...] = ()
    ) -> Iterator[StateAsOf]:
        self.asked.append(at_us)
        for key, turn in (self.then if at_us else self.now).items():
            yield StateAsOf(agent_type=agent_type, key=key, turn=turn)


def test_those_that_have_moved_are_found_by_two_snapshots() -> None:
    history = TwoMoments({"b": 3, "a/1": 2, "new": 1, "idle": 4}, {"b": 2, "a/1": 1, "idle": 4})
    assert moved_since(history, "order", 1_000) == ["order/a/1", "order/b", "order/new"]
    # Just before: a turn that is dated then is one of those that are wanted.
    assert history.asked == [0, 999]


def test_without_a_moment_all_are_meant() -> None:
    history = TwoMoments({"a": 1}, {"a": 1})
    assert moved_since(history, "order", 0) == ["order/a"]
    assert moved_since(TwoMoments({}, {"a": 1}), "order", 1_000) == []
