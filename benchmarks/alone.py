"""One benchmark at a time: two would measure each other."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from headgate.local.lock import try_lock


@contextlib.contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """Hold the lock of this folder; exit if another run holds it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        if not try_lock(lock.fileno()):
            sys.exit(f"another benchmark runs in {home}: two at once would measure each other")
        yield
