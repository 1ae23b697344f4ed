"""The A2A agent of the tests as a process, in a virtual environment that is made once."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.environment import UnavailableError, interpreter

__all__ = ["A2aAgent", "UnavailableError"]

REQUIREMENT = "a2a-sdk[grpc]>=1.3,<1.4"


def python() -> Path:
    """Return the interpreter of the environment, made if it is not there."""
    return interpreter("a2a-sdk", REQUIREMENT)


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
