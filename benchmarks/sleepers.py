"""100,000 workflows asleep: memory and CPU while they sleep, and how fast they wake together."""

import math
import os
import time
import uuid

from benchmarks import cpu
from benchmarks.figures import spread
from benchmarks.load import Load, Offer
from benchmarks.measure import DRAIN_SECONDS, Result
from benchmarks.memory import resident_mb
from benchmarks.options import Options
from benchmarks.stand import ROOT, JobPlan, RunningJob, Stand

SCRIPT = ROOT / "benchmarks" / "sleeper.py"
PLAN = JobPlan("sleepers", "sleeper", SCRIPT, 0.0, arguments=())
# They are started at what the job takes at least, on a slow machine; whoever is started before the
# others waits for them, and the measurement is of all asleep.
STARTS_PER_SECOND = 600
# After the last start, before the first figure: garbage of the starts is collected, RocksDB rests.
SETTLE_SECONDS = 15.0
BEFORE_WAKING_SECONDS = 3.0


def run(options: Options) -> list[Result]:
    """Measure with none asleep, with all asleep, and while they wake."""
    window = min(options.seconds, 60.0)
    with Stand(options.home, 1, options.say) as stand, stand.job(PLAN) as job:
        # Some that start and wake at once, so that the JVM has seen it all.
        options.say(f"sleepers: warming up for {options.warm_up_seconds:.0f} s")
        warm = math.ceil(200 * options.warm_up_seconds)
        Load(_offer(job, warm, 200.0, 0.0)).result()
        job.journal.await_quiet(DRAIN_SECONDS)
        options.say("sleepers: none")
        results = [{"what": "none asleep", **_rest(stand, window)}]
        count = options.sleepers
        until = time.time() + count / STARTS_PER_SECOND + SETTLE_SECONDS + window
        until += BEFORE_WAKING_SECONDS + SETTLE_SECONDS
        job.journal.mark()
        options.say(f"sleepers: {count} fall asleep, until {until - time.time():.0f} s from now")
        sent = Load(_offer(job, count, 0.0, until)).result()
        job.journal.await_quiet(until - time.time())
        fell = job.journal.read()
        awake = count - sum(not d.has_ended for d in fell)
        if awake or any(d.has_ended for d in fell):
            message = f"{awake} did not fall asleep in time: the machine is too slow for so many"
            raise RuntimeError(message)
        took = (fell[-1].appended_ms - sent.first_ms) / 1000
        start = {"what": f"{count} fall asleep", "workflows_per_second": count / took}
        results.append({**start, "seconds": round(took, 2), "load_average": os.getloadavg()[0]})
        time.sleep(SETTLE_SECONDS)
        asleep = _rest(stand, window)
        results.append({"what": f"{count} asleep", "asleep": count, **asleep})
        results.append(_wake(stand, job, count, until))
    return results


def _rest(stand: Stand, seconds: float) -> Result:
    """Measure what everything has and uses while nothing happens."""
    before = cpu.sample(stand.processes)
    time.sleep(seconds)
    after = cpu.sample(stand.processes)
    cores = {name: used / seconds for name, used in after.since(before).items()}
    return {
        "seconds": round(seconds, 2),
        "resident_mb": resident_mb(stand.processes),
        "resting_cores": sum(cores.values()),
        "cores_by_process": cores,
        **after.surroundings(before, seconds),
        "load_average": os.getloadavg()[0],
    }


def _wake(stand: Stand, job: RunningJob, count: int, until: float) -> Result:
    time.sleep(max(until - BEFORE_WAKING_SECONDS - time.time(), 0.0))
    before, begin = cpu.sample(stand.processes), time.time()
    time.sleep(max(until - time.time(), 0.0))
    job.journal.await_quiet(DRAIN_SECONDS + count / 200)
    after, quiet = cpu.sample(stand.processes), time.time()
    load_average = os.getloadavg()[0]
    woke = job.journal.read()
    ended = [d for d in woke if d.has_ended]
    if len(ended) != count:
        message = f"{len(ended)} of {count} woke"
        raise RuntimeError(message)
    took = ended[-1].appended_ms / 1000 - until
    by = {name: used * 1000 / count for name, used in after.since(before).items()}
    return {
        "what": f"{count} wake",
        "seconds": round(took, 2),
        "workflows_per_second": count / took,
        # From when it was due: the last of so many waits for all the others.
        "latency_ms": spread([d.appended_ms - until * 1000 for d in ended]),
        "early": sum(d.appended_ms < until * 1000 for d in ended),
        "cpu_ms_per_step": sum(by.values()),
        "cpu_ms_per_step_by_process": by,
        "resident_mb": resident_mb(stand.processes),
        **after.surroundings(before, quiet - begin),
        "load_average": load_average,
    }


def _offer(job: RunningJob, count: int, rate: float, until: float) -> Offer:
    kafka, body = job.config.kafka, f'{{"n":%d,"until":{until:.3f}}}'
    prefix = f"{uuid.uuid4().hex}-"
    return Offer(
        kafka.bootstrap, job.plan.topic, kafka.partitions, count, rate, count, prefix, body
    )
