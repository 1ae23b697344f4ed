"""One measurement: a load on a running job, and what the journal and /proc say about it."""

import itertools
import os
import time
from collections.abc import Sequence
from typing import Any

from benchmarks import cpu
from benchmarks.figures import spread
from benchmarks.journal import Decided
from benchmarks.load import Load, Offer, Sent
from benchmarks.stand import RunningJob, Stand

SETTLE_SECONDS = 2.0
# A system that is this far behind an open loop will not come back within it.
DRAIN_SECONDS = 120.0
SATURATED_BELOW = 0.95

Result = dict[str, Any]


def open_loop(stand: Stand, job: RunningJob, rate: float, seconds: float, keys: int) -> Result:
    """Offer events at a rate; measure between the first settling and the last event."""
    count = int(rate * (seconds + SETTLE_SECONDS))
    job.journal.mark()
    load = Load(_offer(job, count, rate, keys))
    try:
        time.sleep(SETTLE_SECONDS)
        before, begin = cpu.sample(stand.processes), time.time() * 1000
        time.sleep(seconds)
        after, end = cpu.sample(stand.processes), time.time() * 1000
        load_average = os.getloadavg()[0]
        sent = load.result()
    finally:
        load.stop()
    decided = job.journal.collect(count, DRAIN_SECONDS)
    within = [d for d in decided if begin <= d.appended_ms < end]
    turns = len(within) / (end - begin) * 1000
    events = sum(len(d.sent_ms) for d in within) / (end - begin) * 1000
    timed = [d for d in decided if all(begin <= at < end for at in d.sent_ms)]
    return {
        "offered_per_second": rate,
        "seconds": round((end - begin) / 1000, 2),
        "turns_per_second": turns,
        "events_per_second": events,
        "is_saturated": events < rate * SATURATED_BELOW,
        **_complete(decided, sent),
        "latency_ms": latencies(timed),
        "parts_ms": parts(timed),
        **_cpu(before, after, (end - begin) / 1000, len(within)),
        "load": _of_load(sent),
        "load_average": load_average,
    }


def backlog(stand: Stand, job: RunningJob, count: int, keys: int) -> Result:
    """Send all events at once and measure how they drain, from the first to the last outcome."""
    job.journal.mark()
    before, begin = cpu.sample(stand.processes), time.time() * 1000
    load = Load(_offer(job, count, 0, keys))
    ends: list[tuple[cpu.CpuSample, float]] = []

    def look() -> None:
        ends.append((cpu.sample(stand.processes), time.time() * 1000))

    try:
        sent = load.result()
        decided = job.journal.collect(count, DRAIN_SECONDS + count / 200, look)
    finally:
        load.stop()
    load_average = os.getloadavg()[0]
    # The last: what was quiet before was not done.
    after, end = ends[-1]
    last = decided[-1].appended_ms if decided else begin
    took = max((last - sent.first_ms) / 1000, 0.001)
    middle = decided[len(decided) // 10 : max(len(decided) * 9 // 10, 1)]
    steady = (
        len(middle) / max(middle[-1].appended_ms - middle[0].appended_ms, 1) * 1000
        if middle
        else 0.0
    )
    return {
        "offered": count,
        "seconds": round(took, 2),
        "turns_per_second": len(decided) / took,
        "turns_per_second_middle": steady,
        "events_per_second": sum(len(d.sent_ms) for d in decided) / took,
        **_complete(decided, sent),
        "quarters_events_per_second": quarters(decided, sent.first_ms),
        "outcomes_per_record": len(decided) / max(job.journal.batches, 1),
        # CPU from before the load until the journal was quiet; the rest of the machine likewise.
        **_cpu(before, after, (end - begin) / 1000, len(decided)),
        "load": _of_load(sent),
        "load_average": load_average,
    }


def quarters(decided: Sequence[Decided], begin_ms: float) -> list[float]:
    """Return events per second in each quarter of the events."""
    events = [d.appended_ms for d in decided for _ in d.sent_ms]
    if len(events) < 4:
        return []
    edges = [begin_ms, *(events[len(events) * n // 4 - 1] for n in (1, 2, 3, 4))]
    spans = itertools.pairwise(edges)
    return [len(events) / 4 / max(b - a, 1) * 1000 for a, b in spans]


def latencies(decided: Sequence[Decided]) -> dict[str, float]:
    """Return event -> journal, from the record's timestamp to the outcome's log-append time."""
    return spread([float(d.appended_ms - at) for d in decided for at in d.sent_ms])


def parts(decided: Sequence[Decided]) -> dict[str, dict[str, float]]:
    """Return the latency's parts: until the call, the call, from the answer to the journal."""
    called = [d for d in decided if d.called_ms]
    return {
        "to_call": spread([d.called_ms - at for d in called for at in d.sent_ms]),
        "call": spread([d.answered_ms - d.called_ms for d in called]),
        "to_journal": spread([d.appended_ms - d.answered_ms for d in called]),
    }


def warm_up(stand: Stand, job: RunningJob, rate: float, seconds: float, keys: int) -> None:
    """Run a load that nobody measures: a cold JVM needs about a minute of it."""
    if seconds <= 0:
        return
    stand.say(f"warming up: {seconds:.0f} s at {rate:.0f} events/s")
    Load(_offer(job, int(rate * seconds), rate, keys)).result()
    job.journal.await_quiet(DRAIN_SECONDS)


def _offer(job: RunningJob, count: int, rate: float, keys: int) -> Offer:
    kafka = job.config.kafka
    return Offer(kafka.bootstrap, job.plan.topic, kafka.partitions, count, rate, keys)


def _complete(decided: Sequence[Decided], sent: Sent) -> Result:
    return {
        "events_sent": sent.count,
        "events_decided": sum(len(d.sent_ms) for d in decided if d.completed),
        "outcomes": len(decided),
        "failed": sum(not d.completed for d in decided),
        "is_drained": sum(len(d.sent_ms) for d in decided) >= sent.count,
    }


def _cpu(before: cpu.CpuSample, after: cpu.CpuSample, seconds: float, turns: int) -> Result:
    spent = after.since(before)
    total = sum(spent.values())
    compiled = after.compiled_since(before)
    share = {name: round(used / seconds, 3) for name, used in spent.items()}
    return {
        "cpu_ms_per_turn": total * 1000 / turns if turns else float("nan"),
        "compilers_ms_per_turn": compiled * 1000 / turns if turns else float("nan"),
        "cpu_ms_per_turn_by_process": {
            name: used * 1000 / turns if turns else float("nan") for name, used in spent.items()
        },
        "cpu_ms_per_turn_by_task": {
            name: used * 1000 / turns if turns else float("nan")
            for name, used in after.tasks_since(before).items()
        },
        "cores_by_process": share,
        **after.surroundings(before, seconds),
    }


def _of_load(sent: Sent) -> Result:
    return {
        "cpu_seconds": sent.cpu_seconds,
        "cpu_ms_per_event": sent.cpu_seconds * 1000 / sent.count,
        "late_ms_p99": sent.late_ms_p99,
        "late_ms_max": sent.late_ms_max,
    }
