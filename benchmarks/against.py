"""This checkout and another one of Headgate, side by side: what all that came between them costs.

`--against DIR` names the other one. Each has a stack, a job and an agent of its own, with its own
code and this one's installed packages; both are warmed up, then load goes to one and to the other
in turn. What a machine gives changes by a tenth and more from one minute to the next, far more
than what is looked for: so loads are short, each pair is compared by itself, and the one that
comes first alternates.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.figures import median
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT

# Below saturation, but not far: what a turn costs when all of it goes on at once.
RATE = 2_000
STEADY_SECONDS = 10
# Of those there are fewer: the rate is given, and CPU-ms per turn vary less than throughput.
BACKLOGS_PER_STEADY = 3


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
    """Load both as often as repeats say; rows of the medians of each, and of the pairs' ratios."""
    pairs: dict[str, list[tuple[Result, Result]]] = {"a backlog": [], f"{RATE}/s": []}
    with contextlib.ExitStack() as sides:
        # One after the other: who warms up beside another is warmed up by half.
        one, two = [sides.enter_context(_side(options, tree)) for tree in (before, after)]
        for number in range(options.repeats):
            options.say(f"pair {number + 1} of {options.repeats}")
            loads: list[tuple[str, Result]] = [("a backlog", {"count": options.backlog})]
            if number % BACKLOGS_PER_STEADY == 0:
                loads.append((f"{RATE}/s", {"rate": RATE, "seconds": STEADY_SECONDS}))
            for what, load in loads:
                if number % 2:
                    second, first = two.ask(load), one.ask(load)
                else:
                    first, second = one.ask(load), two.ask(load)
                pairs[what].append((first, second))
                options.say(f"{what}: " + ", ".join(_told(each) for each in (first, second)))
    rows: list[Result] = []
    for what, found in pairs.items():
        for place, tree in enumerate((before, after)):
            rows.append(_medians(f"{tree.what}, {what}", [pair[place] for pair in found]))
        rows.append(_ratios(f"{after.what} / {before.what}, {what}", found))
    return rows


class _Side:
    """One of the two, as a process that takes loads."""

    def __init__(self, loads: IO[str], answers: IO[str]) -> None:
        self._loads, self._answers = loads, answers

    def ask(self, load: Result) -> Result:
        """Have it take a load; return what it measured."""
        self._loads.write(json.dumps(load) + "\n")
        self._loads.flush()
        return self.answer()

    def answer(self) -> Result:
        """Return its next line."""
        line = self._answers.readline()
        if not line:
            message = "one of the two sides ended: see what it said above"
            raise RuntimeError(message)
        found: Result = json.loads(line)
        return found


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
        "turns_per_second": median([row["turns_per_second"] for row in rows]),
        "cpu_ms_per_turn": median([row["cpu_ms_per_turn"] for row in rows]),
        "cpu_ms_per_turn_by_process": {
            name: median([row["cpu_ms_per_turn_by_process"][name] for row in rows])
            for name in rows[0]["cpu_ms_per_turn_by_process"]
        },
        "load_average": median([row["load_average"] for row in rows]),
        "all_turns_per_second": [row["turns_per_second"] for row in rows],
        "all_cpu_ms_per_turn": [row["cpu_ms_per_turn"] for row in rows],
    }


def _ratios(what: str, pairs: Sequence[tuple[Result, Result]]) -> Result:
    def of(*path: str) -> list[float]:
        return [_at(after, path) / _at(before, path) for before, after in pairs]

    return {
        "what": what,
        "ratio": _of_pairs(of("turns_per_second")),
        "cpu_ratio": _of_pairs(of("cpu_ms_per_turn")),
        "cpu_ratio_by_process": {
            name: _of_pairs(of("cpu_ms_per_turn_by_process", name))
            for name in pairs[0][0]["cpu_ms_per_turn_by_process"]
        },
    }


def _of_pairs(ratios: Sequence[float]) -> Result:
    ordered = sorted(ratios)
    return {
        "median": median(ordered),
        "quartiles": [ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]],
        "pairs": len(ordered),
    }


def _at(row: Any, path: Sequence[str]) -> float:
    for name in path:
        row = row[name]
    return float(row)


def _told(row: Result) -> str:
    return f"{row['turns_per_second']:,.0f} turns/s, {row['cpu_ms_per_turn']:.3f} CPU-ms"
