"""Submission of a Python job through `flink run`."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from headgate.local import flink_home
from headgate.local.cause import cause_of_failed
from headgate.local.flink import LIGHT, Flink
from headgate.local.rest import JobFailedError

CLIENT = "org.apache.flink.client.cli.CliFrontend"
SUBMIT_SECONDS = 900.0
"""How long a submission may take. Before a restore the script may have to compare what the job has
put out with the journal of an hour and more (`headgate.flink.restore`): minutes, at thousands of
turns a second. On a JobManager that does not answer Flink's client gives up by itself, long before.
"""

_JOB_ID = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")


class Client(NamedTuple):
    """How Flink's client is called, up to its first word, and in which environment; `keeps` are
    descriptors that it holds open while it lives.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    keeps: tuple[int, ...] = ()


def submit(
    flink: Flink,
    script: Path,
    arguments: Sequence[str] = (),
    *,
    settings: Mapping[str, str] | None = None,
    restore_from: str | None = None,
    parallelism: int | None = None,
) -> str:
    """Submit `script` to the cluster and return the job's id, without waiting for RUNNING.

    `settings` are Flink settings of this job; `restore_from` is a checkpoint or savepoint.
    Raises JobFailedError with what the script printed.
    """
    client = Client(flink.java("client", CLIENT, None, *LIGHT), flink.environment)
    options = ["--parallelism", str(parallelism)] if parallelism else []
    return run(client, script, arguments, *options, settings=settings, restore_from=restore_from)


def client_of(home: Path) -> Client:
    """Return the client of the stack that another process runs in `home`."""
    folder = home / "flink"
    distribution, configuration = folder / "dist", folder / "conf"
    settings = flink_home.read_settings((configuration / "config.yaml").read_text("utf-8"))
    logs = folder / "logs"
    command = flink_home.java(
        distribution, configuration, settings, logs / "client.log", CLIENT, *LIGHT
    )
    return Client(command, flink_home.environment(distribution, configuration, logs))


def run(
    client: Client,
    script: Path,
    arguments: Sequence[str],
    *options: str,
    settings: Mapping[str, str] | None = None,
    restore_from: str | None = None,
) -> str:
    """Submit `script` by a client: `submit` for those that know no more of a cluster than that."""
    command = [*client.command, "run", "--detached", *options]
    command += ["--fromSavepoint", restore_from] if restore_from else []
    command += [f"-D{key}={value}" for key, value in (settings or {}).items()]
    # "--": without it Flink would take an argument of the script for an option of its own.
    command += ["--python", str(script.resolve()), "--", *arguments]
    done = subprocess.run(
        command,
        env=client.environment,
        pass_fds=client.keeps,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SUBMIT_SECONDS,
    )
    found = _JOB_ID.search(done.stdout)
    if found is None:
        message = f"{script.name} was not submitted: {cause_of_failed(done.stdout + done.stderr)}"
        raise JobFailedError(message)
    return found[1]
