"""The process that outlives the stack's owner by a moment and ends what the owner left behind.

It reads a pipe whose writing end only the owner keeps open: `+GROUP` when a child starts, `-GROUP`
when the owner has ended it. End of file means that the owner is gone, however it went (kill -9
included), and every process group still on the list is killed. Groups rather than processes: a
TaskManager's Python workers are in its group and die with it.

Run as a file (`python -I -S watchdog.py`), so it imports the standard library only and stays small.
It keeps the stack's lock (an inherited descriptor), so a new stack waits until the old one is gone.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path

OWNER_POLL_SECONDS = 1.0  # the pipe tells at once; this only covers a forked copy of the owner
LAST_WAIT_SECONDS = 10.0


def apply(groups: set[int], line: str) -> None:
    """Enter one line of the pipe into the list of living groups."""
    sign, number = line[:1], line[1:].strip()
    if not number.isdigit():
        return
    if sign == "+":
        groups.add(int(number))
    elif sign == "-":
        groups.discard(int(number))


def living_groups() -> set[int]:
    """Return the groups that have a process which is no zombie.

    A zombie stays where the first process of a container reaps nobody; it holds nothing any more.
    """
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The second field is the command in parentheses, and may itself contain any character.
            state, _, group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if state not in "ZX":
            found.add(int(group))
    return found


def kill_groups(groups: set[int]) -> None:
    """Kill every group and wait until the last process of each is gone."""
    deadline = time.monotonic() + LAST_WAIT_SECONDS
    left = set(groups)
    while left and time.monotonic() < deadline:
        for group in left:
            try:
                # Again in every round: a group may have been forking while it was killed.
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)
        left &= living_groups()


def watch(pipe: int) -> None:
    """Follow the pipe until its end, then kill what is left."""
    owner = os.getppid()
    groups: set[int] = set()
    pending = ""
    while os.getppid() == owner:
        if not select.select([pipe], [], [], OWNER_POLL_SECONDS)[0]:
            continue
        chunk = os.read(pipe, 4096)
        if not chunk:
            break
        *lines, pending = (pending + chunk.decode("ascii")).split("\n")
        for line in lines:
            apply(groups, line)
    kill_groups(groups)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watch(sys.stdin.fileno())
