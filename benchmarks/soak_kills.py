"""Somebody dies every so often, in turn: who, when, and for how long nothing was decided."""

import itertools
import os
import signal
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.figures import of_runs
from benchmarks.measure import Result
from headgate.local.stack import LocalStack

# A victim that is down already, for an earlier death's sake, is waited for.
VICTIM_SECONDS = 90.0
POLL_SECONDS = 0.05
# The last kill before a gap is blamed for it, if it is no longer ago than this: a job that fails
# over may stumble twice.
BLAMED_MS = 15_000
# A gap may begin so long before its cause: with the last outcome before the kill.
BEFORE_MS = 500


class Victim(StrEnum):
    """What is killed, in this order, again and again."""

    TASK_MANAGER = "taskmanager"
    JOB_MANAGER = "jobmanager"
    WORKER = "worker"
    AGENT = "agent"
    KAFKA = "kafka"
    REDIS = "redis"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Struck:
    """A kill that was done."""

    victim: Victim
    wall_ms: int


class Killing:
    """Kills in a thread, one each `every_seconds`, until it is stopped."""

    def __init__(self, stack: LocalStack, every_seconds: float, say: Callable[[str], None]) -> None:
        self.struck: list[Struck] = []
        self._stack = stack
        self._every_seconds = every_seconds
        self._say = say
        self._failure: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-kills", daemon=True)

    def start(self) -> None:
        """Start; the first dies after one pause."""
        self._thread.start()

    def stop(self) -> None:
        """Kill nobody any more; raises what went wrong with a kill."""
        self._stopping.set()
        self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise what went wrong with a kill."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        began, victims = time.monotonic(), list(Victim)
        number = 0
        try:
            while True:
                number += 1
                due = began + number * self._every_seconds
                if self._stopping.wait(max(0.0, due - time.monotonic())):
                    return
                victim = victims[(number - 1) % len(victims)]
                pid = self._await_pid(victim)
                self.struck.append(Struck(victim, time.time_ns() // 1_000_000))
                self._strike(victim, pid)
                self._say(f"killed {victim} (process {pid})")
        except BaseException as error:
            self._failure = error

    def _await_pid(self, victim: Victim) -> int:
        deadline = time.monotonic() + VICTIM_SECONDS
        while (pid := self._pid(victim)) is None:
            if time.monotonic() > deadline:
                message = f"no {victim} was alive to be killed for {VICTIM_SECONDS:.0f} s"
                raise RuntimeError(message)
            time.sleep(POLL_SECONDS)
        return pid

    def _pid(self, victim: Victim) -> int | None:
        stack = self._stack
        match victim:
            case Victim.TASK_MANAGER:
                # The one that works, if the job is on one of them.
                return next(iter(self._working()), None)
            case Victim.JOB_MANAGER:
                return stack.flink.job_manager_pid
            case Victim.WORKER:
                return next(iter(stack.python_worker_pids()), None)
            case Victim.AGENT:
                return next((stack.agents.pid(name) for name in stack.agents.names()), None)
            case Victim.KAFKA:
                return stack.kafka.pid
            case Victim.REDIS | Victim.HISTORY:
                return stack.beside.pids().get(str(victim))

    def _working(self) -> list[int]:
        import psutil

        workers = set(self._stack.python_worker_pids())
        found = []
        for pid in self._stack.task_manager_pids():
            try:
                below = {child.pid for child in psutil.Process(pid).children(recursive=True)}
            except psutil.NoSuchProcess:
                continue
            if below & workers:
                found.append(pid)
        return found

    def _strike(self, victim: Victim, pid: int) -> None:
        stack = self._stack
        match victim:
            case Victim.JOB_MANAGER:
                # Nobody supervises it, nor the broker: as Kubernetes would bring them back.
                stack.flink.kill_job_manager()
                stack.flink.launch_job_manager()
            case Victim.KAFKA:
                stack.kafka.kill()
                stack.kafka.start()
            case _:
                os.kill(pid, signal.SIGKILL)


def outages(struck: Sequence[Struck], decided_ms: Sequence[int]) -> list[Result]:
    """Return, for each kind of victim, the longest gap between two outcomes that each death made.

    decided_ms: when outcomes were journaled, in order.

    >>> kills = [Struck(Victim.WORKER, 10_000), Struck(Victim.AGENT, 14_000)]
    >>> found = outages(kills, [9_990, 11_500, 13_900, 14_300, 14_310])
    >>> [(each["what"], each["outage_seconds"]["all"]) for each in found]
    [('worker killed', [2.4]), ('agent killed', [0.4])]
    """
    longest = [0] * len(struck)
    times = [kill.wall_ms for kill in struck]
    for begin, end in itertools.pairwise(decided_ms):
        number = bisect_right(times, begin + BEFORE_MS) - 1
        if number >= 0 and end > times[number] and begin - times[number] < BLAMED_MS:
            longest[number] = max(longest[number], end - begin)
    found: dict[Victim, list[float]] = {}
    for kill, gap in zip(struck, longest, strict=True):
        found.setdefault(kill.victim, []).append(gap / 1_000)
    return [
        {
            "what": f"{victim} killed",
            "outage_seconds": of_runs(gaps),
        }
        for victim, gaps in found.items()
    ]


def total(found: Iterable[Result]) -> int:
    """Return how many kills that were."""
    return sum(each["outage_seconds"]["runs"] for each in found)
