"""Figures as metrics of Flink's, for whichever reporter the cluster has.

Through an operator's own metric group they are on the TaskManager's one page, gone with the
operator, and never doubled. A counter of Flink's may go down as well as up, and its Prometheus
reporter shows it as a gauge: so it can be any whole number, and no Java object has to call Python.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from headgate.flink.figures import Figure, Labels

log = logging.getLogger(__name__)

SERIES_AT_MOST = 20_000
"""Series of one Gate. The bounds of single labels keep it far below; past this a bug of theirs
costs metrics rather than the memory of the TaskManager."""


_MOST = 2**63 - 1
"""A Java long. An agent that reports nonsense for tokens must not stop Gate."""


class Exposed:
    """Counters in a Java metric group, made as figures come."""

    def __init__(self, group: Any) -> None:
        """``group`` is a `org.apache.flink.metrics.MetricGroup`, through PyFlink's bridge."""
        self._group = group
        # What Java does is to add: by series its `inc`, and what it stands at.
        self._series: dict[tuple[str, Labels], tuple[Any, int]] = {}
        self._is_full = False

    def show(self, figures: Iterable[Figure]) -> None:
        """Set every figure; one that was shown before and is not among them becomes 0."""
        missing = set(self._series)
        for name, labels, value in figures:
            key = name, labels
            missing.discard(key)
            value = max(-_MOST, min(value, _MOST))  # noqa: PLW2901
            found = self._series.get(key) or self._make(name, labels)
            if found is not None and found[1] != value:
                self._set(key, found, value)
        for key in missing:
            found = self._series[key]
            if found[1]:
                self._set(key, found, 0)

    def _set(self, key: tuple[str, Labels], found: tuple[Any, int], value: int) -> None:
        add, stands = found
        add(value - stands)
        self._series[key] = add, value

    def _make(self, name: str, labels: Labels) -> tuple[Any, int] | None:
        if len(self._series) >= SERIES_AT_MOST:
            if not self._is_full:
                self._is_full = True
                log.error("%d metrics are shown; %s and others are not", SERIES_AT_MOST, name)
            return None
        group = self._group
        for label, value in labels:
            group = group.addGroup(label, value)
        made = group.counter(name).inc, 0
        self._series[name, labels] = made
        return made
