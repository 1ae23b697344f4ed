"""A thread that starts a child again when it dies, as Kubernetes does with a container."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from headgate.errors import HeadgateError
from headgate.local.process import Child, Family, ProcessDiedError

POLL_SECONDS = 0.05  # part of the outage after a kill
QUICK_DEATH_SECONDS = 5.0
# A child that dies at once again and again (a broken configuration) must not fork without end.
MAX_DELAY_SECONDS = 5.0
FIRST_DELAY_SECONDS = 0.1


class _Kept:
    def __init__(self, start: Callable[[], Child]) -> None:
        self.start = start
        self.child: Child | None = start()
        self.started = time.monotonic()
        self.delay_seconds = 0.0
        self.restarts = 0


class Supervisor:
    """Keeps named children alive until `stop()`."""

    def __init__(self, family: Family) -> None:
        """Supervise children of this family."""
        self._family = family
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def keep(self, name: str, start: Callable[[], Child]) -> None:
        """Start a child and start it again whenever it dies."""
        with self._lock:
            self._kept[name] = _Kept(start)

    def drop(self, name: str) -> Child | None:
        """Stop caring for a child and return it, still running."""
        with self._lock:
            kept = self._kept.pop(name, None)
        return kept.child if kept else None

    def child(self, name: str) -> Child | None:
        """Return the present child of that name, None if there is none."""
        with self._lock:
            kept = self._kept.get(name)
            return kept.child if kept else None

    def pid(self, name: str) -> int | None:
        """Return the process id of the present child of that name, None while it is down."""
        child = self.child(name)
        return child.pid if child and child.is_alive() else None

    def kill(self, name: str) -> int | None:
        """Kill the child of that name with SIGKILL; it is started again.

        Return its process id, None if there was nothing to kill.
        """
        child = self.child(name)
        if child is None or not child.is_alive():
            return None
        child.kill()
        return child.pid

    def end(self, name: str) -> None:
        """End the child of that name in order, and do not start it again."""
        child = self.drop(name)
        if child is not None:
            self._family.end(child)

    def await_ready(
        self, name: str, is_ready: Callable[[], bool], timeout_seconds: float, log: Path
    ) -> None:
        """Wait until a child, perhaps the successor of one that was killed, is ready.

        A child that is killed meanwhile has a successor, which is waited for; one that ends by
        itself (a broken configuration) would only do so again, and is an error at once.

        Raises:
            ProcessDiedError: it does not run in time. Others as `Child.await_ready`.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            child = self._running(name, deadline, log)
            try:
                return child.await_ready(is_ready, max(0.0, deadline - time.monotonic()))
            except ProcessDiedError:
                if child.popen.returncode != -signal.SIGKILL:
                    raise

    def _running(self, name: str, deadline: float, log: Path) -> Child:
        while (child := self.child(name)) is None or not child.is_alive():
            if time.monotonic() > deadline:
                message = f"{name} does not run; its log is {log}"
                raise ProcessDiedError(message)
            time.sleep(POLL_SECONDS)
        return child

    def restarts(self) -> dict[str, int]:
        """Return how often each child was started again."""
        with self._lock:
            return {name: kept.restarts for name, kept in self._kept.items()}

    def stop(self) -> None:
        """Replace nobody from now on."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            with self._lock:
                for kept in self._kept.values():
                    self._look_after(kept)

    def _look_after(self, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.child is not None:
            if kept.child.is_alive():
                return
            # The rest of the group first: a Python worker that outlives its TaskManager would go on
            # calling agents beside its successor.
            self._family.bury(kept.child)
            kept.child = None
            is_quick = now - kept.started < QUICK_DEATH_SECONDS
            slower = max(FIRST_DELAY_SECONDS, min(kept.delay_seconds * 2, MAX_DELAY_SECONDS))
            kept.delay_seconds = slower if is_quick else 0.0
            kept.started = now + kept.delay_seconds
        if now >= kept.started:
            kept.started = now
            try:
                kept.child = kept.start()
            except (OSError, HeadgateError):
                # No memory to fork, say: the thread must outlive it, and try again.
                kept.started = now + MAX_DELAY_SECONDS
                return
            kept.restarts += 1
