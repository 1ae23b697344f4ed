"""Threads for calls that block: so many at once, and none holds up the end of the process."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest

from headgate.sdk.threads import Threads

ENDS = """
import time
from headgate.sdk.threads import Threads
threads = Threads(2, "stuck")
threads.submit(time.sleep, 1_000_000)
while not threads.running:
    time.sleep(0.01)
threads.shutdown(wait=False)
print("over")
"""
SECONDS = 60


def test_what_a_call_returns_or_raises_comes_back() -> None:
    threads = Threads(2, "test")
    assert threads.submit(divmod, 7, 2).result(SECONDS) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(SECONDS)
    with pytest.raises(SystemExit):
        threads.submit(sys.exit, 3).result(SECONDS)
    threads.shutdown()
    assert threads.running == 0
    with pytest.raises(RuntimeError, match="shutdown"):
        threads.submit(divmod, 7, 2)


def test_so_many_run_at_once_and_the_rest_wait_their_turn() -> None:
    threads, gate = Threads(2, "test"), threading.Event()
    names: list[str] = []
    both = threading.Barrier(3)

    def hold(number: int) -> int:
        names.append(threading.current_thread().name)
        if number < 2:
            both.wait(SECONDS)
            gate.wait(SECONDS)
        return number

    asked = [threads.submit(hold, number) for number in range(5)]
    both.wait(SECONDS)
    assert (threads.running, len(names)) == (2, 2)
    gate.set()
    assert [each.result(SECONDS) for each in asked] == [0, 1, 2, 3, 4]
    assert set(names) == {"test-0", "test-1"}
    threads.shutdown()


def test_what_has_not_begun_is_cancelled_at_the_end() -> None:
    threads, gate, begun = Threads(1, "test"), threading.Event(), threading.Event()

    def hold() -> str:
        begun.set()
        gate.wait(SECONDS)
        return "done"

    running, waiting = threads.submit(hold), threads.submit(hold)
    assert begun.wait(SECONDS)
    threads.shutdown(wait=False, cancel_futures=True)
    assert threads.running == 1
    with pytest.raises(CancelledError):
        waiting.result(SECONDS)
    gate.set()
    assert running.result(SECONDS) == "done"


def test_a_call_that_hangs_does_not_keep_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    assert done.stdout == "over\n"
