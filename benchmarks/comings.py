"""A hundred agents attached and detached by the command, while events flow to one that stays."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from benchmarks.ladder import CALL_MS, KEYS, SINGLE
from benchmarks.load import Load, Offer
from benchmarks.measure import Result, warm_up
from benchmarks.options import Options
from benchmarks.stand import ECHO, JobPlan, RunningJob, Stand
from headgate.bootstrap import Bootstrap
from headgate.cli import app
from headgate.config import Config
from headgate.config.model import TopicConfig
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.kafka.publish import Publisher
from headgate.kafka.span import Spans
from headgate.testing.records import Place, Records
from headgate.testing.serving import Serving
from tests.flink.runtime import mirror

AGENTS = 100
RATE = 500.0
GUEST_TOPIC = "guest-events"
# The flow must outlast the commands; it is ended with them.
AT_MOST_SECONDS = 600
# A turn, and the checkpoint that shows it.
GREET_SECONDS = 2.0


@dataclass(frozen=True)
class Plan(JobPlan):
    """A job that reads a topic for the guests too."""

    def config(self, bootstrap: Bootstrap, endpoint: str) -> Config:
        """Return its headgate.toml."""
        made = super().config(bootstrap, endpoint)
        return made.model_copy(update={"topics": (*made.topics, TopicConfig(name=GUEST_TOPIC))})


def run(options: Options) -> list[Result]:
    """Attach all, have each take a turn, detach all; then look for every event of the flow."""
    plan = Plan("comings", "echo", ECHO, CALL_MS, "balanced", 1, SINGLE)
    names = [f"guest-{number}" for number in range(AGENTS)]
    with (
        Stand(options.home, 1, options.say) as stand,
        stand.job(plan) as job,
        Records(job.config) as records,
        Serving(*map(mirror, names)) as served,
    ):
        file = stand.stack.home / f"{plan.label}.toml"
        warm_up(stand, job, RATE, options.warm_up_seconds, KEYS)
        _await_taken(records, job)
        load, took = _flow(job), {}
        try:
            begin, before = time.monotonic(), len(records.taken_by["echo"])
            options.say(f"attaching {AGENTS} agents under {RATE:.0f} events/s")
            for name in names:
                where = ("--endpoint", served.endpoint, "--route", f"{GUEST_TOPIC}:{name}.*")
                _headgate(file, "agents", "attach", name, *where)
            took["attach_seconds"] = time.monotonic() - begin
            _greet(job, records, names)
            options.say("detaching them")
            leaving = time.monotonic()
            for name in names:
                _headgate(file, "agents", "detach", name, "--now")
            took["detach_seconds"] = time.monotonic() - leaving
            seconds = time.monotonic() - begin
            turns = len(records.taken_by["echo"]) - before
        finally:
            load.stop()
        sent = _await_taken(records, job)
        taken = records.taken_by["echo"]
        return [
            {
                "what": f"{AGENTS} agents come and go at {RATE:.0f}/s",
                "turns_per_second": turns / seconds,
                **took,
                "events_sent": len(sent),
                "events_lost": len(sent - set(taken)),
                "events_repeated": len(taken) - len(set(taken)),
                "guests_turns": sum(len(records.taken_by.get(name, ())) for name in names),
                "restarts": len(stand.stack.flink.rest.exceptions(job.job_id)),
                "load_average": os.getloadavg()[0],
            }
        ]


def _flow(job: RunningJob) -> Load:
    kafka, count = job.config.kafka, int(RATE * AT_MOST_SECONDS)
    return Load(Offer(kafka.bootstrap, job.plan.topic, kafka.partitions, count, RATE, KEYS))


def _greet(job: RunningJob, records: Records, names: list[str]) -> None:
    """Have each guest take a turn. Gate knows of one a moment after the command: what it reads
    before is for nobody.
    """
    waiting, headers = set(names), dict([CONTENT_TYPE])
    with Publisher(job.config.kafka.bootstrap) as publisher:
        while waiting:
            for name in sorted(waiting):
                event = structured({}, event_type=f"{name}.first", source="bench", event_id=name)
                publisher.send(GUEST_TOPIC, "guest", event, headers)
            time.sleep(GREET_SECONDS)
            waiting -= records.taken_by.keys()


def _await_taken(records: Records, job: RunningJob) -> set[Place]:
    """Wait until as many events of the flow were taken as there are; return their places."""
    topic, kafka = job.plan.topic, job.config.kafka
    with Spans(kafka.bootstrap, is_read_committed=False) as spans:
        ends = [spans.end(topic, partition) for partition in range(kafka.partitions)]
    sent = {(topic, partition, n) for partition, end in enumerate(ends) for n in range(end)}

    def is_done() -> bool:
        return len(records.taken_by.get("echo", ())) >= len(sent)

    records.await_found(is_done, "the last turns")
    return sent


def _headgate(file: Path, *arguments: str) -> Any:
    ran = CliRunner().invoke(app.app, [*arguments, "--config", str(file), "-o", "json"])
    if ran.exception is not None:
        raise ran.exception
    return json.loads(ran.stdout)
