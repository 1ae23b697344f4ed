"""What the ledger costs: the drain of a backlog with and without budgets, in turn on one job."""

import time
from decimal import Decimal

from benchmarks.ladder import KEYS, plan
from benchmarks.measure import Result, backlog, warm_up
from benchmarks.options import Options
from benchmarks.stand import RunningJob, Stand
from headgate.config.cost import BudgetConfig
from headgate.core.prices import NANOS
from headgate.kafka.money import BUDGET_PREFIX, TERMS_KEY, budget_of, succeed
from headgate.kafka.registry import write_own
from headgate.v1.cost_pb2 import Price, Terms

# Gate and ledger follow the registry with a poll of half a second.
KNOWN_SECONDS = 3.0

RULES = (
    BudgetConfig(name="day", window="day", limit=Decimal(1_000_000)),
    BudgetConfig(name="agent-hour", per="agent", window="hour", limit=Decimal(1_000_000)),
)


def run(options: Options) -> list[Result]:
    """Measure without and with, as often as repeats say."""
    results: list[Result] = []
    with Stand(options.home, 1, options.say) as stand, stand.job(plan("ledger", 0)) as job:
        warm_up(stand, job, 1_000, options.warm_up_seconds, KEYS)
        terms = Terms(currency="USD", prices=[Price(agent="*", call_nanos=NANOS // 1_000)])
        terms.updated_ms = time.time_ns() // 1_000_000
        _write(job, TERMS_KEY, terms.SerializeToString())
        for number in range(2 * options.repeats):
            is_counted = bool(number % 2)
            for rule in RULES:
                value = (
                    succeed(budget_of(rule), None, 0).SerializeToString() if is_counted else None
                )
                _write(job, f"{BUDGET_PREFIX}{rule.name}", value)
            time.sleep(KNOWN_SECONDS)
            what = "two budgets" if is_counted else "no budget"
            options.say(f"ledger: {what}, a backlog of {options.backlog} events")
            results.append({"what": what, **backlog(stand, job, options.backlog, KEYS)})
    return results


def _write(job: RunningJob, key: str, value: bytes | None) -> None:
    kafka = job.config.kafka
    write_own(kafka.bootstrap, job.config.topic_names.registry, key, value)
