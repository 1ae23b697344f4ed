"""What a run of the demo found, as a table's rows and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from headgate.demo.calls import CallCounts
from headgate.demo.latency import Outage, Percentiles
from headgate.demo.states import StateCheck
from headgate.demo.verify import Finding

# The rest is in the JSON.
SHOWN_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """All numbers of a run."""

    seed: int
    dialogues: int
    events: int
    turns: int
    exactly_once: int
    states: StateCheck
    joint_goal_accuracy: float
    calls: CallCounts
    journal: Percentiles
    outbox: Percentiles
    outages: Sequence[Outage]
    dead_letters: int
    seconds: float
    findings: Sequence[Finding]
    problem: str = ""  # why the run did not come to its end

    @property
    def verified(self) -> bool:
        """Whether everything holds that must."""
        return (
            not self.problem
            and not self.findings
            and self.exactly_once == self.events
            and self.states.equal == self.states.checked
            and self.calls.paid_twice == 0
            and self.dead_letters == 0
        )

    def count(self, kind: str) -> int:
        """How many events (or turns) a kind of finding concerns."""
        return len({(f.address, f.event) for f in self.findings if f.kind == kind})

    def to_json(self) -> dict[str, Any]:
        """The documented keys first, then what else is known."""
        return {
            "events": self.events,
            "turns": self.turns,
            "exactly_once": self.exactly_once,
            "lost": self.count("lost"),
            "duplicated": self.count("duplicated"),
            "out_of_order": self.count("out_of_order"),
            "states_checked": self.states.checked,
            "states_equal": self.states.equal,
            "states_stored_checked": self.states.stored,
            "final_states_equal": self.states.final,
            "dialogues": self.dialogues,
            "joint_goal_accuracy": round(self.joint_goal_accuracy, 4),
            "calls": self.calls.calls,
            "calls_paid_twice": self.calls.paid_twice,
            "calls_repeated": self.calls.repeated,
            "latency_ms": {"journal": asdict(self.journal), "outbox": asdict(self.outbox)},
            "outages": [asdict(outage) for outage in self.outages],
            "dead_letters": self.dead_letters,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "findings": [asdict(finding) for finding in self.findings],
            "problem": self.problem,
            "verified": self.verified,
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """Return (what, number, verdict) for a table; verdict is empty where none is due."""
        events, states = self.events, self.states
        rows = [
            ("events published", str(events), ""),
            ("turns", str(self.turns), ""),
            ("events in exactly one turn", str(self.exactly_once), _ok(self.exactly_once, events)),
        ]
        rows += [
            (kind.replace("_", " "), str(self.count(kind)), _ok(self.count(kind), 0))
            for kind in ("lost", "duplicated", "out_of_order")
        ]
        return [
            *rows,
            ("states equal to a plain run's", f"{states.equal} of {states.checked}",
             _ok(states.equal, states.checked)),
            ("  of these, stored states", str(states.stored), ""),
            ("final states equal", f"{states.final} of {states.dialogues}",
             _ok(states.final, states.dialogues)),
            ("joint goal accuracy", f"{self.joint_goal_accuracy:.3f}", ""),
            ("calls made", str(self.calls.calls), ""),
            ("  paid twice", str(self.calls.paid_twice), _ok(self.calls.paid_twice, 0)),
            ("  repeated, their answer was lost", str(self.calls.repeated), ""),
            ("dead letters", str(self.dead_letters), _ok(self.dead_letters, 0)),
            ("event to journal, p50 / p99", _ms(self.journal), ""),
            ("event to outbox, p50 / p99", _ms(self.outbox), ""),
            *(
                (f"outage, {each.kind} killed at {each.at_s:g} s", f"{each.seconds:.1f} s", "")
                for each in self.outages
            ),
        ]  # fmt: skip

    def complaints(self) -> list[str]:
        """Return what is wrong, in sentences: the first ones, and how many there are."""
        lines = [self.problem] if self.problem else []
        lines += [str(finding) for finding in self.findings[:SHOWN_FINDINGS]]
        if len(self.findings) > SHOWN_FINDINGS:
            kinds = Counter(finding.kind for finding in self.findings)
            told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
            lines.append(f"in all {told}; every one is in the output of -o json")
        return lines


def _ok(found: int, wanted: int) -> str:
    return "ok" if found == wanted else "WRONG"


def _ms(value: Percentiles) -> str:
    return f"{value.p50:.0f} / {value.p99:.0f} ms"
