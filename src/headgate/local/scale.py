"""How many TaskManagers a stack is to have: one number in a file, which its owner follows.

Whoever changes the parallelism of the job runs in another process than the stack's owner, and only
the owner can start processes that end with the stack.
"""

from __future__ import annotations

from pathlib import Path

NAME = "task-managers"


def want(home: Path, count: int) -> None:
    """Ask the owner of the stack in `home` for at least so many TaskManagers.

    Fewer are not taken away: what has run stands by, warm, for one that is lost.
    """
    wanted = max(count, wanted_in(home) or 0)
    draft = home / f"{NAME}.new"
    draft.write_text(f"{wanted}\n", encoding="ascii")
    draft.replace(home / NAME)


def wanted_in(home: Path) -> int | None:
    """Return how many were asked for, None if nobody asked."""
    try:
        return int((home / NAME).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def forget(home: Path) -> None:
    """Begin with what the stack is started with."""
    (home / NAME).unlink(missing_ok=True)
