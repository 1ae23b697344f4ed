"""A misbehaving agent beside one that does well: what of its throughput is left, on the real stack.

For each kind and wire, in turn in one run: a load on the good agent alone, then the same with
events for the bad one too. The rate leaves both cores room: a bad service that burns CPU on the
same machine takes it from everybody, and says nothing about the job.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckResponse

from benchmarks.figures import median
from benchmarks.ladder import CALL_MS, KEYS, SINGLE
from benchmarks.load import Load, Offer
from benchmarks.measure import DRAIN_SECONDS, Result, warm_up
from benchmarks.options import Options
from benchmarks.stand import ECHO, JobPlan, RunningJob, Stand
from headgate.bootstrap import Bootstrap
from headgate.config import Config, PolicyConfig
from headgate.config.agents import BackoffConfig
from headgate.config.model import TopicConfig
from headgate.kafka.publish import Publisher
from headgate.kafka.registry import write_specs
from headgate.kafka.specs import policy_of
from headgate.testing import background
from headgate.v1.turn_pb2 import AgentSpec, Route
from tests.integration import misbehaving as bad

RATE = 500.0
BAD_RATE = 20.0
BAD_KEYS = 10
BAD_TOPIC = "bad-events"
HOGGED_BYTES = 300_000_000


async def _hog(request: bad.Request) -> bytes:
    """Take 300 MB for as long as it thinks."""
    taken = bytearray(HOGGED_BYTES)
    await asyncio.sleep(0.3)
    del taken
    return request.answer()


def _scripted(answer: bad.Answer) -> Callable[[str], Any]:
    return lambda wire: bad.Misbehaving(wire, answer)


KINDS: dict[str, Callable[[str], Any]] = {
    "slow": _scripted(bad.slow),
    "hanging": _scripted(bad.hanging),
    "crashing": _scripted(bad.crashing),
    "flapping": bad.Flapping,
    "garbage": _scripted(bad.garbage),
    "wrong base": _scripted(bad.wrong_base),
    "wrong request": _scripted(bad.wrong_request),
    "50 MB": _scripted(bad.large),
    "half-open": lambda _: bad.HalfOpen(),
    "refuses health": lambda wire: bad.Misbehaving(
        wire, bad.well, health=HealthCheckResponse.NOT_SERVING
    ),
    "memory hog": _scripted(_hog),
}


@dataclass(frozen=True)
class Plan(JobPlan):
    """A job that reads the topic of bad events too."""

    def config(self, bootstrap: Bootstrap, endpoint: str) -> Config:
        """Return its headgate.toml."""
        made = super().config(bootstrap, endpoint)
        topics = (*made.topics, TopicConfig(name=BAD_TOPIC, format="json"))
        return made.model_copy(update={"topics": topics})


def run(options: Options) -> list[Result]:
    """Measure every kind on every wire."""
    results: list[Result] = []
    plan = Plan("neighbours", "echo", ECHO, CALL_MS, "balanced", 1, SINGLE)
    with Stand(options.home, 1, options.say) as stand, stand.job(plan) as job:
        warm_up(stand, job, RATE, options.warm_up_seconds, KEYS)
        for kind, make in KINDS.items():
            for wire in bad.WIRES:
                name = f"bad-{kind}-{wire}".replace(" ", "-").lower()
                alone = _rate_of_good(job, options.seconds)
                with _beside(job, name, make(wire), wire):
                    beside = _rate_of_good(job, options.seconds)
                ratio = beside / alone
                options.say(f"{kind}, {wire}: {ratio:.3f} of the turns per second without it")
                results.append(
                    {
                        "what": f"{kind}, {wire}",
                        "turns_per_second": beside,
                        "alone_turns_per_second": alone,
                        "ratio": ratio,
                        "restarts": len(stand.stack.flink.rest.exceptions(job.job_id)),
                        "load_average": os.getloadavg()[0],
                    }
                )
    ratios = [result["ratio"] for result in results]
    results.append({"what": "median", "ratio": median(ratios)})
    results.append({"what": "least", "ratio": min(ratios)})
    return results


def _rate_of_good(job: RunningJob, seconds: float) -> float:
    """Return the good agent's turns per second, from the first event to the last outcome."""
    kafka = job.config.kafka
    count = int(RATE * seconds)
    job.journal.mark()
    load = Load(Offer(kafka.bootstrap, job.plan.topic, kafka.partitions, count, RATE, KEYS))
    decided: list[Any] = []
    deadline = time.monotonic() + seconds + DRAIN_SECONDS
    try:
        sent = load.result()
        # The bad one's outcomes go on: there is no quiet to wait for.
        while len(decided) < count and time.monotonic() < deadline:
            time.sleep(0.2)
            decided += [each for each in job.journal.read() if each.address.startswith("echo/")]
    finally:
        load.stop()
    if len(decided) < count or not all(each.completed for each in decided):
        message = f"{len(decided)} of {count} events of the good agent were decided"
        raise AssertionError(message)
    last_ms: float = max(each.appended_ms for each in decided)
    return len(decided) / (last_ms - sent.first_ms) * 1000


@contextlib.contextmanager
def _beside(job: RunningJob, name: str, service: Any, wire: str) -> Iterator[None]:
    """Have a bad agent attached, with events of its own."""
    kafka, registry = job.config.kafka, job.config.topic_names.registry
    background.run(service.__aenter__())
    policy = PolicyConfig(
        deadline=timedelta(seconds=2),
        max_attempts=2,
        max_batch=1,
        backoff=BackoffConfig(initial=timedelta(milliseconds=100)),
    )
    spec = AgentSpec(
        type=name,
        endpoints=[f"127.0.0.1:{service.port}"],
        policy=policy_of(policy, job.config.limits),
        schema_version=1,
        routes=[Route(topic=BAD_TOPIC)],
        connection=bad.connection_by(wire),
    )
    write_specs(kafka.bootstrap, registry, {name: spec})
    stopping = threading.Event()
    sender = threading.Thread(target=_send, args=(kafka.bootstrap, stopping), daemon=True)
    sender.start()
    try:
        yield
    finally:
        stopping.set()
        sender.join()
        write_specs(kafka.bootstrap, registry, {name: None})
        background.run(service.__aexit__(None, None, None))


def _send(bootstrap: Bootstrap, stopping: threading.Event) -> None:
    with Publisher(bootstrap) as publisher:
        number = 0
        while not stopping.wait(1 / BAD_RATE):
            publisher.send(BAD_TOPIC, f"key-{number % BAD_KEYS}", b"{}")
            number += 1
