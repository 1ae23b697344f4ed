"""What single operations cost in thread mode: state, timers, outputs, the way into Python."""

import json
import os
import time
from typing import Any

from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT, Stand
from headgate.local.submit import submit

BACKENDS = ("rocksdb", "hashmap")
TIMEOUT_SECONDS = 180.0
POLL_SECONDS = 0.2


def run(options: Options) -> list[Result]:
    """Run the job once for each state backend; hashmap shows what of it is not RocksDB's."""
    found: dict[str, dict[str, Any]] = {}
    with Stand(options.home, 1, options.say) as stand:
        for backend in BACKENDS:
            options.say(f"micro: {backend}")
            found[backend] = _measure(stand, backend)
    return [
        {
            "what": name,
            **{f"{backend}_cpu_us": found[backend][name]["cpu_us"] for backend in BACKENDS},
            "load_average": os.getloadavg()[0],
        }
        for name in found[BACKENDS[0]]
    ]


def _measure(stand: Stand, backend: str) -> dict[str, Any]:
    file = stand.stack.home / f"micro-{backend}.json"
    flink = stand.stack.flink
    job = submit(
        flink,
        ROOT / "benchmarks" / "micro_job.py",
        [str(file)],
        settings={"state.backend.type": backend},
    )
    flink.rest.await_running(job)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            message = f"the micro job did not end: {flink.rest.exceptions(job)}"
            raise RuntimeError(message)
        time.sleep(POLL_SECONDS)
    time.sleep(POLL_SECONDS)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
