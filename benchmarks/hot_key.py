"""One hot instance: all events go to one key, and its mailbox must not make it slower."""

from benchmarks.measure import Result, backlog, open_loop, warm_up
from benchmarks.options import Options
from benchmarks.stand import ONCE_A_TURN, JobPlan, Stand
from headgate.config.agents import PolicyConfig

CALL_MS = 20.0
RATES = (1_000.0, 2_000.0, 4_000.0)
WARM_UP_RATE = 500.0
# A hot key is what long batches are for: with the default of 64, turns of 45 ms end at 1,400/s.
PLAN = JobPlan("hot", "once-a-turn", ONCE_A_TURN, CALL_MS, policy=PolicyConfig(max_batch=256))


def run(options: Options) -> list[Result]:
    """Measure rates up to saturation, then how evenly a backlog drains."""
    results: list[Result] = []
    with Stand(options.home, 1, options.say) as stand, stand.job(PLAN) as job:
        warm_up(stand, job, WARM_UP_RATE, options.warm_up_seconds, 1)
        for rate in RATES:
            options.say(f"hot key: {rate:.0f} events/s for {options.seconds:.0f} s")
            result = open_loop(stand, job, rate, options.seconds, 1)
            results.append({"what": f"{rate:.0f}/s", **result})
            if result["is_saturated"]:
                break
        count = options.backlog // 2
        options.say(f"hot key: a backlog of {count} events")
        result = backlog(stand, job, count, 1)
        first, *_, last = result["quarters_events_per_second"] or [float("nan")] * 2
        results.append({"what": "backlog", **result, "last_to_first_quarter": last / first})
    return results
