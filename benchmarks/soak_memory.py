"""Resident memory of the largest process of each kind over time: flat, or not."""

import threading
import time
from collections.abc import Callable, Mapping

from benchmarks.figures import median
from benchmarks.measure import Result
from benchmarks.memory import largest_mb

EVERY_SECONDS = 10.0


class MemoryOverTime:
    """Looks at processes in a thread, until it is stopped."""

    def __init__(self, processes: Callable[[], Mapping[str, list[int]]]) -> None:
        self._processes = processes
        self._began = time.monotonic()
        self.samples: list[tuple[float, dict[str, float]]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-memory", daemon=True)

    def start(self) -> None:
        """Start."""
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Stop."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            at = time.monotonic() - self._began
            self.samples.append((at, largest_mb(self._processes)))


def rows(samples: list[tuple[float, dict[str, float]]]) -> list[Result]:
    """Return for each kind of process the medians of the first, middle and last third, the most,
    and the slope of a straight line through all of them.

    >>> rows([(minute * 60.0, {"kafka": 100.0 + minute}) for minute in range(9)])[0]["mb"]
    {'first': 101.0, 'middle': 104.0, 'last': 107.0, 'max': 108.0, 'per_hour': 60.0}
    """
    third = max(1, len(samples) // 3)
    found = []
    for name in samples[0][1] if samples else ():
        # One that is being started again is no sign of how much it takes.
        points = [(at, mb[name]) for at, mb in samples if mb.get(name)]
        values = [mb for _, mb in points]
        if not values:
            continue
        parts = values[:third], values[third:-third] or values, values[-third:]
        first, middle, last = map(median, parts)
        slope = _slope(points) * 3_600
        mb = {"first": first, "middle": middle, "last": last, "max": max(values)}
        found.append({"what": name, "mb": {**mb, "per_hour": round(slope, 1)}})
    return found


def _slope(points: list[tuple[float, float]]) -> float:
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
