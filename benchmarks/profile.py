"""Where the time goes at saturation: threads of the TaskManager and of the worker, Python by line.

Thread mode runs Python inside the JVM; py-spy finds it there all the same. It samples without
stopping the process, so some samples are torn; it is installed into a folder of its own.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks import cpu
from benchmarks.ladder import KEYS, plan
from benchmarks.load import Load, Offer
from benchmarks.measure import Result, warm_up
from benchmarks.options import Options
from benchmarks.stand import RunningJob, Stand

PY_SPY = "py-spy==0.4.3"
SAMPLES_PER_SECOND = 200
SETTLE_SECONDS = 3.0
FINISH_SECONDS = 10.0
SHOWN = 40
# Threads that used less are noise.
LEAST_CORES = 0.005


def run(options: Options) -> list[Result]:
    """Drain a backlog that lasts, and look at it for `--seconds`."""
    spy = _install(options)
    folder = options.home / "profile"
    folder.mkdir(parents=True, exist_ok=True)
    with Stand(options.home, 1, options.say) as stand, stand.job(plan("profile", 0)) as job:
        warm_up(stand, job, 1_000, options.warm_up_seconds, KEYS)
        kafka = job.config.kafka
        count = max(options.backlog, int(options.seconds * 6_000))
        options.say(f"profile: {options.seconds:.0f} s of a backlog of {count} events")
        job.journal.mark()
        load = Load(Offer(kafka.bootstrap, job.plan.topic, kafka.partitions, count, 0, KEYS))
        load.result()
        time.sleep(SETTLE_SECONDS)
        # What is left of the backlog when the look is over is of no interest.
        return _look(stand, job, spy, folder, options)


def _look(stand: Stand, job: RunningJob, spy: Path, folder: Path, options: Options) -> list[Result]:
    targets = {
        "taskmanager": stand.stack.task_manager_pids()[0],
        "worker": stand.stack.python_worker_pids()[0],
    }
    before = {name: cpu.thread_seconds(pid) for name, pid in targets.items()}
    job.journal.mark()
    roles, begin = cpu.sample(stand.processes), time.monotonic()
    spies = [
        _record(spy, pid, folder / f"{name}.txt", options.seconds) for name, pid in targets.items()
    ]
    time.sleep(options.seconds)
    seconds = time.monotonic() - begin
    after = {name: cpu.thread_seconds(pid) for name, pid in targets.items()}
    spent = cpu.sample(stand.processes).since(roles)
    turns = len(job.journal.read())
    for process in spies:
        _finish(process)
    results: list[Result] = [
        {
            "what": f"{name}, all of it",
            "cores": used / seconds,
            "us_per_turn": used * 1e6 / turns,
            "turns_per_second": turns / seconds,
            "load_average": os.getloadavg()[0],
        }
        for name, used in spent.items()
    ]
    for name in targets:
        results += _threads(name, before[name], after[name], seconds, turns)
    for name in targets:
        stacks = _read(folder / f"{name}.txt")
        results += _lines(name, stacks, turns)
    return results


def _threads(
    target: str,
    before: Mapping[int, tuple[str, float]],
    after: Mapping[int, tuple[str, float]],
    seconds: float,
    turns: int,
) -> list[Result]:
    used: dict[str, float] = {}
    for thread, (name, total) in after.items():
        used[name] = used.get(name, 0.0) + total - before.get(thread, (name, 0.0))[1]
    return [
        {
            "what": f"{target} thread {name}",
            "cores": spent / seconds,
            "us_per_turn": spent * 1e6 / turns,
        }
        for name, spent in sorted(used.items(), key=lambda it: -it[1])
        if spent / seconds >= LEAST_CORES
    ]


def _lines(target: str, stacks: Mapping[tuple[str, ...], int], turns: int) -> list[Result]:
    """Return the lines where time is spent, and the functions below which it is."""
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for frames, count in stacks.items():
        own[frames[-1]] += count
        for function in {_function(frame) for frame in frames}:
            below[function] += count
    scale = 1e6 / SAMPLES_PER_SECOND / turns

    def rows(kind: str, counter: Counter[str]) -> Iterable[Result]:
        for name, count in counter.most_common(SHOWN):
            yield {
                "what": f"{target} {kind} {name}",
                "samples": count,
                "us_per_turn": count * scale,
            }

    return [*rows("in line", own), *rows("below", below)]


def _function(frame: str) -> str:
    """Cut the line number off: "step (core/machine.py:40)" -> "step (core/machine.py)"."""
    return frame.rpartition(":")[0] + ")" if frame.endswith(")") and ":" in frame else frame


def _read(file: Path) -> dict[tuple[str, ...], int]:
    """Read stacks as py-spy's raw format has them: frames with semicolons, a count."""
    found: dict[tuple[str, ...], int] = {}
    if not file.is_file():  # py-spy could not read the process, or was killed
        return found
    for line in file.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        found[tuple(stack.split(";"))] = int(count)
    return found


def _record(spy: Path, pid: int, file: Path, seconds: float) -> "subprocess.Popen[bytes]":
    file.unlink(missing_ok=True)
    command = [str(spy), "record", "--nonblocking", "--format", "raw", "--output", str(file)]
    command += ["--rate", str(SAMPLES_PER_SECOND), "--duration", str(int(seconds))]
    return subprocess.Popen(
        [*command, "--pid", str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _finish(process: "subprocess.Popen[bytes]") -> None:
    """End a py-spy that fell behind (it counts samples, not seconds): it writes what it has."""
    for name in (signal.SIGINT, signal.SIGKILL):
        try:
            process.wait(FINISH_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(name)
    process.wait()


def _install(options: Options) -> Path:
    folder = options.home / "tools"
    spy = folder / "bin" / "py-spy"
    if not spy.is_file():
        options.say(f"installing {PY_SPY} (once)")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", PY_SPY]
        subprocess.run(pip, check=True)
    return spy
