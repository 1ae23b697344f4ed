"""Kills under load: the longest gap in which nothing was decided, for each kind of process."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.figures import of_runs
from benchmarks.journal import Decided
from benchmarks.ladder import KEYS, SINGLE
from benchmarks.load import Load, Offer
from benchmarks.measure import DRAIN_SECONDS, Result, warm_up
from benchmarks.options import Options
from benchmarks.stand import ECHO, JobPlan, RunningJob, Stand

RATE = 250.0
CALL_MS = 20.0
# Before the kill, so that a gap has two sides; after it, so that the slowest is over.
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 20.0


@dataclass(frozen=True)
class Kill:
    """A kind of kill: what dies, and on how many TaskManagers."""

    what: str
    task_managers: int
    strike: Callable[[Stand, int], None]


def _kill_worker(stand: Stand, turn: int) -> None:
    pids = stand.stack.python_worker_pids()
    os.kill(pids[turn % len(pids)], signal.SIGKILL)


def _kill_task_manager(stand: Stand, turn: int) -> None:
    # In turn: otherwise the second of two would always be the warm one.
    stand.stack.kill_task_manager(turn % len(stand.stack.task_manager_pids()))


def _kill_agent(stand: Stand, _: int) -> None:
    for name in stand.stack.agents.names():
        stand.stack.agents.kill(name)


KILLS = (
    Kill("worker", 1, _kill_worker),
    Kill("agent", 1, _kill_agent),
    Kill("TaskManager, the only one", 1, _kill_task_manager),
    Kill("TaskManager, one of two", 2, _kill_task_manager),
    Kill("worker, one of two", 2, _kill_worker),
)


def run(options: Options) -> list[Result]:
    """Kill each kind of process a few times, the gentlest first."""
    results: list[Result] = []
    for count in sorted({kill.task_managers for kill in KILLS}):
        with Stand(options.home, count, options.say) as stand:
            kills = [kill for kill in KILLS if kill.task_managers == count]
            results += [_repeat(stand, kill, options) for kill in kills]
    return results


def _repeat(stand: Stand, kill: Kill, options: Options) -> Result:
    gaps: list[float] = []
    delays: list[float] = []
    missing = doubled = 0
    for number in range(options.repeats):
        options.say(f"outage: {kill.what}, {number + 1} of {options.repeats}")
        # A job of its own: where one of two TaskManagers was lost, the other runs all of the job
        # from then on, and its successor nothing. Both are to be in use when one is killed.
        label = f"outages-{kill.what.replace(',', '').replace(' ', '-')}-{number}".lower()
        plan = JobPlan(label, "echo", ECHO, CALL_MS, "balanced", kill.task_managers, SINGLE)
        with stand.job(plan) as job:
            warm_up(stand, job, RATE * 2, options.warm_up_seconds, KEYS)
            decided, sent, struck_ms = strike(stand, job, kill, number)
            load_average = os.getloadavg()[0]
        gaps.append(longest_gap(decided, struck_ms) / 1000)
        options.say(f"nothing was decided for {gaps[-1]:.1f} s")
        events = [at for d in decided for at in d.sent_ms]
        missing += sent - len(events)
        doubled += len(decided) - len({(d.address, d.sent_ms) for d in decided})
        delays.append(max(d.appended_ms - at for d in decided for at in d.sent_ms) / 1000)
    return {
        "what": kill.what,
        "events_per_second": RATE,
        "outage_seconds": of_runs(gaps),
        "slowest_event_seconds": max(delays),
        # Outcomes, not applied turns: more than events where a call was repeated.
        "missing": missing,
        "repeated_outcomes": doubled,
        "load_average": load_average,
    }


def strike(
    stand: Stand, job: RunningJob, kill: Kill, number: int
) -> tuple[list[Decided], int, float]:
    """Kill under load; return what was decided, how many events were sent, and when it struck."""
    kafka = job.config.kafka
    count = int(RATE * (BEFORE_SECONDS + AFTER_SECONDS))
    job.journal.mark()
    load = Load(Offer(kafka.bootstrap, job.plan.topic, kafka.partitions, count, RATE, KEYS))
    try:
        time.sleep(BEFORE_SECONDS)
        struck = time.time() * 1000
        kill.strike(stand, number)
        load.result()
    finally:
        load.stop()
    stand.stack.flink.rest.await_running(job.job_id)
    return job.journal.collect(count, DRAIN_SECONDS), count, struck


def longest_gap(decided: Sequence[Decided], struck_ms: float) -> float:
    """Return the longest time between two outcomes in a row that ends after the kill."""
    times = [d.appended_ms for d in decided]
    gaps = (b - a for a, b in itertools.pairwise(times) if b >= struck_ms)
    return max(gaps, default=float("nan"))
