"""The clock that tests put: wall time jumps, and neither the other clock nor waits do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.put_clock import PutClock, build

HOUR = 3_600
PROGRAM = """
import ctypes, sys, threading, time
from datetime import datetime
c = ctypes.CDLL(None)
mutex, condition, until = (ctypes.create_string_buffer(64) for _ in range(3))
c.mtx_init(mutex, 0), c.cnd_init(condition), c.mtx_lock(mutex)
for line in sys.stdin:
    threading.Event().wait(0.01)
    # As librdkafka waits: by C11's conditions, until a moment of the wall clock.
    c.timespec_get(until, 1)
    c.cnd_timedwait(condition, mutex, until)
    print(time.time(), datetime.now().timestamp(), time.monotonic(), flush=True)
"""


def test_it_jumps_while_a_program_runs(tmp_path: Path) -> None:
    library = build(tmp_path)
    if library is None:
        pytest.skip("no C compiler: apt-get install gcc")
    clock = PutClock(library, tmp_path / "clock")
    with subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM],
        env=os.environ | clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as program:
        assert program.stdin is not None and program.stdout is not None
        for ahead in (0, HOUR, -HOUR, 0):
            clock.put(ahead)
            program.stdin.write("\n")
            wall, day, monotonic = map(float, program.stdout.readline().split())
            # Another process was asked: within a minute it is the same moment.
            assert wall - time.time() == pytest.approx(ahead, abs=60)
            assert day - time.time() == pytest.approx(ahead, abs=60)
            assert monotonic - time.monotonic() == pytest.approx(0, abs=60)
        program.stdin.close()


WAITER = """
import ctypes, struct, time
c = ctypes.CDLL(None)
mutex, condition, until = (ctypes.create_string_buffer(64) for _ in range(3))
c.mtx_init(mutex, 0), c.cnd_init(condition), c.mtx_lock(mutex)
c.timespec_get(until, 1)
seconds, rest = struct.unpack_from("@qq", until)
struct.pack_into("@qq", until, 0, seconds + 1, rest)
print(time.monotonic(), flush=True)
c.cnd_timedwait(condition, mutex, until)
print(time.monotonic(), flush=True)
"""


def test_a_wait_until_a_time_of_day_is_longer_when_the_clock_is_put_back(tmp_path: Path) -> None:
    library = build(tmp_path)
    if library is None:
        pytest.skip("no C compiler: apt-get install gcc")
    clock = PutClock(library, tmp_path / "clock")
    clock.put(HOUR)
    with subprocess.Popen(
        [sys.executable, "-u", "-c", WAITER],
        env=os.environ | clock.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        began = float(program.stdout.readline())
        clock.put(HOUR - 2)
        assert float(program.stdout.readline()) - began > 2
