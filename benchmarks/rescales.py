"""Rescales by Flink's adaptive scheduler under load: the longest gap between two outcomes."""

import time

from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.upgrades import Site, measured, on_site
from headgate.local.rest import POLL_SECONDS, FlinkRest

RESCALE_SECONDS = 120.0
ADAPTIVE = {
    "jobmanager.scheduler": "adaptive",
    # By default it waits half a minute after a start before it rescales: turns go on meanwhile.
    "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling": "1 s",
}


def run(options: Options) -> list[Result]:
    """Rescale a job, again and again; compare all events with what came of them."""
    with on_site(options, "rescales", ADAPTIVE) as site:
        return measured(
            site,
            [
                ("adaptive scheduler, 1 to 2", lambda: _rescale(site, 2)),
                ("adaptive scheduler, 2 to 1", lambda: _rescale(site, 1)),
            ],
            options,
        )


def _rescale(site: Site, parallelism: int) -> None:
    """Ask the scheduler for another parallelism, and wait until all tasks run so."""
    rest, path = site.stand.stack.flink.rest, f"/jobs/{site.job}"
    bounds = {"parallelism": {"lowerBound": 1, "upperBound": parallelism}}
    wanted = dict.fromkeys(rest.get(f"{path}/resource-requirements"), bounds)
    rest.request("PUT", f"{path}/resource-requirements", wanted)
    deadline = time.monotonic() + RESCALE_SECONDS
    while not (rest.is_running(site.job) and _parallelism(rest, site.job) == parallelism):
        if time.monotonic() > deadline:
            message = f"the job did not get parallelism {parallelism}"
            raise RuntimeError(message)
        time.sleep(POLL_SECONDS)


def _parallelism(rest: FlinkRest, job: str) -> int:
    return int(max(each["parallelism"] for each in rest.get(f"/jobs/{job}")["vertices"]))
