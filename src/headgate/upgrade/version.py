"""A version of a job: what it is started from, and what its code says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from headgate.errors import HeadgateError

LOOK_SECONDS = 60.0
# Run by the version's own Python: it may be one that has never heard of this module. The digest
# tells whether TaskManagers that have loaded the one code may run the other.
_LOOK = """
import hashlib, json, pathlib
import headgate, headgate.core.codec as codec
from importlib import metadata
folder = pathlib.Path(headgate.__file__).parent
digest = hashlib.sha256()
for path in sorted(folder.rglob("*.py")):
    digest.update(f"{path.relative_to(folder)}\\0".encode() + path.read_bytes())
try:
    name = metadata.version("headgate")
except metadata.PackageNotFoundError:
    name = "?"
print(json.dumps([name, codec.CONTROL_VERSION, digest.hexdigest()[:16], str(folder.parent)]))
"""


class VersionUnusableError(HeadgateError):
    """A Python has no Headgate that could be started.

    Operator action: install it into the environment of --python, or name the folder that has it
    with --pythonpath.
    """


@dataclass(frozen=True, slots=True)
class Version:
    """What a job is started from.

    config: a copy of headgate.toml, since the file itself is edited for the next version. python:
    the interpreter of client and TaskManagers. path: a folder before its own, "" for none.
    headgate, state, code, root: as `known` finds them; state is the schema version of control
    records, root the folder that has the package.
    """

    config: str
    script: str
    python: str
    path: str = ""
    headgate: str = ""
    state: int = 0
    code: str = ""
    root: str = ""

    def environment(self) -> dict[str, str]:
        """Return what a process needs in its environment to run it."""
        return {"PYTHONPATH": self.path} if self.path else {}

    def settings(self) -> dict[str, str]:
        """Return Flink's settings that make TaskManagers and workers use its Python."""
        if not self.path and self.python == sys.executable:
            return {}
        return {
            "python.executable": self.python,
            "python.client.executable": self.python,
            # Before what the cluster names, which is another version's. For TaskManagers the entry
            # script adds the folders of its environment.
            "python.pythonpath": self.root,
        }


def known(version: Version) -> Version:
    """Ask a version's Python what Headgate it has; raises VersionUnusableError."""
    try:
        done = subprocess.run(
            [version.python, "-c", _LOOK],
            env={**os.environ, **version.environment()},
            capture_output=True,
            text=True,
            check=True,
            timeout=LOOK_SECONDS,
        )
        name, state, code, root = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        told = str(getattr(error, "stderr", "") or error).strip().splitlines()
        message = f"{version.python} cannot import headgate: {told[-1] if told else error}"
        raise VersionUnusableError(message) from error
    return replace(version, headgate=str(name), state=int(state), code=str(code), root=str(root))


def here(config: Path, script: Path, python: str = sys.executable, path: str = "") -> Version:
    """Return a version by the paths of this machine."""
    return Version(str(config.resolve()), str(script.resolve()), python, path)
