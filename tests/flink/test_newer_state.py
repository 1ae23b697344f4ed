"""State that a newer Headgate wrote: its instances are set aside by an older one, others go on.

The newer one is this very one, copied, with another number for its control records: both versions
run as real jobs, one after the other, on the state of one savepoint.
"""

from __future__ import annotations

import re
import shutil
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headgate
from headgate.config import Config, load
from headgate.core.codec import CONTROL_VERSION
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.publish import Placed, Publisher
from headgate.local.jars import settings_folder
from headgate.local.rest import POLL_SECONDS
from headgate.local.stack import LocalStack
from headgate.local.submit import submit
from headgate.testing.records import Records
from headgate.testing.serving import Serving
from tests.flink.configured import headgate_toml
from tests.flink.runtime import JOB_SECONDS, mirror

pytestmark = [pytest.mark.flink, pytest.mark.slow]

OURS = Path(headgate.__file__).parents[1]


def newer_headgate(folder: Path) -> Path:
    """Copy Headgate and raise the version of its control records; return where it can be imported.

    Nothing but the number differs, so that the savepoint's own form does not decide the test.
    """
    shutil.copytree(OURS / "headgate", folder / "headgate", ignore=shutil.ignore_patterns("*.pyc"))
    codec = folder / "headgate" / "core" / "codec.py"
    text, count = re.subn(
        r"^CONTROL_VERSION = \d+$",
        f"CONTROL_VERSION = {CONTROL_VERSION + 1}",
        codec.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert count == 1
    codec.write_text(text, encoding="utf-8")
    return folder


class Site:
    """One stack, on which jobs of either version run in turn."""

    def __init__(self, stack: LocalStack, endpoint: str) -> None:
        self.stack = stack
        self._path = stack.home / "headgate.toml"
        text = headgate_toml(stack.kafka.bootstrap, "mirror", endpoint, kafka="partitions = 1")
        self._path.write_text(text, encoding="utf-8")
        self.config: Config = load(self._path)

    def run(self, version: Path, restore_from: str | None = None) -> str:
        """Run the job with a version of Headgate, on a TaskManager that has seen no other."""
        flink = self.stack.flink
        if flink.environment.get("PYTHONPATH") != str(version):
            flink.environment["PYTHONPATH"] = str(version)
            before = self._task_managers()
            self.stack.kill_task_manager()
            deadline = time.monotonic() + JOB_SECONDS
            while not (now := self._task_managers()) or now & before:
                assert time.monotonic() < deadline, "no new TaskManager came"
                time.sleep(POLL_SECONDS)
        script = settings_folder().parent / "jobs" / "agent_runtime.py"
        # Flink puts these before what its processes' environment names.
        path = f"{version}:{sysconfig.get_paths()['purelib']}"
        job = submit(
            flink,
            script,
            ["--config", str(self._path)],
            settings={"python.pythonpath": path},
            restore_from=restore_from,
        )
        flink.rest.await_running(job, JOB_SECONDS)
        return job

    def save(self, job: str) -> str:
        """Stop a job and return its savepoint."""
        flink = self.stack.flink
        return flink.rest.stop_with_savepoint(job, flink.savepoints.as_uri(), JOB_SECONDS)

    def send(self, publisher: Publisher, key: str) -> Placed:
        """Publish an event for an instance."""
        value = structured({}, event_type="test", source="tests", event_id=f"{time.time_ns()}")
        return publisher.send("events", key, value, dict([CONTENT_TYPE])).wait()

    def _task_managers(self) -> set[str]:
        found: list[dict[str, Any]] = self.stack.flink.rest.get("/taskmanagers")["taskmanagers"]
        return {each["id"] for each in found}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A stack, and the honest agent."""
    with Serving(mirror()) as served, LocalStack(tmp_path / "stack") as stack:
        yield Site(stack, served.endpoint)


def test_instances_of_a_newer_version_are_set_aside(site: Site, tmp_path: Path) -> None:
    newer = newer_headgate(tmp_path / "newer")
    job = site.run(newer)
    with Records(site.config) as records, Publisher(site.config.kafka.bootstrap) as publisher:

        def answers(key: str, count: int) -> Any:
            found = records.outbox_of.get(f"mirror/{key}", [])
            return found if len(found) >= count else None

        site.send(publisher, "newer")
        records.await_found(lambda: answers("newer", 1), "an answer by the newer version")
        saved = site.save(job)

        job = site.run(OURS, restore_from=saved)
        places = [site.send(publisher, "newer") for _ in range(2)]
        site.send(publisher, "other")
        [answer] = records.await_found(lambda: answers("other", 1), "another's answer")
        assert answer["data"]["count"] == 1
        letters = records.await_found(
            lambda: [*records.dead_letters] if len(records.dead_letters) >= 2 else None, "letters"
        )
        assert [letter["origin"] for letter in letters] == [
            {"topic": place.topic, "partition": place.partition, "offset": place.offset}
            for place in places
        ]
        for letter in letters:
            assert (letter["reason"], letter["address"]) == ("state_version", "mirror/newer")
            assert f"schema version {CONTROL_VERSION + 1}" in letter["message"]
        assert site.stack.flink.rest.exceptions(job) == []
        assert site.stack.flink.rest.is_running(job)

        # Nothing of its state is lost: the version that can read it goes on where it was.
        job = site.run(newer, restore_from=site.save(job))
        site.send(publisher, "newer")
        found = records.await_found(lambda: answers("newer", 2), "another answer by the newer one")
        assert [each["data"]["count"] for each in found] == [1, 2]
