"""The embedded history service is told its store without showing it to the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from headgate.bootstrap import Bootstrap
from headgate.local.history import History

URL = "postgresql://me:s3cret-of-store@db/history"


class Recording:
    """A family and a supervisor that start nothing."""

    def __init__(self) -> None:
        self.command: list[str] = []
        self.environment: dict[str, str] = {}

    def keep(self, name: str, spawn: Callable[[], Any]) -> None:
        spawn()

    def spawn(self, name: str, command: list[str], *, log: Path, environment: Any = None) -> None:
        self.command, self.environment = command, environment or {}

    def await_ready(self, *_: object) -> None:
        pass


def test_the_stores_password_is_on_no_command_line(tmp_path: Path) -> None:
    recording: Any = Recording()
    History(recording, recording, tmp_path).start(Bootstrap("h:1"), tmp_path / "c.toml", URL)
    assert "s3cret" not in " ".join(recording.command)
    assert recording.environment["HEADGATE_HISTORY_STORE"] == URL
