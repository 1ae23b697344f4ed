"""What metrics, tracing and the ledger cost together: this code without their lines, and with them.

Side by side, as `benchmarks.against` does it: each has a job, a cluster and an agent of its
own. The ledger has no budget: what those cost who have one, `ledger` measures.
"""

from benchmarks.against import Tree, compare
from benchmarks.bare import make
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT


def run(options: Options) -> list[Result]:
    """Load it without and with."""
    bare = make(ROOT, options.home / "bare")
    return compare(options, Tree("without", bare), Tree("with", ROOT))
