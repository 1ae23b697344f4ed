"""`stack.json` and the lock beside it: how other processes find, and do not double, a stack."""

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from headgate.errors import HeadgateError
from headgate.local.lock import try_lock

POLL_SECONDS = 0.05
LAST_WATCHDOG_SECONDS = 15.0  # how long a dead owner's watchdog may need to clear away its children
STOP_SECONDS = 60.0


class StackRunningError(HeadgateError):
    """A stack runs already in this folder.

    Operator action: use it (`headgate status`) or end it (`headgate down`).
    """


@dataclass(frozen=True)
class StackState:
    """What a stack tells others about itself."""

    owner_pid: int
    phase: str  # starting, running or stopping
    kafka_bootstrap: str = ""
    flink_rest_url: str = ""
    temporal: str = ""  # its frontend, HOST:PORT; empty where it was not asked for
    started_at: str = ""
    pids: dict[str, int] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)  # name -> endpoint
    history: str = ""  # the history service's gRPC
    history_url: str = ""  # and its HTTP
    console: str = ""  # the web console's URL
    redis: str = ""  # its URL; empty where it was not asked for
    metrics: dict[str, str] = field(default_factory=dict)  # process -> where Prometheus scrapes
    job: str | None = None  # the id of the job that `headgate dev` submitted

    def write(self, home: Path) -> None:
        """Replace `stack.json` at once, so that nobody reads half of it."""
        draft = home / "stack.json.new"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        draft.replace(home / "stack.json")


def read(home: Path) -> StackState | None:
    """Return the state of the living stack in `home`, None if there is none."""
    if not is_locked(home):
        return None
    try:
        text = (home / "stack.json").read_text(encoding="utf-8")
        return StackState(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None


def acquire(home: Path) -> int:
    """Lock `home` and return the descriptor that holds the lock; raises StackRunningError."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + LAST_WATCHDOG_SECONDS
    while not try_lock(descriptor):
        state = read(home)
        # The watchdog of a killed owner holds the lock until the owner's children are gone.
        if (state and psutil.pid_exists(state.owner_pid)) or time.monotonic() > deadline:
            os.close(descriptor)
            owner = f" (process {state.owner_pid})" if state else ""
            message = (
                f"A stack runs already in {home}{owner}. See it with `headgate status`, "
                "end it with `headgate down`."
            )
            raise StackRunningError(message)
        time.sleep(POLL_SECONDS)
    return descriptor


def is_locked(home: Path) -> bool:
    """Tell whether a stack, or the watchdog of one, holds the lock of `home`."""
    try:
        descriptor = os.open(home / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


def end(home: Path) -> bool:
    """End the stack in `home` wherever it runs; False if there was none."""
    state = read(home)
    if state is None:
        return False
    # The lock shows that owner or watchdog lives; only an owner gets a signal, never a stranger
    # that has got the process id of a dead one.
    for name, seconds in (("SIGTERM", STOP_SECONDS), ("SIGKILL", LAST_WATCHDOG_SECONDS)):
        if _holds_lock(state.owner_pid, home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.owner_pid, signal.Signals[name])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not is_locked(home):
                return True
            time.sleep(POLL_SECONDS)
    message = f"the stack in {home} (process {state.owner_pid}) does not end"
    raise HeadgateError(message)


def _holds_lock(pid: int, home: Path) -> bool:
    lock = (home / "lock").resolve()
    try:
        links = list(Path(f"/proc/{pid}/fd").iterdir())
        return any(link.resolve() == lock for link in links)
    except OSError:
        return False
