"""This checkout and another one of Headgate, in turn: what all that came between them costs.

`--against DIR` names the other one. Both run with this one's installed packages, each with its own
code, job and agent; as often as `--repeats` says each takes a steady load, then drains a backlog.
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

# Below saturation, but not far: what a turn costs when all of it goes on at once.
RATE = 2_000
STEP_SECONDS = 15


@dataclass(frozen=True)
class Tree:
    """A checkout, and what the rows call it."""

    what: str
    root: Path


def run(options: Options) -> list[Result]:
    """Load one, then the other, and so on."""
    if options.against is None:
        sys.exit("name the other checkout: --against DIR")
    return in_turn(options, Tree("the other", options.against.resolve()), Tree("this", ROOT))


def in_turn(options: Options, *trees: Tree) -> list[Result]:
    """Load each of them, as often as repeats say."""
    results: list[Result] = []
    for number in range(options.repeats):
        for tree in trees:
            options.say(f"{tree.what}, {number + 1} of {options.repeats}")
            for row in _loaded(options, tree.root):
                results.append({**row, "what": f"{tree.what}, {row['what']}"})
    return results


def _loaded(options: Options, tree: Path) -> list[Result]:
    file = options.home / "against.json"
    command = [
        sys.executable,
        *("-m", "benchmarks", "ladder", "--rates", str(RATE)),
        *("--seconds", str(STEP_SECONDS), "--warm-up", str(options.warm_up_seconds)),
        *("--backlog", str(options.backlog), "--file", str(file)),
        *("--home", str(options.home / "against")),
    ]
    paths = os.pathsep.join([str(tree / "src"), str(tree)])
    environment = os.environ | {"PYTHONPATH": paths}
    subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
    rows: list[Result] = json.loads(file.read_text(encoding="utf-8"))["results"]["ladder"]
    return rows
