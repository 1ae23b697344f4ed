"""Spans go to the collector until it has all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.tracing import export as module
from headgate.tracing.export import SpanExport


class Narrow:
    """A collector that finds more than so many spans too many, and is away at first."""

    def __init__(self, most: int, away: int = 0) -> None:
        self.most, self.away = most, away
        self.taken: list[Any] = []
        self.asked: list[int] = []

    def take(self, spans: Sequence[Any]) -> bool:
        """Take them, or not."""
        self.asked.append(len(spans))
        self.away -= 1
        if self.away >= 0 or len(spans) > self.most:
            return False
        self.taken += spans
        return True

    def close(self) -> None:
        """Disconnect."""


def exporting(collector: Narrow, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    resource: Any = None
    return SpanExport(Bootstrap("127.0.0.1:9"), "history", "group", collector, resource)


@pytest.mark.parametrize(("most", "away"), [(512, 0), (512, 3), (100, 0), (1, 0), (100, 2)])
def test_all_are_sent_once_in_order_however_few_fit(
    monkeypatch: pytest.MonkeyPatch, most: int, away: int
) -> None:
    collector = Narrow(most, away)
    spans = list(range(512))
    assert exporting(collector, monkeypatch)._send(spans)
    assert collector.taken == spans


def test_who_is_told_to_stop_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Narrow(0)
    export = exporting(collector, monkeypatch)
    export.stop()
    assert not export._send([1, 2])
    assert collector.asked == [2]
