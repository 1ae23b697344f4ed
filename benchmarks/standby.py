"""A TaskManager that is lost while another stands by: cold, or warm by an idle job of its own."""

import os
from collections.abc import Callable

import psutil

from benchmarks.figures import median
from benchmarks.ladder import KEYS, SINGLE
from benchmarks.measure import Result, warm_up
from benchmarks.options import Options
from benchmarks.outages import CALL_MS, RATE, Kill, longest_gap, strike
from benchmarks.stand import ECHO, JobPlan, Stand

# The job under load runs on the one, and the idle job, if any, on the other: slots are spread.
TASK_MANAGERS = 2


def run(options: Options) -> list[Result]:
    """Kill the TaskManager that runs the job a few times; first beside a warm one, then a cold."""
    with Stand(options.home, TASK_MANAGERS, options.say) as stand:
        return [_warm(stand, options), _cold(stand, options)]


def _warm(stand: Stand, options: Options) -> Result:
    gaps, delays = [], []
    missing = 0
    # The idle job stays where it is, on the one that is not killed.
    with stand.job(_plan("standby-idle")):
        spare = _index_of_workers(stand)
        for number in range(options.repeats):
            with stand.job(_plan(f"standby-warm-{number}")) as job:
                warm_up(stand, job, RATE, options.warm_up_seconds, KEYS)
                kill = Kill("", TASK_MANAGERS, _striking(1 - spare))
                decided, sent, struck = strike(stand, job, kill, number)
            gaps.append(longest_gap(decided, struck) / 1000)
            options.say(f"warm: nothing was decided for {gaps[-1]:.1f} s")
            delays.append(max(d.appended_ms - at for d in decided for at in d.sent_ms) / 1000)
            missing += sent - sum(len(d.sent_ms) for d in decided)
    return _result("TaskManager, beside a warm one", gaps, delays, missing)


def _cold(stand: Stand, options: Options) -> Result:
    gaps, delays = [], []
    missing = 0
    for number in range(options.repeats):
        with stand.job(_plan(f"standby-cold-{number}")) as job:
            running = _index_of_workers(stand)
            # Whatever the other one ran before is forgotten.
            _kill(stand, 1 - running)
            stand.stack.flink.await_serving()
            warm_up(stand, job, RATE, options.warm_up_seconds, KEYS)
            kill = Kill("", TASK_MANAGERS, _striking(running))
            decided, sent, struck = strike(stand, job, kill, number)
        gaps.append(longest_gap(decided, struck) / 1000)
        options.say(f"cold: nothing was decided for {gaps[-1]:.1f} s")
        delays.append(max(d.appended_ms - at for d in decided for at in d.sent_ms) / 1000)
        missing += sent - sum(len(d.sent_ms) for d in decided)
    return _result("TaskManager, beside a cold one", gaps, delays, missing)


def _plan(label: str) -> JobPlan:
    return JobPlan(label, "echo", ECHO, CALL_MS, "balanced", 1, SINGLE)


def _striking(index: int) -> Callable[[Stand, int], None]:
    return lambda stand, _: _kill(stand, index)


def _kill(stand: Stand, index: int) -> None:
    stand.stack.kill_task_manager(index)


def _index_of_workers(stand: Stand) -> int:
    """Return the TaskManager that has Python workers: there is one job, with one part."""
    workers = set(stand.stack.python_worker_pids())
    for index, pid in enumerate(stand.stack.task_manager_pids()):
        if workers & {child.pid for child in psutil.Process(pid).children(recursive=True)}:
            return index
    message = "no TaskManager has a Python worker"
    raise RuntimeError(message)


def _result(what: str, gaps: list[float], delays: list[float], missing: int) -> Result:
    return {
        "what": what,
        "events_per_second": RATE,
        "outage_seconds": {
            "min": min(gaps),
            "median": median(gaps),
            "max": max(gaps),
            "runs": len(gaps),
            "all": gaps,
        },
        "slowest_event_seconds": max(delays),
        "missing": missing,
        "load_average": os.getloadavg()[0],
    }
