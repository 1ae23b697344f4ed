"""A job that takes loads when it is told to: one side of a comparison, with a tree's own code.

Started by `benchmarks.against` as a process in that tree. A line on standard input is a load, as
JSON: `{"count": 20000}` a backlog to drain, `{"rate": 300, "seconds": 20}` a steady one. For each a
line with its result is printed; before the first, one that the job is warm. It ends with its input.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.ladder import KEYS, plan
from benchmarks.measure import Result, backlog, open_loop, warm_up
from benchmarks.stand import RunningJob, Stand

WARM_RATE = 1_000


def main() -> None:
    """Serve loads until there are no more."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_demand", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    given = parser.parse_args()
    with (
        Stand(given.home.resolve(), 1, lambda text: print(text, file=sys.stderr)) as stand,
        stand.job(plan("ladder", 0)) as job,
    ):
        warm_up(stand, job, WARM_RATE, given.warm_up, KEYS)
        _print({"warm": True})
        for line in sys.stdin:
            _print(_loaded(stand, job, **json.loads(line)))


def _loaded(stand: Stand, job: RunningJob, count: int = 0, **steady: Any) -> Result:
    if count:
        return backlog(stand, job, count, KEYS)
    return open_loop(stand, job, keys=KEYS, **steady)


def _print(line: Result) -> None:
    print(json.dumps(report.finite(line)), flush=True)


if __name__ == "__main__":
    main()
