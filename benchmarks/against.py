"""This checkout and another one of Headgate, beside each other: what all between them costs.

`--against DIR` names the other one. Each has a stack, a job and an agent of its own, with its own
code and this one's installed packages. Both are warmed up, then both drain a backlog at the same
time. What a machine gives changes by a fifth from one ten seconds to the next, far more than what
is looked for: in turn they could not be told apart. Beside each other both have the same moments
of the same cores, process by process, and window by window are compared.
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
from typing import IO, Any

from benchmarks.figures import median
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT

TURNS, CPU = PATHS = ("turns_per_second",), ("cpu_ms_per_turn",)
# Until both have begun, in seconds; then windows of so many until a backlog has ended.
BEGIN_SECONDS, WINDOW_SECONDS = 4.0, 5.0
# Fewer turns a second than these are not expected of one of two.
SLOWEST = 500


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
    """Have both drain backlogs, as often as repeats say; the medians of each, and of the ratios of
    windows.
    """
    pairs: list[tuple[Result, Result]] = []
    lengths = [WINDOW_SECONDS] * int(options.backlog / SLOWEST / WINDOW_SECONDS)
    with contextlib.ExitStack() as stack:
        # One after the other: who warms up beside another is warmed up by half.
        sides = [stack.enter_context(_side(options, tree)) for tree in (before, after)]
        for number in range(options.repeats):
            load = {
                "count": options.backlog,
                "begin": time.time() + BEGIN_SECONDS,
                "lengths": lengths,
            }
            for side in sides:
                side.ask(load)
            one, two = [side.answer() for side in sides]
            # The first to have drained its own leaves the machine to the other.
            found = list(zip(one["windows"], two["windows"], strict=False))[:-1]
            pairs += found
            options.say(
                f"{number + 1} of {options.repeats}: {len(found)} windows, "
                + ", ".join(f"{median(_ratios(found, *path)):.3f} of {path[0]}" for path in PATHS)
            )
    rows = [
        _medians(tree.what, [pair[place] for pair in pairs])
        for place, tree in enumerate((before, after))
    ]
    return [*rows, _compared(f"{after.what} / {before.what}", pairs)]


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


def _medians(what: str, windows: Sequence[Result]) -> Result:
    processes = windows[0]["cpu_ms_per_turn_by_process"]
    return {
        "what": what,
        "turns_per_second": median([each["turns_per_second"] for each in windows]),
        "cpu_ms_per_turn": median([each["cpu_ms_per_turn"] for each in windows]),
        "cpu_ms_per_turn_by_process": {
            name: median([each["cpu_ms_per_turn_by_process"][name] for each in windows])
            for name in processes
        },
        "windows": [(each["turns_per_second"], each["cpu_ms_per_turn"]) for each in windows],
    }


def _compared(what: str, pairs: Sequence[tuple[Result, Result]]) -> Result:
    processes = pairs[0][0]["cpu_ms_per_turn_by_process"]
    return {
        "what": what,
        "ratio": _spread(_ratios(pairs, *TURNS)),
        "cpu_ratio": _spread(_ratios(pairs, *CPU)),
        "cpu_ratio_by_process": {
            name: _spread(_ratios(pairs, "cpu_ms_per_turn_by_process", name)) for name in processes
        },
        "load_average": os.getloadavg()[0],
    }


def _ratios(pairs: Sequence[tuple[Result, Result]], *path: str) -> list[float]:
    return [_at(after, path) / _at(before, path) for before, after in pairs]


def _spread(ratios: Sequence[float]) -> Result:
    ordered = sorted(ratios)
    return {
        "median": median(ordered),
        "quartiles": [ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]],
        "pairs": len(ordered),
    }


def _at(window: Any, path: Sequence[str]) -> float:
    for name in path:
        window = window[name]
    return float(window)
