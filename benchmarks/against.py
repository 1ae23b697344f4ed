"""This checkout and another one of Headgate, in turn: what all that came between them costs.

`--against DIR` names the other one. Both run with this one's installed packages, each with its own
code, job and agent; a backlog is drained by each as often as `--repeats` says.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT

WARM_RATE = 1_000
# A rate must be named; what is measured is the backlog after it.
STEP_SECONDS = 5


@dataclass(frozen=True)
class Tree:
    """A checkout, and what the rows call it."""

    what: str
    root: Path


def run(options: Options) -> list[Result]:
    """Drain a backlog with one, then with the other, and so on."""
    if options.against is None:
        sys.exit("name the other checkout: --against DIR")
    return in_turn(options, Tree("the other", options.against.resolve()), Tree("this", ROOT))


def in_turn(options: Options, *trees: Tree) -> list[Result]:
    """Drain a backlog with each of them, as often as repeats say."""
    results: list[Result] = []
    for number in range(options.repeats):
        for tree in trees:
            options.say(f"{tree.what}, {number + 1} of {options.repeats}")
            results.append({"what": tree.what, **_backlog(options, tree.root)})
    return results


def _backlog(options: Options, tree: Path) -> Result:
    file = options.home / "against.json"
    command = [
        sys.executable,
        *("-m", "benchmarks", "ladder", "--rates", str(WARM_RATE)),
        *("--seconds", str(STEP_SECONDS), "--warm-up", str(options.warm_up_seconds)),
        *("--backlog", str(options.backlog), "--file", str(file)),
        *("--home", str(options.home / "against")),
    ]
    paths = os.pathsep.join([str(tree / "src"), str(tree)])
    environment = os.environ | {"PYTHONPATH": paths}
    subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
    rows = json.loads(file.read_text(encoding="utf-8"))["results"]["ladder"]
    found: Result = next(row for row in rows if row["what"] == "backlog")
    return {name: value for name, value in found.items() if name != "what"}
