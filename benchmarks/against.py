"""This checkout and another one of Headgate: what all that lies between them costs.

`--against DIR` names the other one. Each has a stack, a job and an agent of its own, with its own
code and this one's installed packages; both are warmed up and stay. Then, as often as repeats say:

- Both take a steady load at the same time, and are compared window by window. What a machine gives
  changes by a fifth from one ten seconds to the next, far more than what is looked for; beside each
  other both have the same moments of the same cores. Where turns cost CPU and nothing else, what a
  turn costs more is what saturated cores give less.
- Each drains a backlog, first one, then the other, the other way round the next time. That is the
  throughput itself, and as uneven as the machine: only many pairs say something.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import IO, Any

from benchmarks.figures import median
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT

Pair = tuple[Result, Result]
Place = tuple[str, ...]
BY_PROCESS = "cpu_ms_per_turn_by_process"
TURNS: Place = ("turns_per_second",)
CPU: Place = ("cpu_ms_per_turn",)
# Of each of the two, together below saturation: what piles up is another load for either.
RATE = 700
# Until both generators run, in seconds; then so many windows.
BEGIN_SECONDS, WINDOW_SECONDS, WINDOWS = 4.0, 5.0, 12


@dataclass(frozen=True)
class Tree:
    """A checkout, and what the rows call it."""

    what: str
    root: Path


def run(options: Options) -> list[Result]:
    """Load one and the other."""
    if options.against is None:
        sys.exit("name the other checkout: --against DIR")
    return compare(options, Tree("the other", options.against.resolve()), Tree("this", ROOT))


def compare(options: Options, before: Tree, after: Tree) -> list[Result]:
    """Load both; return rows of the medians of each, and of the ratios of pairs."""
    steady: list[Pair] = []
    drained: list[Pair] = []
    with contextlib.ExitStack() as stack:
        # One after the other: who warms up beside another is warmed up by half.
        one, two = [stack.enter_context(_side(options, tree)) for tree in (before, after)]
        for number in range(options.repeats):
            found = _beside(one, two)
            steady += found
            options.say(
                f"{number + 1} of {options.repeats}: side by side {_of_pairs(found, CPU)} of CPU"
            )
            drained.append(_in_turn(one, two, options.backlog, is_reversed=bool(number % 2)))
            options.say(
                f"a backlog of {options.backlog}: {_of_pairs(drained[-1:], TURNS)} of turns/s"
            )
    rows: list[Result] = []
    for what, pairs in ((f"{RATE}/s each", steady), ("a backlog", drained)):
        for place, tree in enumerate((before, after)):
            rows.append(_medians(f"{tree.what}, {what}", [pair[place] for pair in pairs]))
        rows.append(_compared(f"{after.what} / {before.what}, {what}", pairs))
    return rows


class _Side:
    """One of the two, as a process that takes loads."""

    def __init__(self, loads: IO[str], answers: IO[str]) -> None:
        self._loads, self._answers = loads, answers

    def ask(self, load: Result) -> None:
        """Have it take a load."""
        self._loads.write(json.dumps(load) + "\n")
        self._loads.flush()

    def answer(self) -> Result:
        """Return its next line."""
        line = self._answers.readline()
        if not line:
            message = "one of the two sides ended: see what it said above"
            raise RuntimeError(message)
        found: Result = json.loads(line)
        return found


def _beside(one: _Side, two: _Side) -> list[Pair]:
    load = {
        "rate": RATE,
        "begin": time.time() + BEGIN_SECONDS,
        "lengths": [WINDOW_SECONDS] * WINDOWS,
    }
    for side in (one, two):
        side.ask(load)
    found = [side.answer()["windows"] for side in (one, two)]
    return list(zip(*found, strict=True))


def _in_turn(one: _Side, two: _Side, count: int, *, is_reversed: bool) -> Pair:
    rows = []
    for side in (two, one) if is_reversed else (one, two):
        side.ask({"count": count})
        rows.append(side.answer())
    first, second = reversed(rows) if is_reversed else rows
    return first, second


@contextlib.contextmanager
def _side(options: Options, tree: Tree) -> Iterator[_Side]:
    options.say(f"{tree.what}: starting, {options.warm_up_seconds:.0f} s of load to warm up")
    command = [
        *(sys.executable, "-m", "benchmarks.on_demand"),
        *("--home", str(options.home / tree.what.replace(" ", "-"))),
        *("--warm-up", str(options.warm_up_seconds)),
    ]
    paths = os.pathsep.join([str(tree.root / "src"), str(tree.root)])
    process = subprocess.Popen(
        command,
        cwd=tree.root,
        env=os.environ | {"PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdin is None or process.stdout is None:
            message = "the other process has no pipes"
            raise RuntimeError(message)
        side = _Side(process.stdin, process.stdout)
        side.answer()
        yield side
    finally:
        # Its input ends, and so does its stack.
        process.communicate()


def _medians(what: str, rows: Sequence[Result]) -> Result:
    return {
        "what": what,
        "turns_per_second": median([_at(row, TURNS) for row in rows]),
        "cpu_ms_per_turn": median([_at(row, CPU) for row in rows]),
        BY_PROCESS: {
            name: median([row[BY_PROCESS][name] for row in rows]) for name in rows[0][BY_PROCESS]
        },
        "all": [(_at(row, TURNS), _at(row, CPU)) for row in rows],
    }


def _compared(what: str, pairs: Sequence[Pair]) -> Result:
    return {
        "what": what,
        "ratio": _spread(_ratios(pairs, TURNS)),
        "cpu_ratio": _spread(_ratios(pairs, CPU)),
        "cpu_ratio_by_process": {
            name: _spread(_ratios(pairs, (BY_PROCESS, name))) for name in pairs[0][0][BY_PROCESS]
        },
        "load_average": os.getloadavg()[0],
    }


def _ratios(pairs: Sequence[Pair], path: Place) -> list[float]:
    return [_at(after, path) / _at(before, path) for before, after in pairs]


def _of_pairs(pairs: Sequence[Pair], path: Place) -> str:
    return f"{median(_ratios(pairs, path)):.3f}"


def _spread(ratios: Sequence[float]) -> Result:
    ordered = sorted(ratios)
    mean = fmean(ordered)
    return {
        "mean": mean,
        "error": stdev(ordered, mean) / len(ordered) ** 0.5 if len(ordered) > 1 else float("nan"),
        "median": median(ordered),
        "pairs": len(ordered),
    }


def _at(row: Any, path: Place) -> float:
    for name in path:
        row = row[name]
    return float(row)
