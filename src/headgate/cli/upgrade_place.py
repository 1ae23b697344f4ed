"""Where `headgate upgrade` works: the stack that runs here, or a cluster that was named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from headgate.cli.doctor import find_flink
from headgate.cli.upgrade_views import Say
from headgate.errors import ConfigError, HeadgateError

if TYPE_CHECKING:
    from headgate.upgrade.site import Cluster
    from headgate.upgrade.verify import Patience


class NoFlinkError(HeadgateError):
    """Nothing says where Flink is.

    Operator action: give --flink http://HOST:PORT, or start a stack with `headgate dev`.
    """


def find_cluster(
    flink: str | None, restart: str, savepoints: str | None, patience: Patience, say: Say
) -> Cluster:
    """Return the cluster to work on; raises NoFlinkError, and ConfigError without a client."""
    from headgate.local import state_file
    from headgate.local.submit import Client, client_of
    from headgate.upgrade.site import Cluster

    rest = find_flink(flink)
    if rest is None:
        message = "where is Flink? No stack runs here: give --flink http://HOST:PORT"
        raise NoFlinkError(message)
    state = state_file.read(home_here())
    if state is not None and state.flink_rest_url.endswith(rest.address):
        client = client_of(home_here())
        return Cluster(rest, client, (), home_here(), restart, savepoints, patience, say)
    folder = os.environ.get("FLINK_HOME")
    program = shutil.which("flink", path=f"{folder}/bin" if folder else None)
    if program is None:
        message = (
            "Flink's client is what submits the new job, and it is not here: set FLINK_HOME to the "
            "folder of a Flink of the cluster's version (docs/deploy.md)"
        )
        raise ConfigError(message)
    client = Client((program,), dict(os.environ))
    options = ("--jobmanager", rest.address)
    return Cluster(rest, client, options, None, restart, savepoints, patience, say)


def home_here() -> Path:
    """Return the folder of the stack that may run here, and of what upgrades keep."""
    return Path(os.environ.get("HEADGATE_HOME", ".headgate")).resolve()
