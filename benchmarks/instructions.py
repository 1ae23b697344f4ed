"""What metrics, tracing and the ledger cost in Gate, counted in instructions instead of timed.

Valgrind's callgrind counts what a Gate without a cluster does (`benchmarks.gate_alone`), with this
code and with a copy without their lines (`benchmarks.bare`), or with `--against DIR` another
checkout. The same code gives the same count to a thousandth, on any machine however busy; how long
instructions take, and what is spent outside of Gate, it does not say: `features` does. It needs
valgrind with its headers, and a C compiler.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.bare import make
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT

TURNS = 1_900
CALLGRIND = (
    "--tool=callgrind",
    "--instr-atstart=no",
    "--collect-atstart=no",
    "--cache-sim=yes",
    "--branch-sim=yes",
    # A core's share of a cloud machine's last cache.
    "--LL=2097152,16,64",
)
_COLLECTED = re.compile(r"Collected : ([\d ]+)")


def run(options: Options) -> list[Result]:
    """Count both, at the same time."""
    for program in ("valgrind", "cc"):
        if shutil.which(program) is None:
            sys.exit(f"instructions needs {program} (Debian: valgrind, gcc)")
    options.home.mkdir(parents=True, exist_ok=True)
    switch = options.home / "callgrind_switch.so"
    source = Path(__file__).with_name("callgrind_switch.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", switch, source], check=True)
    if options.against is None:
        trees = {"without": make(ROOT, options.home / "bare"), "with": ROOT}
    else:
        trees = {"the other": options.against.resolve(), "this": ROOT}
    options.say(f"counting {TURNS:,} turns of each, about two minutes")
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(lambda tree: _counted(tree, switch), trees.values()))
    for what, row in zip(trees, rows, strict=True):
        row["what"] = what
    before, after = rows
    ratios = {name: after[name] / before[name] for name in before if name != "what"}
    return [*rows, {"what": " / ".join(reversed(trees)), **ratios}]


def _counted(tree: Path, switch: Path) -> Result:
    """Return what a turn takes, thousands of instructions and misses each."""
    program = [sys.executable, "-m", "benchmarks.gate_alone", str(switch), str(TURNS)]
    paths = os.pathsep.join([str(tree / "src"), str(ROOT)])
    ran = subprocess.run(
        ["valgrind", *CALLGRIND, "--callgrind-out-file=/dev/null", *program],
        check=False,
        cwd=tree,
        env=os.environ | {"PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    )
    found = _COLLECTED.search(ran.stderr)
    if ran.returncode or found is None:
        sys.exit(f"callgrind did not come to its end:\n{ran.stderr[-4_000:]}")
    turns = int(ran.stdout)
    # Instructions, reads, writes; first level's misses of these; last level's; branches.
    counts = [int(count) / turns for count in found[1].split()]
    return {
        "thousand_instructions": counts[0] / 1_000,
        "first_level_misses": sum(counts[3:6]),
        "last_level_misses": sum(counts[6:9]),
        "mispredicted": counts[10] + counts[12],
    }
