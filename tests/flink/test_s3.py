"""Checkpoints on an S3-compatible store, by the plugin and the settings that k8s/ names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.local import jars
from headgate.local.process import Family
from headgate.local.supervisor import Supervisor
from tests.environment import UnavailableError
from tests.flink.application import ApplicationFlink
from tests.flink.s3 import BUCKET, KEYS, Store, add_plugin, fetch_plugin, serving_store
from tests.manifests import base, the_job

pytestmark = pytest.mark.flink

# What k8s/ says of checkpoints; its other settings are the embedded ones.
STORAGE = (
    "execution.checkpointing.dir",
    "execution.checkpointing.savepoint-dir",
    "execution.checkpointing.tolerable-failed-checkpoints",
)


def flink_of(home: Path, family: Family, store: Store) -> tuple[Supervisor, ApplicationFlink]:
    """Describe a cluster of one job's own that keeps its checkpoints in the store."""
    supervisor = Supervisor(family)
    deployed = the_job(base())["flinkConfiguration"]
    settings = {key: deployed[key] for key in STORAGE}
    settings |= {"s3.endpoint": store.endpoint, "s3.path.style.access": "true"}
    connectors = jars.fetch() / "flink"
    flink = ApplicationFlink(family, supervisor, home, connectors, settings=settings)
    flink.environment |= KEYS
    return supervisor, flink


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An S3-compatible store with an empty bucket, where Flink's plugin can be had as well."""
    with Family() as family:
        try:
            fetch_plugin()
            with serving_store(family, tmp_path_factory.mktemp("store") / "s3.log") as serving:
                yield serving
        except UnavailableError as error:
            pytest.skip(f"no S3-compatible store here: {error}")


def read(path: str, given: dict[str, str]) -> str:
    """Read a checkpoint as a command does, in a JVM of its own; return its number, or why not."""
    script = (
        "import sys; from headgate.flink.checkpoints import read_checkpoint as read\n"
        "try: print(read(sys.argv[1]).number)\n"
        "except Exception as error: print(error)"
    )
    command = [sys.executable, "-c", script, path]
    run = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_a_command_reaches_the_store_by_the_plugin(tmp_path: Path, store: Store) -> None:
    path = f"s3://{BUCKET}/checkpoints/none/chk-1"
    with Family() as family:
        _, flink = flink_of(tmp_path, family, store)
        assert "Cannot access file system" in read(path, flink.environment)
        add_plugin(flink.distribution)
        found = read(path, flink.environment)
    assert f"Cannot find checkpoint or savepoint file/directory '{path}'" in found
