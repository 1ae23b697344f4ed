"""Locks that end with the processes that hold them, whatever becomes of those."""

import fcntl


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process and those that inherit it; False if another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
