"""SIGKILLs at seeded moments of a running job; whoever plays meanwhile can wait for a number."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable

import psutil

from headgate.demo.kills import Victim
from headgate.local.rest import FlinkUnreachableError
from headgate.local.stack import LocalStack

# A worker that dies between its two connections to the TaskManager, a hundredth of a second apart,
# is missed only when Beam has waited three minutes for the second. So the next kill comes
# this long after the worker began: what is proven here is that nothing is lost.
UP_SECONDS = 4.0
BACK_SECONDS = 240.0
POLL_SECONDS = 0.05
NUDGE_SECONDS = 2.0
# Between "everyone is back" and the next kill: some strike before anything is read again, some in
# the midst of turns.
LEAST_GAP_SECONDS, MOST_GAP_SECONDS = 0.0, 2.5


class Kills:
    """Kills workers and TaskManagers in a seeded order, each a seeded while after the last one's
    damage is mended.
    """

    def __init__(
        self,
        stack: LocalStack,
        job: str,
        seed: int,
        each: int = 2,
        nudge: Callable[[], object] = lambda: None,
    ) -> None:
        """Describe them; `start` begins. ``each``: how often every kind of victim dies. ``nudge``
        gives the job something to do: one with nothing to ask of a dead worker does not miss it.
        """
        chance = random.Random(seed)  # noqa: S311 - chosen faults
        victims = [Victim.WORKER, Victim.TASKMANAGER] * each
        chance.shuffle(victims)
        gaps = (chance.uniform(LEAST_GAP_SECONDS, MOST_GAP_SECONDS) for _ in victims)
        self.plan = list(zip(victims, gaps, strict=True))
        self.seed = seed
        self.done = 0
        self._stack, self._job = stack, job
        self._nudge = nudge
        self._struck = threading.Condition()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kills", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def await_done(self, count: int) -> None:
        """Wait until so many have struck."""
        with self._struck:
            self._struck.wait_for(lambda: self._failure is not None or self.done >= count)
        self._raise_failure()

    def finish(self) -> None:
        """Wait until all have struck and the job is back."""
        self._thread.join()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            for victim, gap in self.plan:
                time.sleep(gap)
                self._strike(victim)
        except BaseException as error:
            with self._struck:
                self._failure = error
                self._struck.notify_all()

    def _strike(self, victim: Victim) -> None:
        workers = set(self._stack.python_worker_pids())
        if victim is Victim.WORKER:
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
        else:
            self._stack.kill_task_manager()
        with self._struck:
            self.done += 1
            self._struck.notify_all()
        began = nudged = time.monotonic()
        deadline = began + BACK_SECONDS
        while not self._is_back(workers):
            if time.monotonic() - nudged > NUDGE_SECONDS:
                nudged = time.monotonic()
                self._nudge()
            assert time.monotonic() < deadline, f"the job did not come back after {victim}'s death"
            time.sleep(POLL_SECONDS)

    def _is_back(self, dead: set[int]) -> bool:
        """Tell whether the job runs, with new workers only: they are the last to come up."""
        alive = {pid for pid in self._stack.python_worker_pids() if _age(pid) > UP_SECONDS}
        try:
            return bool(alive - dead) and self._stack.flink.rest.is_running(self._job)
        except FlinkUnreachableError:
            return False


def _age(pid: int) -> float:
    """Return for how long a process has been there, seconds; 0 if it is gone."""
    try:
        return time.time() - psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0
