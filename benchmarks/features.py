"""What metrics, tracing and the ledger cost together: this code without their lines, and with them.

Each takes a steady load and drains a backlog, in turn, with a job, a cluster and an agent of its
own. The ledger has no budget: what those cost who have one, `ledger` measures.
"""

from benchmarks.against import Tree, in_turn
from benchmarks.bare import make
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT


def run(options: Options) -> list[Result]:
    """Load it without, then with, and so on."""
    bare = make(ROOT, options.home / "bare")
    return in_turn(options, Tree("without", bare), Tree("with", ROOT))
