"""What a replay found: each instance, each turn that differs, and the sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from headgate.core.render import rfc3339
from headgate.replay.came import Came, came_of
from headgate.replay.compare import Difference
from headgate.replay.player import Replayed
from headgate.replay.recorded import LeftOut

View = dict[str, Any]

COUNTED = ("input_tokens", "output_tokens", "cost_micros")


@dataclass(frozen=True, slots=True)
class Differing:
    """A turn that came to something else. ``events``: id and type of each that it took."""

    address: str
    turn: int
    at_us: int
    events: tuple[tuple[str, str], ...]
    differences: tuple[Difference, ...]

    @classmethod
    def of(cls, found: Replayed) -> Self:
        """Return what is told of it; its states, which may be large, are let go."""
        turn = found.turn
        events = tuple((each.id, each.type) for each in turn.events)
        return cls(turn.address, turn.number, turn.record.at_us, events, found.differences)

    def __str__(self) -> str:
        """Return it as lines, the first with its name."""
        return "\n  ".join([f"{self.address} turn {self.turn}", *map(str, self.differences)])

    def view(self) -> View:
        """Return it as a dict for JSON."""
        return {
            "turn": self.turn,
            "at": rfc3339(self.at_us),
            "events": [{"id": name, "type": kind} for name, kind in self.events],
            "differences": [each.view() for each in self.differences],
        }


@dataclass(slots=True)
class InstanceReport:
    """One instance. ``fresh``: turns before which others are missing, so that its own state was the
    recorded one again. ``not_put``: operators' decisions, and attempts that took nothing.
    """

    address: str
    turns: int = 0
    differing: list[Differing] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)
    not_put: int = 0

    @property
    def same(self) -> int:
        """Turns that came to the same."""
        return self.turns - len(self.differing)

    def view(self) -> View:
        """Return it as a dict for JSON."""
        return {
            "address": self.address,
            "turns": self.turns,
            "same": self.same,
            "different": len(self.differing),
            "not_put": self.not_put,
            "starts_again_at": self.fresh,
            "left_out": [{"turn": each.number, "why": each.why} for each in self.left_out],
            "differing": [each.view() for each in self.differing],
        }


@dataclass(slots=True)
class Report:
    """All instances, in the order of their addresses. ``done``: how many are through, so far."""

    done: int = 0
    instances: list[InstanceReport] = field(default_factory=list)
    recorded_revisions: set[str] = field(default_factory=set)
    replayed_revisions: set[str] = field(default_factory=set)
    recorded_usage: dict[str, int] = field(default_factory=dict)
    replayed_usage: dict[str, int] = field(default_factory=dict)

    @property
    def turns(self) -> int:
        """Turns that were replayed."""
        return sum(each.turns for each in self.instances)

    @property
    def different(self) -> int:
        """Those of them that came to something else."""
        return sum(len(each.differing) for each in self.instances)

    @property
    def left_out(self) -> list[LeftOut]:
        """Turns that could not be replayed."""
        return [left for each in self.instances for left in each.left_out]

    def take(self, instance: InstanceReport, found: Replayed | LeftOut | None) -> None:
        """Take in what came of an instance's next turn; None: nobody was asked."""
        if found is None:
            instance.not_put += 1
        elif isinstance(found, LeftOut):
            instance.left_out.append(found)
        else:
            instance.turns += 1
            if found.is_fresh:
                instance.fresh.append(found.turn.number)
            if found.differences:
                instance.differing.append(Differing.of(found))
            recorded = came_of(found.turn)
            _note(recorded, self.recorded_revisions, self.recorded_usage)
            _note(found.came, self.replayed_revisions, self.replayed_usage)

    def view(self) -> View:
        """Return it as a dict for JSON."""
        return {
            "turns": self.turns,
            "same": self.turns - self.different,
            "different": self.different,
            "left_out": len(self.left_out),
            "revisions": {
                "recorded": sorted(self.recorded_revisions),
                "replayed": sorted(self.replayed_revisions),
            },
            "usage": {"recorded": self.recorded_usage, "replayed": self.replayed_usage},
            "instances": [each.view() for each in self.instances],
        }


def _note(came: Came, revisions: set[str], usage: dict[str, int]) -> None:
    if came.revision:
        revisions.add(came.revision)
    for each in came.usage:
        for name in COUNTED:
            if told := getattr(each, name):
                usage[name] = usage.get(name, 0) + told
