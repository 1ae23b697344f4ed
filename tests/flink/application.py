"""A Flink cluster in application mode: a JobManager that runs jobs/agent_runtime.py only."""

from __future__ import annotations

import time
from pathlib import Path

from headgate.local import jars
from headgate.local.flink import Flink
from headgate.local.rest import POLL_SECONDS

# A client on a busy machine needs minutes for what takes a quiet one ten seconds.
START_SECONDS = 240.0
DRIVER = "org.apache.flink.client.python.PythonDriver"


class ApplicationFlink(Flink):
    """A Flink cluster whose JobManager is one job's own, as `standalone-job.sh` starts it."""

    entry_point = "org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint"


def arguments(config: Path, restored: str | None = None) -> tuple[str, ...]:
    """Return what the entry point is given: what to restore, the script and its options."""
    script = jars.settings_folder().parent / "jobs" / "agent_runtime.py"
    path = ("--fromSavepoint", restored) if restored else ()
    return ("--job-classname", DRIVER, *path, "-py", str(script), "--config", str(config))


def await_job(flink: Flink) -> str:
    """Wait until the script has built its job and it runs; return the job's id."""
    flink.await_serving(START_SECONDS)
    deadline = time.monotonic() + START_SECONDS
    while not (found := flink.rest.jobs()):
        assert time.monotonic() < deadline, f"no job; see {flink.logs}/jobmanager.log"
        time.sleep(POLL_SECONDS)
    job = str(found[0]["id"])
    flink.rest.await_running(job, START_SECONDS)
    return job
