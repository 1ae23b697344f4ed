"""This checkout and another one of Headgate: what all that lies between them costs.

`--against DIR` names the other one. Each has a stack, a job and an agent of its own, with its own
code and this one's installed packages. As often as repeats say, both are started anew and warmed
up, at the same time: what a JVM makes of one and the same code differs from life to life, and one
that came last still compiles while the first is done. In each of these lives:

- Both take a steady load at the same time, at first to get warm, then for `--seconds`.
- Both drain a backlog at the same time. What a machine gives changes by a fifth from one ten
  seconds to the next, far more than what is looked for; beside each other both have the same
  moments of the same cores. What a turn costs then is compared, of all processes together; how many
  turns each has is no measure, they share the cores.
- One drains a small part of the backlog, then the other, and the other way round, many times: turns
  per second of a job that has the machine to itself. They are as many as Gate's one thread has
  time for: what it does more weighs more here than in the sum of all processes. They have all the
  noise of the machine, and so has what Gate's thread takes of a turn by its own clock
  (`gate_ratio`): it is told beside what the agent takes, which does the same on both sides.

A life gives one ratio of each, of all its turns; errors are those of the lives. What JVMs compile
is not among a turn's CPU and is told beside it: it ends, minutes later than any bench may last.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import IO, Protocol

from benchmarks.figures import median
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT

Pair = tuple[Result, Result]
BY_PROCESS = "cpu_ms_per_turn_by_process"
BY_TASK = "cpu_ms_per_turn_by_task"
TURNS, CPU = "turns_per_second", "cpu_ms_per_turn"
COMPILERS = "compilers_ms_per_turn"
# Of each of the two, together below saturation: what piles up is another load for either.
RATE = 300
# Both under load, to get warm beside each other.
WARM_SECONDS = 30.0
# Of drains, an even number: each of the two comes first as often as last.
ROUNDS = 24
# Of a backlog, for each of them.
PART = 5


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
    """Load both; return rows of the medians of each, and of the ratios of lives."""
    steady: list[Pair] = []
    drained: list[Pair] = []
    alone: list[Pair] = []
    for number in range(options.repeats):
        options.say(f"life {number + 1} of {options.repeats}")
        with contextlib.ExitStack() as stack:
            sides = _both(stack, options, before, after)
            _beside(sides, {"rate": RATE, "seconds": WARM_SECONDS})
            steady.append(_beside(sides, {"rate": RATE, "seconds": options.seconds}))
            drained.append(_beside(sides, {"count": options.backlog}))
            alone.append(in_turn(sides, {"count": options.backlog // PART}))
        options.say(
            f"{_of_cpu(steady[-1]):.3f} of CPU per turn at {RATE}/s each, "
            f"{_of_cpu(drained[-1]):.3f} while both drain; in turn {told(alone[-1])}"
        )
    taken = {
        f"{RATE}/s each": steady,
        "both saturated": drained,
        "saturated in turn": alone,
    }
    names = before.what, after.what
    return [row for what, pairs in taken.items() for row in rows_of(what, names, pairs)]


def rows_of(what: str, names: tuple[str, str], pairs: Sequence[Pair]) -> list[Result]:
    """Return the medians of each, and the ratios of lives."""
    before, after = names
    return [
        *(
            _medians(f"{name}, {what}", [pair[place] for pair in pairs])
            for place, name in enumerate(names)
        ),
        _compared(f"{after} / {before}, {what}", pairs),
    ]


class Side:
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


class Asked(Protocol):
    """Takes a load, and says later what came of it."""

    def ask(self, load: Result) -> None:
        """Have it take a load."""

    def answer(self) -> Result:
        """Return its next line."""


Sides = tuple[Asked, Asked]


def _both(stack: contextlib.ExitStack, options: Options, before: Tree, after: Tree) -> Sides:
    """Start both and warm them up."""
    options.say(f"starting both, {options.warm_up_seconds:.0f} s of load to warm up")
    one, two = [stack.enter_context(side(options, tree)) for tree in (before, after)]
    for each in (one, two):
        each.answer()
    return one, two


def told(pair: Pair) -> str:
    """Return how a life's drains in turn compare, as people read it."""
    return (
        f"{_of_turns(pair):.3f} of the turns/s, {_of_cpu(pair):.3f} of CPU per turn, "
        f"{_of_gate(pair):.3f} of Gate's thread per turn, {_of_agent(pair):.3f} of the agent's"
    )


def _beside(sides: Sides, load: Result) -> Pair:
    for side in sides:
        side.ask(load)
    first, second = [side.answer() for side in sides]
    return first, second


