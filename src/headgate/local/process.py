"""Child processes that log to a file, are awaited by condition and never outlive their owner."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from headgate.errors import HeadgateError

POLL_SECONDS = 0.05
GRACE_SECONDS = 10.0  # a broker needs about two seconds to close its logs
LOG_TAIL_LINES = 12

# The child enters itself into the watchdog's list before it becomes the program: an owner that dies
# between fork and its own bookkeeping leaves no orphan. Its standard input is the pipe until then.
_REGISTER_AND_EXEC = 'echo "+$$" >&0; exec "$@" </dev/null'


class ProcessDiedError(HeadgateError):
    """A process of the embedded stack ended or did not become ready.

    Operator action: read the log file that the message names.
    """


@dataclass(frozen=True)
class Child:
    """One child process, leader of its own process group."""

    name: str
    log: Path
    popen: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group too."""
        return self.popen.pid

    def is_alive(self) -> bool:
        """Tell whether it runs (and reap it if not)."""
        return self.popen.poll() is None

    def kill(self) -> None:
        """Kill the process alone with SIGKILL; its own children are left to `Family.bury`.

        It is dead when this returns: who then waits for its successor does not see it still serve.
        """
        if self.is_alive():
            self.popen.kill()
            self.popen.wait()

    def await_ready(self, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait until `is_ready()`; raises ProcessDiedError with the end of the log."""
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            if not self.is_alive():
                message = f"{self.name} ended with code {self.popen.returncode}. {self._log_end()}"
                raise ProcessDiedError(message)
            if time.monotonic() > deadline:
                message = (
                    f"{self.name} was not ready after {timeout_seconds:.0f} s. {self._log_end()}"
                )
                raise ProcessDiedError(message)
            time.sleep(POLL_SECONDS)

    def _log_end(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return f"The end of {self.log}:\n" + "\n".join(lines[-LOG_TAIL_LINES:])


class Family:
    """The children of one stack, and the watchdog that ends them if the owner cannot."""

    def __init__(self, lock: int | None = None) -> None:
        """Start the watchdog; it keeps the descriptor `lock` open until every child is gone."""
        reader, self._pipe = os.pipe()
        watchdog = Path(__file__).with_name("watchdog.py")
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", str(watchdog)],
            stdin=reader,
            stdout=subprocess.DEVNULL,
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,  # Ctrl-C in the owner's terminal is not for the watchdog
        )
        os.close(reader)

    def spawn(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Child:
        """Start `command`, appending both of its outputs to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            popen = subprocess.Popen(
                ["/bin/sh", "-c", _REGISTER_AND_EXEC, "headgate", *command],
                stdin=self._pipe,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        return Child(name, log, popen)

    def end(self, *children: Child, grace_seconds: float = GRACE_SECONDS) -> None:
        """Ask the children to end, all at once; kill those that do not in time."""
        for child in children:
            if child.is_alive():
                child.popen.terminate()
        deadline = time.monotonic() + grace_seconds
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.popen.wait(max(0.0, deadline - time.monotonic()))
            self.bury(child)

    def bury(self, child: Child) -> None:
        """Kill the child and all that is left in its group, as the end of a container would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.popen.wait()
        with contextlib.suppress(OSError):
            os.write(self._pipe, b"-%d\n" % child.pid)

    def close(self) -> None:
        """Let the watchdog end what is left, and wait for it."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        self._watchdog.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
