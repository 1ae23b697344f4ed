"""Durable workflows on a running job: started at a rate or all at once, timed by the journal.

A workflow takes from the timestamp of the event that starts it to the log-append time of the turn
that completes it. Each load has ids of its own: a workflow that has ended takes no other start.
"""

import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import cpu
from benchmarks.figures import spread
from benchmarks.journal import Decided
from benchmarks.load import Load, Offer, Sent
from benchmarks.measure import DRAIN_SECONDS, SETTLE_SECONDS, Result
from benchmarks.stand import RunningJob, Stand


@dataclass(frozen=True, slots=True)
class Workflow:
    """One that has ended: when it was started, and when it was completed, epoch milliseconds."""

    started_ms: int
    ended_ms: int


def open_loop(stand: Stand, job: RunningJob, rate: float, seconds: float, steps: int) -> Result:
    """Start workflows at a rate; measure those that end between the settling and the last start."""
    count = int(rate * (seconds + 2 * SETTLE_SECONDS))
    job.journal.mark()
    load = Load(offer(job, count, rate, steps))
    try:
        time.sleep(SETTLE_SECONDS)
        before, begin = cpu.sample(stand.processes), time.time() * 1000
        time.sleep(seconds)
        after, end = cpu.sample(stand.processes), time.time() * 1000
        load_average = os.getloadavg()[0]
        sent = load.result()
    finally:
        load.stop()
    decided = collect(job, count, steps)
    within = [d for d in decided if begin <= d.appended_ms < end]
    timed = [w for w in workflows(decided) if begin <= w.ended_ms < end]
    return {
        "offered_per_second": rate,
        **_rates(len(timed), len(within), (end - begin) / 1000),
        "latency_ms": spread([float(w.ended_ms - w.started_ms) for w in timed]),
        **_rest(before, after, (end - begin) / 1000, len(within), sent),
        "load_average": load_average,
    }


def backlog(stand: Stand, job: RunningJob, count: int, steps: int) -> Result:
    """Start all at once; measure from the first start to the last end."""
    job.journal.mark()
    before, begin = cpu.sample(stand.processes), time.time()
    load = Load(offer(job, count, 0, steps))
    try:
        sent = load.result()
        job.journal.await_quiet(DRAIN_SECONDS + count * steps / 200)
    finally:
        load.stop()
    load_average = os.getloadavg()[0]
    after, quiet = cpu.sample(stand.processes), time.time()
    decided = collect(job, count, steps)
    ended = workflows(decided)
    took = max((max((w.ended_ms for w in ended), default=0) - sent.first_ms) / 1000, 0.001)
    return {
        "offered": count,
        **_rates(len(ended), len(decided), took),
        # CPU from before the load until the journal was quiet; the rest of the machine likewise.
        **_rest(before, after, quiet - begin, len(decided), sent),
        "load_average": load_average,
    }


def collect(job: RunningJob, count: int, steps: int) -> list[Decided]:
    """Wait until so many workflows have ended and return their turns.

    Raises:
        RuntimeError: some have not, or a turn was no step: the figures would be of something else.
    """
    deadline = time.monotonic() + DRAIN_SECONDS
    found = job.journal.read()
    while sum(d.has_ended for d in found) < count and time.monotonic() < deadline:
        job.journal.await_quiet(max(deadline - time.monotonic(), 0.0))
        found += job.journal.read()
    ended = sum(d.has_ended for d in found)
    if ended != count or len(found) != count * steps:
        message = f"{ended} of {count} workflows ended, in {len(found)} turns of {steps} each"
        raise RuntimeError(message)
    return sorted(found, key=lambda d: d.appended_ms)


def workflows(decided: Sequence[Decided]) -> list[Workflow]:
    """Return the workflows among these turns that were started and completed in them."""
    started = {d.address: at for d in decided for at in d.sent_ms if at}
    return [
        Workflow(started[d.address], d.appended_ms)
        for d in decided
        if d.has_ended and d.address in started
    ]


def offer(job: RunningJob, count: int, rate: float, steps: int) -> Offer:
    """Describe a load of new workflows."""
    kafka, body = job.config.kafka, f'{{"n":%d,"steps":{steps}}}'
    prefix = f"{uuid.uuid4().hex}-"
    return Offer(
        kafka.bootstrap, job.plan.topic, kafka.partitions, count, rate, count, prefix, body
    )


def _rates(ended: int, steps: int, seconds: float) -> Result:
    return {
        "seconds": round(seconds, 2),
        "workflows_per_second": ended / seconds,
        "steps_per_second": steps / seconds,
    }


def _rest(
    before: cpu.CpuSample, after: cpu.CpuSample, seconds: float, steps: int, sent: Sent
) -> Result:
    by = {name: used * 1000 / max(steps, 1) for name, used in after.since(before).items()}
    return {
        "cpu_ms_per_step": sum(by.values()),
        "cpu_ms_per_step_by_process": by,
        **after.surroundings(before, seconds),
        "load": {"cpu_seconds": sent.cpu_seconds, "late_ms_p99": sent.late_ms_p99},
    }
