"""Rates up to saturation: 20 ms calls, 5,000 instances, one event a turn."""

from benchmarks.measure import Result, backlog, open_loop, warm_up
from benchmarks.options import Options
from benchmarks.stand import ECHO, JobPlan, Profile, Stand
from headgate.config.agents import PolicyConfig

CALL_MS = 20.0
KEYS = 5_000
# Up to here the low-latency profile is what one would choose.
LOW_LATENCY_RATE = 500
# One event a turn: batches would flatter turns that wait behind each other.
SINGLE = PolicyConfig(max_batch=1)


def plan(label: str, rate: float, parallelism: int = 1) -> JobPlan:
    """Return the job for a rate; 0 is saturation."""
    is_low = 0 < rate <= LOW_LATENCY_RATE
    profile: Profile = "low-latency" if is_low else "balanced"
    return JobPlan(label, "echo", ECHO, CALL_MS, profile, parallelism, SINGLE)


def run(options: Options) -> list[Result]:
    """Measure every rate, then the drain of a backlog."""
    low = [rate for rate in options.rates if rate <= LOW_LATENCY_RATE]
    high = [rate for rate in options.rates if rate > LOW_LATENCY_RATE]
    results: list[Result] = []
    with Stand(options.home, 1, options.say) as stand:
        warm = options.warm_up_seconds
        # The higher rates first: after them the JVM is as warm as it gets.
        with stand.job(plan("ladder", 0)) as job:
            warm_up(stand, job, 1_000, warm, KEYS)
            for rate in high:
                options.say(f"ladder: {rate:.0f} events/s for {options.seconds:.0f} s")
                result = open_loop(stand, job, rate, options.seconds, KEYS)
                results.append({"what": f"{rate:.0f}/s", "profile": "balanced", **result})
                if result["is_saturated"]:
                    break
            options.say(f"ladder: a backlog of {options.backlog} events")
            result = backlog(stand, job, options.backlog, KEYS)
            results.append({"what": "backlog", "profile": "balanced", **result})
        if low:
            with stand.job(plan("ladder-low", low[0])) as job:
                warm_up(stand, job, low[-1], warm / 3, KEYS)
                for rate in low:
                    options.say(f"ladder: {rate:.0f} events/s for {options.seconds:.0f} s")
                    result = open_loop(stand, job, rate, options.seconds, KEYS)
                    results.append({"what": f"{rate:.0f}/s", "profile": "low-latency", **result})
    return sorted(results, key=lambda r: r.get("offered_per_second", float("inf")))
