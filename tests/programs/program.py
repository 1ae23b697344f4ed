"""Random workflows as data, and a model that predicts what must come of each.

A program is a tree of lists: ``["send", tally, n]``, ``["seq", ...programs]``, and so on. It comes
to a number; on its way it adds to tallies, which other instances keep. The model knows nothing of
turns, crashes or retries.

``add n``             the number
``show n``            the same, put where queries see it
``send t n``          a message to a tally
``call t n``          a call of a tally, which answers n
``work n f``          an activity that fails f times before it comes to n
``sleep ms n``        a durable timer
``signal s n``        a signal that the driver sends twice, with n
``seq / both ...``    one after the other, or side by side: the sum
``first p n``         whatever comes first of p and a sleep of years: p
``child p``           another workflow: what it comes to, or -1 where it fails
``saga [n..] fail``   things done outside, each undone, the last one first, if it fails in the end
``again p``           continues as new, once, and comes to p
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Program = list[Any]

TALLIES = 7
DEPTH = 4


@dataclass(slots=True)
class Expected:
    """What a program and its children must have done: sums and counts of tallies, and how many
    workflows there are, things done outside, and undone.
    """

    tallies: Counter[int] = field(default_factory=Counter)
    counts: Counter[int] = field(default_factory=Counter)
    workflows: int = 1
    done: int = 0
    undone: int = 0

    def add(self, tally: int, n: int) -> None:
        self.tallies[tally] += n
        self.counts[tally] += 1


class FailsError(Exception):
    """The workflow fails, after it has undone what it did."""


def make(seed: int, name: str = "p") -> Program:
    """Return the program of a seed. Signals and children are named after its place."""
    return _Maker(random.Random(seed)).node(DEPTH, name)  # noqa: S311 - to be repeated


class _Maker:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def node(self, depth: int, name: str) -> Program:
        leaves = (self._add, self._send, self._call, self._work, self._sleep, self._signal)
        inner = (self._seq, self._both, self._first, self._child, self._saga, self._again)
        kinds = leaves if depth == 0 or self._chance.random() < 0.35 else inner
        return self._chance.choice(kinds)(depth, name)

    def _number(self) -> int:
        return self._chance.randrange(1, 100)

    def _tally(self) -> int:
        return self._chance.randrange(TALLIES)

    def _add(self, depth: int, name: str) -> Program:
        return [self._chance.choice(("add", "show")), self._number()]

    def _send(self, depth: int, name: str) -> Program:
        return ["send", self._tally(), self._number()]

    def _call(self, depth: int, name: str) -> Program:
        return ["call", self._tally(), self._number()]

    def _work(self, depth: int, name: str) -> Program:
        return ["work", self._number(), self._chance.choice((0, 0, 0, 1, 2))]

    def _sleep(self, depth: int, name: str) -> Program:
        return ["sleep", self._chance.randrange(1, 2_000), self._number()]

    def _signal(self, depth: int, name: str) -> Program:
        return ["signal", name, self._number()]

    def _several(self, depth: int, name: str) -> list[Program]:
        return [self.node(depth - 1, f"{name}.{n}") for n in range(self._chance.randrange(2, 4))]

    def _seq(self, depth: int, name: str) -> Program:
        return ["seq", *self._several(depth, name)]

    def _both(self, depth: int, name: str) -> Program:
        return ["both", *self._several(depth, name)]

    def _first(self, depth: int, name: str) -> Program:
        return ["first", self.node(depth - 1, f"{name}.f")]

    def _child(self, depth: int, name: str) -> Program:
        return ["child", name, self.node(depth - 1, f"{name}.c")]

    def _saga(self, depth: int, name: str) -> Program:
        # A workflow of its own: the rest of the program would be undone with it.
        steps = [self._number() for _ in range(self._chance.randrange(1, 4))]
        saga = ["saga", steps, self._chance.random() < 0.5]
        return ["child", name, saga]

    def _again(self, depth: int, name: str) -> Program:
        # A run that is begun anew must be a workflow's only work.
        return ["child", name, ["again", self.node(depth - 1, f"{name}.a")]]


def predict(program: Program, expected: Expected) -> int:
    """Return what a program comes to, and note what it does; raises FailsError if it fails."""
    kind, *rest = program
    match kind:
        case "add" | "show" | "work":
            return int(rest[0])
        case "sleep" | "signal":
            return int(rest[1])
        case "send" | "call":
            expected.add(*rest)
            return int(rest[1])
        case "seq" | "both":
            return sum(predict(each, expected) for each in rest)
        case "first" | "again":
            return predict(rest[0], expected)
        case "child":
            expected.workflows += 1
            try:
                return predict(rest[1], expected)
            except FailsError:
                return -1
        case "saga":
            steps, fails = rest
            expected.done += len(steps)
            if fails:
                expected.undone += len(steps)
                raise FailsError
            return sum(steps)
        case _:
            raise AssertionError(program)


def signals_of(program: Program, workflow: str) -> list[tuple[str, str, int]]:
    """Return workflow, name and number of each signal that a program and its children wait for."""
    kind, *rest = program
    match kind:
        case "signal":
            return [(workflow, rest[0], rest[1])]
        case "child":
            return signals_of(rest[1], child_of(workflow, rest[0]))
        case _:
            inner = [each for each in rest if isinstance(each, list) and each]
            inner = [each for each in inner if isinstance(each[0], str)]
            return [found for each in inner for found in signals_of(each, workflow)]


def child_of(workflow: str, name: str) -> str:
    """Return the key of a child workflow: names are places in the tree, and so are its own."""
    root = workflow.partition("/")[0]
    return f"{root}/{name}"
