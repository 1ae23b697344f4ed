"""The A2A agent of the tests as a process, in a virtual environment that is made once."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REQUIREMENT = "a2a-sdk[grpc]>=1.3,<1.4"
HOME = ROOT / ".headgate" / "a2a-sdk"
INSTALL_SECONDS = 300
"""A quarter of a minute where wheels are cached; minutes where they must come over a slow line."""


class UnavailableError(Exception):
    """The environment cannot be made here; says why."""


def python() -> Path:
    """Return the interpreter of the environment, made if it is not there."""
    HOME.parent.mkdir(exist_ok=True)
    made, interpreter = HOME / "made", HOME / "bin" / "python"
    with (HOME.parent / "a2a-sdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists() and made.read_text() == REQUIREMENT:
            return interpreter
        pip = [str(interpreter), "-m", "pip", "install", "--quiet", REQUIREMENT]
        for command in ([sys.executable, "-m", "venv", "--clear", str(HOME)], pip):
            try:
                subprocess.run(
                    command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS
                )
            except (subprocess.SubprocessError, OSError) as error:
                said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
                raise UnavailableError(said[-1] if said else repr(error)) from error
        made.write_text(REQUIREMENT)
    return interpreter


class A2aAgent:
    """A running agent; ``calls`` is what it has told of."""

    def __init__(self, *options: str) -> None:
        self.calls: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [str(python()), str(Path(__file__).with_name("a2a_server.py")), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout
        self.port = int(json.loads(self._out.readline())["port"])
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def executed(self, word: str = "") -> list[dict[str, Any]]:
        """Return the messages that reached the agent's code."""
        found = [call for call in self.calls if call["did"] == "execute"]
        return [call for call in found if not word or call["word"] == word]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        for line in self._out:
            self.calls.append(json.loads(line))
