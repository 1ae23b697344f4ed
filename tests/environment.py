"""Virtual environments for what tests need beside Headgate and must not share a Python with it."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parents[1] / ".headgate"
INSTALL_SECONDS = 300
"""A quarter of a minute where wheels are cached; minutes where they must come over a slow line."""


class UnavailableError(Exception):
    """The environment cannot be made here; says why."""


def interpreter(name: str, requirement: str) -> Path:
    """Return the Python of an environment that has a requirement, made once below `.headgate/`.

    Raises:
        UnavailableError: it cannot be made.
    """
    home = HOME / name
    HOME.mkdir(exist_ok=True)
    made, python = home / "made", home / "bin" / "python"
    with (HOME / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists() and made.read_text() == requirement:
            return python
        pip = [str(python), "-m", "pip", "install", "--quiet", requirement]
        for command in ([sys.executable, "-m", "venv", "--clear", str(home)], pip):
            try:
                subprocess.run(
                    command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS
                )
            except (subprocess.SubprocessError, OSError) as error:
                said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
                raise UnavailableError(said[-1] if said else repr(error)) from error
        made.write_text(requirement)
    return python
