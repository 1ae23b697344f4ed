"""When the ledger looks at what waits and tells of accounts: once a second, without a cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.flink.ledger import LedgerHost, LedgerSettings

HOUR_MS = 3_600_000


class Wall:
    """The machine's clock, and the timers that Flink was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ms = 1_800_000_000_000
        self.timers: list[int] = []
        clock = SimpleNamespace(time_ns=lambda: self.ms * 1_000_000)
        monkeypatch.setattr("headgate.flink.ledger.time", clock)

    def timer_service(self) -> Any:
        """Flink's."""
        return SimpleNamespace(register_processing_time_timer=self.timers.append)


def test_a_round_is_asked_for_once_and_anew_when_the_clock_was_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall = Wall(monkeypatch)
    host: Any = LedgerHost(LedgerSettings(Bootstrap("127.0.0.1:9"), "registry", "spending", ("a",)))
    host._begin_life()
    till = SimpleNamespace(number=0, has_news=True, write=lambda: None)
    for _ in range(3):
        host._finish(till, wall)
        wall.ms += 100
    assert wall.timers == [1_800_000_001_000]
    wall.ms -= HOUR_MS
    host._finish(till, wall)
    assert wall.timers[1:] == [wall.ms + 1_000]
