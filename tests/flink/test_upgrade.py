"""`headgate upgrade` under load: killed half-way, and a version that cannot run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from headgate.cli.start import start_job
from headgate.config import load
from headgate.local.stack import LocalStack
from headgate.testing.serving import Serving
from headgate.testing.steady import Steady
from headgate.upgrade.record import Folder
from tests.flink.configured import headgate_toml
from tests.flink.outage import await_found
from tests.flink.runtime import mirror

pytestmark = [pytest.mark.flink, pytest.mark.slow, pytest.mark.chaos]

COMMAND = [sys.executable, "-m", "headgate.cli.app", "upgrade", "--within", "150", "--watch", "2"]
# A class of the script itself travels with the job: TaskManagers need not be new.
BROKEN = """
import sys

from pyflink.datastream import StreamExecutionEnvironment

from headgate.flink import gate, job
from headgate.flink.entry import configure


class Gate(gate.Gate):
    def process_element2(self, value, ctx):
        raise RuntimeError("the new one cannot read")


config = configure(sys.argv[1:])
env = StreamExecutionEnvironment.get_execution_environment()
job.Gate = Gate
job.build_job(env, config)
env.execute(config.job.name)
"""


class Site:
    """A stack whose owner follows upgrades, as `headgate dev` does, and the command line."""

    def __init__(self, stack: LocalStack, endpoint: str) -> None:
        self.stack, self._endpoint = stack, endpoint
        self.path = stack.home / "headgate.toml"
        self.configure(1)
        self.config = load(self.path)
        self.first = start_job(stack, self.config, self.path, say=print)
        self._ended = threading.Event()
        self._owner = threading.Thread(target=self._follow)
        self._owner.start()

    def configure(self, parallelism: int) -> None:
        """Edit headgate.toml."""
        bootstrap = self.stack.kafka.bootstrap
        job = f"parallelism = {parallelism}"
        text = headgate_toml(bootstrap, "mirror", self._endpoint, job=job)
        self.path.write_text(text, encoding="utf-8")

    def started(self, *words: str) -> subprocess.Popen[str]:
        """Start the command."""
        return subprocess.Popen(
            [*COMMAND, "--config", str(self.path), *words],
            env={**os.environ, "HEADGATE_HOME": str(self.stack.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def upgraded(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run it, and return its exit code and what it says."""
        out, err = (running := self.started(*words, "-o", "json")).communicate()
        assert out, err
        return running.returncode, json.loads(out)

    def phase(self) -> str:
        """Return where the last upgrade stands, as it is on disk."""
        record = Folder(self.stack.home).record()
        return record.phase.value if record else ""

    def running(self) -> list[str]:
        """Return the jobs that run."""
        return [each["id"] for each in self.stack.flink.rest.jobs() if each["state"] == "RUNNING"]

    def parallelism(self, job: str) -> int:
        """Return the parallelism of a running job."""
        vertices = self.stack.flink.rest.get(f"/jobs/{job}")["vertices"]
        return int(max(each["parallelism"] for each in vertices))

    def close(self) -> None:
        """Follow no more."""
        self._ended.set()
        self._owner.join()

    def _follow(self) -> None:
        while not self._ended.wait(0.2):
            self.stack.publish_state()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A stack, a job on it, and an agent."""
    with Serving(mirror()) as served, LocalStack(tmp_path / "stack") as stack:
        made = Site(stack, served.endpoint)
        try:
            yield made
        finally:
            made.close()


def test_another_version_is_started_or_the_old_one_again(site: Site, tmp_path: Path) -> None:
    with Steady(site.config, "events", "mirror", keys=16, rate=40.0) as load:
        code, planned = site.upgraded("--dry-run")
        assert (code, planned["job"], planned["fresh"]) == (0, site.first, False)

        # Its parts are twice as many from here on; the command dies while no job runs.
        site.configure(2)
        running = site.started()
        rest = site.stack.flink.rest
        await_found(lambda: rest.state(site.first) == "FINISHED", "the savepoint")
        running.send_signal(signal.SIGKILL)
        running.communicate()
        code, done = site.upgraded()
        assert (code, done["phase"]) == (0, "done"), done
        assert site.running() == [done["job"]]
        assert site.parallelism(done["job"]) == 2
        assert len(site.stack.task_manager_pids()) == 2

        # A version that runs and fails over and over: the one before is there again.
        script = tmp_path / "broken.py"
        script.write_text(BROKEN, encoding="utf-8")
        code, back = site.upgraded("--script", str(script))
        assert (code, back["phase"]) == (1, "went back"), json.dumps(back, indent=1)
        assert "the new one cannot read" in back["why"]
        assert site.running() == [back["job"]]
        assert back["old_job"] == done["job"]

        assert load.findings() == []
    await_found(lambda: site.stack.flink.rest.is_running(back["job"]), "all tasks")


def killed(command: subprocess.Popen[str]) -> None:
    """Kill a command with all that it has started: Flink's client would go on without it."""
    victim = psutil.Process(command.pid)
    victim.suspend()
    for child in victim.children(recursive=True):
        child.kill()
    victim.kill()
    command.communicate()


def test_what_happened_since_a_command_was_cut_short_is_seen(site: Site) -> None:
    """Somebody starts the job by other means; a JobManager forgets the new one."""
    rest, flink = site.stack.flink.rest, site.stack.flink
    with Steady(site.config, "events", "mirror", keys=16, rate=20.0) as load:
        running = site.started()
        await_found(lambda: site.phase() == "starting", "the savepoint")
        killed(running)
        theirs = start_job(site.stack, site.config, site.path, say=print)
        code, done = site.upgraded()
        assert (code, done["phase"], done["old_job"]) == (0, "done", theirs)
        assert site.running() == [done["job"]]

        def is_at_work() -> bool:
            record = Folder(site.stack.home).record()
            return bool(
                record is not None
                and record.phase.value == "verifying"
                and rest.is_running(record.new_job)
                and rest.checkpoints(record.new_job)["counts"]["completed"]
            )

        running = site.started("--watch", "60")
        await_found(lambda: site.phase() == "verifying", "the new version")
        await_found(is_at_work, "its first checkpoint")
        flink.kill_job_manager()
        flink.launch_job_manager()
        running.communicate()
        await_found(lambda: rest.registered_task_managers() >= 1, "the TaskManager")
        code, back = site.upgraded()
        assert (code, back["phase"]) == (1, "went back"), json.dumps(back, indent=1)
        assert "Flink does not know it" in back["why"]
        assert back["new_job"] in back["back_from"], "its newest checkpoint, not the savepoint"
        assert site.running() == [back["job"]]
        assert load.findings() == []
