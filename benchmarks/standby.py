"""A TaskManager that is lost while another stands by: cold, or warm by an idle job of its own."""

import os
from collections.abc import Callable

import psutil

from benchmarks.figures import of_runs
from benchmarks.ladder import KEYS, SINGLE
from benchmarks.measure import Result, warm_up
from benchmarks.options import Options
from benchmarks.outages import CALL_MS, RATE, Kill, longest_gap, strike
from benchmarks.stand import ECHO, JobPlan, RunningJob, Stand

# The job under load runs on the one, and the idle job, if any, on the other: slots are spread.
TASK_MANAGERS = 2


def run(options: Options) -> list[Result]:
    """Kill the TaskManager that runs the job a few times; first beside a warm one, then a cold."""
    with Stand(options.home, TASK_MANAGERS, options.say) as stand:
        return [_warm(stand, options), _cold(stand, options)]


class _Losses:
    """What came of several losses of a TaskManager."""

    def __init__(self, what: str, say: Callable[[str], None]) -> None:
        self._what, self._say = what, say
        self._gaps: list[float] = []
        self._delays: list[float] = []
        self._missing = 0

    def strike(self, stand: Stand, job: RunningJob, number: int, index: int) -> None:
        """Lose one of them, by its index, under load."""
        kill = Kill("", TASK_MANAGERS, lambda stand, _: _kill(stand, index))
        decided, sent, struck_ms = strike(stand, job, kill, number)
        self._gaps.append(longest_gap(decided, struck_ms) / 1000)
        self._say(f"{self._what}: nothing was decided for {self._gaps[-1]:.1f} s")
        self._delays.append(max(d.appended_ms - at for d in decided for at in d.sent_ms) / 1000)
        self._missing += sent - sum(len(d.sent_ms) for d in decided)

    def result(self) -> Result:
        """Return all of it."""
        return {
            "what": self._what,
            "events_per_second": RATE,
            "outage_seconds": of_runs(self._gaps),
            "slowest_event_seconds": max(self._delays),
            "missing": self._missing,
            "load_average": os.getloadavg()[0],
        }


def _warm(stand: Stand, options: Options) -> Result:
    losses = _Losses("TaskManager, beside a warm one", options.say)
    # The idle job stays where it is, on the one that is not killed.
    with stand.job(_plan("standby-idle")):
        spare = _index_of_workers(stand)
        for number in range(options.repeats):
            with stand.job(_plan(f"standby-warm-{number}")) as job:
                warm_up(stand, job, RATE, options.warm_up_seconds, KEYS)
                losses.strike(stand, job, number, 1 - spare)
    return losses.result()


def _cold(stand: Stand, options: Options) -> Result:
    losses = _Losses("TaskManager, beside a cold one", options.say)
    for number in range(options.repeats):
        with stand.job(_plan(f"standby-cold-{number}")) as job:
            running = _index_of_workers(stand)
            # Whatever the other one ran before is forgotten.
            _kill(stand, 1 - running)
            stand.stack.flink.await_serving()
            warm_up(stand, job, RATE, options.warm_up_seconds, KEYS)
            losses.strike(stand, job, number, running)
    return losses.result()


def _plan(label: str) -> JobPlan:
    return JobPlan(label, "echo", ECHO, CALL_MS, "balanced", 1, SINGLE)


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