def in_turn(sides: Sides, load: Result) -> Pair:
    """One and the other, the other and one, and so on."""
    taken: tuple[list[Result], list[Result]] = ([], [])
    for number in range(ROUNDS):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            sides[place].ask(load)
            taken[place].append(sides[place].answer())
    first, second = (_together(rows) for rows in taken)
    return first, second


def _together(rows: Sequence[Result]) -> Result:
    """Loads of as many turns each as one."""
    return {
        TURNS: len(rows) / sum(1 / row[TURNS] for row in rows),
        CPU: fmean(row[CPU] for row in rows),
        COMPILERS: fmean(row[COMPILERS] for row in rows),
        **{
            by: {name: fmean(row[by][name] for row in rows) for name in rows[0][by]}
            for by in (BY_PROCESS, BY_TASK)
        },
        "rounds": [
            {
                TURNS: row[TURNS],
                CPU: _without_compilers(row),
                "gate": row[BY_TASK]["gate"],
                "agent": row[BY_PROCESS]["agent"],
            }
            for row in rows
        ],
    }


@contextlib.contextmanager
def side(
    options: Options, tree: Tree, environment: Mapping[str, str] | None = None
) -> Iterator[Side]:
    """Run a job of a tree's code; its first answer is that it is warm."""
    command = [
        *(sys.executable, "-m", "benchmarks.on_demand"),
        *("--home", str(options.home / tree.what.replace(" ", "-"))),
        *("--warm-up", str(options.warm_up_seconds)),
    ]
    paths = os.pathsep.join([str(tree.root / "src"), str(tree.root)])
    process = subprocess.Popen(
        command,
        cwd=tree.root,
        env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdin is None or process.stdout is None:
            message = "the other process has no pipes"
            raise RuntimeError(message)
        yield Side(process.stdin, process.stdout)
    finally:
        # Its input ends, and so does its stack.
        process.communicate()


def _medians(what: str, rows: Sequence[Result]) -> Result:
    return {
        "what": what,
        TURNS: median([row[TURNS] for row in rows]),
        CPU: median([_without_compilers(row) for row in rows]),
        COMPILERS: median([row[COMPILERS] for row in rows]),
        **{
            by: {name: median([row[by][name] for row in rows]) for name in rows[0][by]}
            for by in (BY_PROCESS, BY_TASK)
        },
        "all": [(row[TURNS], row[CPU], row[COMPILERS]) for row in rows],
        "rounds": [row.get("rounds", ()) for row in rows],
    }


def _compared(what: str, pairs: Sequence[Pair]) -> Result:
    return {
        "what": what,
        "cpu_ratio": _spread([_of_cpu(pair) for pair in pairs]),
        "turns_ratio": _spread([_of_turns(pair) for pair in pairs]),
        "gate_ratio": _spread([_of_gate(pair) for pair in pairs]),
        # What a round takes of CPU changes by a quarter with what else the machine's cores are
        # given to. The agent does the same for a turn on both sides: it says how fast they were.
        "cpu_ratio_as_the_agent": _spread([_of_cpu(pair) / _of_agent(pair) for pair in pairs]),
        "gate_ratio_as_the_agent": _spread([_of_gate(pair) / _of_agent(pair) for pair in pairs]),
        "turns_ratio_as_the_agent": _spread([_of_turns(pair) * _of_agent(pair) for pair in pairs]),
        "cpu_ratio_by_process": {
            name: _spread([two[BY_PROCESS][name] / one[BY_PROCESS][name] for one, two in pairs])
            for name in pairs[0][0][BY_PROCESS]
        },
        "load_average": os.getloadavg()[0],
    }


def _without_compilers(row: Result) -> float:
    return float(row[CPU] - row[COMPILERS])


def _of_cpu(pair: Pair) -> float:
    before, after = pair
    return _without_compilers(after) / _without_compilers(before)


def _of_gate(pair: Pair) -> float:
    return _of_part(pair, BY_TASK, "gate")


def _of_agent(pair: Pair) -> float:
    return _of_part(pair, BY_PROCESS, "agent")


def _of_part(pair: Pair, by: str, name: str) -> float:
    before, after = pair
    return float(after[by][name] / before[by][name])


def _of_turns(pair: Pair) -> float:
    before, after = pair
    return float(after[TURNS] / before[TURNS])


def _spread(ratios: Sequence[float]) -> Result:
    ordered = sorted(ratios)
    mean = fmean(ordered)
    return {
        "mean": mean,
        "error": stdev(ordered, mean) / len(ordered) ** 0.5 if len(ordered) > 1 else float("nan"),
        "median": median(ordered),
        "lives": len(ordered),
    }
