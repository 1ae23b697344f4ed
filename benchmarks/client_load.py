"""Load by a peer's own client, a process of its own that prints what each of its requests took.

Such a client takes `--seconds`, prints `started`, and at its end JSON: its CPU seconds, and of each
request when it was due, how long it took (both in seconds) and 200 if it did well.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import cpu
from benchmarks.figures import spread
from benchmarks.measure import SETTLE_SECONDS, Result

STARTED = "started"
OK = 200


@dataclass(frozen=True)
class Measured:
    """What was answered within a window, and what it cost."""

    seconds: float
    took_ms: list[float]
    failed: int
    spent: dict[str, float]
    around: Result
    work: float = 0.0
    """Requests by their shares of time within the window: where one takes as long as a window, and
    all under way end together, those that end within say little of what was done.
    """

    @property
    def count(self) -> int:
        """Requests that did well."""
        return len(self.took_ms)

    def result(self, unit: str, units: float) -> Result:
        """Return rates, latencies and CPU by unit: a turn, or a step, of which there were so many.

        >>> Measured(2.0, [5.0], 0, {"server": 0.1}, {}).result("step", 3)["steps_per_second"]
        1.5
        """
        by = {name: used * 1000 / max(units, 1) for name, used in self.spent.items()}
        return {
            "seconds": round(self.seconds, 2),
            f"{unit}s_per_second": units / self.seconds,
            "failed": self.failed,
            "latency_ms": spread(self.took_ms),
            f"cpu_ms_per_{unit}": sum(by.values()),
            f"cpu_ms_per_{unit}_by_process": by,
            **self.around,
        }


def measure(
    command: list[str], seconds: float, processes: cpu.Processes, idle: cpu.Processes
) -> Measured:
    """Run a load; measure what is answered after it has settled. `idle` are the others' processes,
    up and not asked meanwhile.
    """
    others, since = cpu.sample(idle), time.monotonic()
    load = start(command, seconds + 2 * SETTLE_SECONDS)
    time.sleep(SETTLE_SECONDS)
    before, begin = cpu.sample(processes), time.time()
    time.sleep(seconds)
    after, end = cpu.sample(processes), time.time()
    load_average = os.getloadavg()[0]
    found = finish(load)
    used = sum(cpu.sample(idle).since(others).values())
    answers = [a for a in found["answers"] if begin <= a[0] + a[1] < end]
    good = [took * 1000 for _, took, status in answers if status == OK]
    work = sum(
        max(0.0, min(due + took, end) - max(due, begin)) / max(took, 1e-6)
        for due, took, status in found["answers"]
        if status == OK
    )
    around = {
        **after.surroundings(before, end - begin),
        "load": {"cpu_seconds": found["cpu_seconds"]},
        "idle_peer_cores": used / max(time.monotonic() - since, 0.001),
        "load_average": load_average,
    }
    return Measured(end - begin, good, len(answers) - len(good), after.since(before), around, work)


def start(command: list[str], seconds: float) -> "subprocess.Popen[str]":
    """Start a client and wait for its first request."""
    full = [*command, "--seconds", str(seconds)]
    process = subprocess.Popen(full, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline() if process.stdout else ""
    if line.strip() != STARTED:
        process.kill()
        message = "the peer's load generator did not start"
        raise RuntimeError(message)
    return process


def finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for its end and return what it printed."""
    out, _ = process.communicate()
    if process.returncode != 0:
        message = f"the peer's load generator ended with code {process.returncode}"
        raise RuntimeError(message)
    found: dict[str, Any] = json.loads(out)
    return found
