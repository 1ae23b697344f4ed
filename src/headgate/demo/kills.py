"""Kills on a schedule: what dies with SIGKILL, and when."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from headgate.config.durations import parse_duration
from headgate.errors import HeadgateError
from headgate.local.stack import LocalStack

# A victim that an earlier kill took down is waited for: killing nobody would prove nothing.
# A TaskManager on a busy machine is back within this.
VICTIM_SECONDS = 60.0
POLL_SECONDS = 0.02


class Victim(StrEnum):
    """What can be killed."""

    TASKMANAGER = "taskmanager"
    WORKER = "worker"
    AGENT = "agent"
    KAFKA = "kafka"


class KillSpellingError(HeadgateError):
    """--kill was not understood.

    Operator action: write KIND@TIME, such as --kill worker@5s.
    """


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill that is planned, in seconds from the start of publishing."""

    victim: Victim
    at_seconds: float


@dataclass(frozen=True, slots=True)
class Killed:
    """A kill that was done: when by the plan's clock and by the wall's."""

    victim: Victim
    at_seconds: float
    wall_ms: int
    pid: int


def parse_kill(text: str) -> Kill:
    """Read KIND@TIME; raises KillSpellingError.

    >>> parse_kill("worker@1500ms")
    Kill(victim=<Victim.WORKER: 'worker'>, at_seconds=1.5)
    """
    kind, _, at = text.partition("@")
    try:
        return Kill(Victim(kind), parse_duration(at).total_seconds())
    except ValueError:
        kinds = ", ".join(Victim)
        message = f"--kill {text}: write KIND@TIME, such as worker@5s; the kinds are {kinds}"
        raise KillSpellingError(message) from None


class Executioner:
    """Carries a schedule out in a thread."""

    def __init__(
        self, stack: LocalStack, agent: str, kills: Sequence[Kill], say: Callable[[str], None]
    ) -> None:
        """`agent` is the name of the service that dies for `agent`."""
        self._stack = stack
        self._agent = agent
        self._kills = sorted(kills, key=lambda kill: kill.at_seconds)
        self._say = say
        self._stopping = threading.Event()
        self._began = 0.0
        self._error: HeadgateError | None = None
        self._thread = threading.Thread(target=self._run, name="demo-kills", daemon=True)
        self.done: list[Killed] = []

    def start(self) -> None:
        """Start the schedule's clock."""
        self._began = time.monotonic()
        self._thread.start()

    def finish(self) -> list[Killed]:
        """Wait until every kill was done and return them; raises what went wrong with one."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self.done

    def stop(self) -> None:
        """Kill nobody any more."""
        self._stopping.set()
        if self._began:
            self._thread.join()

    @property
    def is_done(self) -> bool:
        """Whether the schedule is over."""
        return bool(self._began) and not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for kill in self._kills:
                wait = self._began + kill.at_seconds - time.monotonic()
                if self._stopping.wait(max(0.0, wait)):
                    return
                pid = self._await_pid(kill.victim)
                wall_ms, at = time.time_ns() // 1_000_000, time.monotonic() - self._began
                self._strike(kill.victim, pid)
                self.done.append(Killed(kill.victim, round(at, 1), wall_ms, pid))
                self._say(f"killed {kill.victim} (process {pid}) at {at:.1f} s")
                if kill.victim is Victim.KAFKA:
                    # Nobody supervises the broker: bringing it back is part of the story.
                    self._stack.kafka.start()
        except HeadgateError as error:
            self._error = error

    def _await_pid(self, victim: Victim) -> int:
        deadline = time.monotonic() + VICTIM_SECONDS
        while not self._stopping.is_set():
            pid = self._pid(victim)
            if pid is not None:
                return pid
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        message = f"no {victim} was alive to be killed for {VICTIM_SECONDS:.0f} s"
        raise HeadgateError(message)

    def _pid(self, victim: Victim) -> int | None:
        match victim:
            case Victim.TASKMANAGER:
                return next(iter(self._stack.task_manager_pids()), None)
            case Victim.WORKER:
                return next(iter(self._stack.python_worker_pids()), None)
            case Victim.AGENT:
                return self._stack.agents.pid(self._agent)
            case Victim.KAFKA:
                return self._stack.kafka.pid

    def _strike(self, victim: Victim, pid: int) -> None:
        match victim:
            case Victim.AGENT:
                self._stack.agents.kill(self._agent)
            case Victim.KAFKA:
                self._stack.kafka.kill()
            case _:
                os.kill(pid, signal.SIGKILL)
