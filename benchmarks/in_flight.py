"""1,000 calls of 30 s in flight: what waiting costs, and what it does to checkpoints."""

import os
import time
from datetime import timedelta

from benchmarks import cpu
from benchmarks.figures import spread
from benchmarks.load import Load, Offer
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ECHO, JobPlan, RunningJob, Stand
from headgate.config.agents import PolicyConfig

CALLS = 1_000
CALL_SECONDS = 30.0
# Calls that are under way for so long have all been sent, and none is answered yet.
SETTLE_SECONDS = 8.0
END_SECONDS = 4.0
PLAN = JobPlan(
    "in-flight",
    "echo",
    ECHO,
    CALL_SECONDS * 1000,
    policy=PolicyConfig(max_batch=1, deadline=timedelta(seconds=4 * CALL_SECONDS)),
)


def run(options: Options) -> list[Result]:
    """Measure while nothing is in flight, then while 1,000 calls are."""
    with Stand(options.home, 1, options.say) as stand, stand.job(PLAN) as job:
        options.say("in flight: one round unmeasured")
        _send(job)
        job.journal.await_quiet(3 * CALL_SECONDS, CALL_SECONDS + 5)
        window = CALL_SECONDS - SETTLE_SECONDS - END_SECONDS
        options.say("in flight: none")
        results = [_measure(stand, job, window, 0)]
        job.journal.mark()
        _send(job)
        time.sleep(SETTLE_SECONDS)
        options.say(f"in flight: {CALLS} calls of {CALL_SECONDS:.0f} s")
        # What the journal has grown by are ticks while no call has been answered.
        results.append(_measure(stand, job, window, CALLS))
        job.journal.await_quiet(2 * CALL_SECONDS, END_SECONDS + 2)
        decided = job.journal.read()
        took = [d.answered_ms - d.called_ms for d in decided]
        results[-1] |= {"outcomes": len(decided), "call_ms": spread(took)}
    return results


def _send(job: RunningJob) -> None:
    kafka = job.config.kafka
    offer = Offer(kafka.bootstrap, job.plan.topic, kafka.partitions, CALLS, 0, CALLS)
    Load(offer).result()


def _measure(stand: Stand, job: RunningJob, seconds: float, in_flight: int) -> Result:
    begin, before = time.time() * 1000, cpu.sample(stand.processes)
    time.sleep(seconds)
    after = cpu.sample(stand.processes)
    spent = after.since(before)
    durations = checkpoints(stand, job, begin)
    found = spread(durations)
    return {
        "what": f"{in_flight} calls",
        "in_flight": in_flight,
        "worker_cores": spent["worker"] / seconds,
        "cores_by_process": {name: used / seconds for name, used in spent.items()},
        "checkpoints": {
            "count": len(durations),
            **found,
            "text": " / ".join(f"{found[name]:.0f}" for name in ("p50", "p90", "max")),
        },
        **after.surroundings(before, seconds),
        "load_average": os.getloadavg()[0],
    }


def checkpoints(stand: Stand, job: RunningJob, since_ms: float) -> list[float]:
    """Return how long the completed checkpoints since then took, in milliseconds, from Flink.

    Flink remembers the newest ten: more than enough for a median, not for a p99.
    """
    history = stand.stack.flink.rest.checkpoints(job.job_id)["history"]
    return [
        float(entry["end_to_end_duration"])
        for entry in history
        if entry["status"] == "COMPLETED" and entry["trigger_timestamp"] >= since_ms
    ]
