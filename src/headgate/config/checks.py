"""Contradictions between keys of headgate.toml that are each valid alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from headgate.config.agents import stays_on_this_machine
from headgate.config.durations import format_duration, format_size
from headgate.config.kafka import find_gaps
from headgate.config.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from headgate.config.model import Config

KeyPath = tuple[str | int, ...]


class Contradiction(NamedTuple):
    """What is wrong and the key where one would mend it."""

    path: KeyPath
    text: str


def find_contradictions(config: Config) -> list[Contradiction]:
    """Everything in `config` that cannot hold together; empty if all is well."""
    checks = (_kafka, _job, _sizes, _topics, _routes, _agents, _streams, _budgets)
    return [found for check in checks for found in check(config)]


def _kafka(config: Config) -> Iterator[Contradiction]:
    for key, text in find_gaps(config.kafka):
        yield Contradiction(("kafka", key), text)


def _job(config: Config) -> Iterator[Contradiction]:
    job = config.job
    # Instances are spread over as many shards as the journal has partitions: a subtask without one
    # would do nothing.
    if job.parallelism > config.kafka.partitions:
        text = f"{job.parallelism} is more than kafka.partitions ({config.kafka.partitions})"
        yield Contradiction(("job", "parallelism"), text)
    # A transaction is committed at the checkpoint after it began: one that times out sooner is
    # aborted by the broker and its outputs are lost to the outbox.
    if job.transaction_timeout <= job.checkpoint_interval:
        interval = format_duration(job.checkpoint_interval)
        text = f"must be longer than job.checkpoint_interval ({interval})"
        yield Contradiction(("job", "transaction_timeout"), text)


def _sizes(config: Config) -> Iterator[Contradiction]:
    queue, record = config.limits.endpoint_queue, config.limits.max_record
    if queue < record:
        text = f"{format_size(queue)} is less than limits.max_record ({format_size(record)})"
        yield Contradiction(("limits", "endpoint_queue"), text)
        return
    for name, agent in config.agents.items():
        # A request carries the state and at least one event; one that is larger than the whole
        # queue is dropped and re-sent for ever.
        if agent.policy.max_state + record > queue:
            text = (
                f"{format_size(agent.policy.max_state)} and one event of limits.max_record "
                f"({format_size(record)}) do not fit limits.endpoint_queue ({format_size(queue)})"
            )
            yield Contradiction(("agents", name, "policy", "max_state"), text)


def _agents(config: Config) -> Iterator[Contradiction]:
    for name, agent in config.agents.items():
        here: KeyPath = ("agents", name)
        endpoints = (agent.endpoint, *agent.replicas)
        for index, replica in enumerate(agent.replicas):
            if replica in endpoints[: index + 1]:
                yield Contradiction((*here, "replicas"), f"{replica!r} is there twice")
        # gRPC's own rule for credentials: whoever can read the wire could use the token.
        open_ones = [each for each in endpoints if not stays_on_this_machine(each)]
        if agent.token is not None and agent.tls is None and open_ones:
            text = f"would travel readable to {open_ones[0]!r}; add [agents.{name}.tls]"
            yield Contradiction((*here, "token"), text)
        if (
            agent.wire == "a2a"
            and agent.policy.max_batch != 1
            and "max_batch" in (agent.policy.model_fields_set)
        ):
            text = "an A2A agent takes one event at a time; leave it out, or 1"
            yield Contradiction((*here, "policy", "max_batch"), text)


def _topics(config: Config) -> Iterator[Contradiction]:
    seen: set[str] = set()
    for index, topic in enumerate(config.topics):
        here: KeyPath = ("topics", index)
        if topic.name in seen:
            yield Contradiction((*here, "name"), f"topic {topic.name!r} is declared twice")
        seen.add(topic.name)
        if topic.name in config.topic_names:
            text = f"{topic.name!r} is Headgate's own topic; rename it or change kafka.prefix"
            yield Contradiction((*here, "name"), text)
        kind = topic.key_source.kind
        if kind in {"subject", "extension"} and topic.format != "cloudevents":
            text = f"{topic.key!r} needs format 'cloudevents', not {topic.format!r}"
            yield Contradiction((*here, "key"), text)
        if kind == "json" and topic.format == "bytes":
            yield Contradiction((*here, "key"), f"{topic.key!r} cannot be read from format 'bytes'")


def _routes(config: Config) -> Iterator[Contradiction]:
    topics = list(dict.fromkeys(topic.name for topic in config.topics))
    seen: set[tuple[str, str, str | None]] = set()
    for index, route in enumerate(config.routes):
        here: KeyPath = ("routes", index)
        if route.topic not in topics:
            text = f"no topic {route.topic!r}{did_you_mean(route.topic, topics)}; {listed(topics)}"
            yield Contradiction((*here, "topic"), text)
        if route.agent not in config.agents:
            names = list(config.agents)
            text = f"no agent {route.agent!r}{did_you_mean(route.agent, names)}; {listed(names)}"
            yield Contradiction((*here, "agent"), text)
        if (route.topic, route.agent, route.type) in seen:
            text = f"the route from {route.topic!r} to {route.agent!r} is there twice"
            yield Contradiction(here, text)
        seen.add((route.topic, route.agent, route.type))


def _streams(config: Config) -> Iterator[Contradiction]:
    topics = [topic.name for topic in config.topics]
    seen: set[tuple[str, str]] = set()
    for index, stream in enumerate(config.redis.streams):
        here: KeyPath = ("redis", "streams", index)
        if stream.topic not in topics:
            near = did_you_mean(stream.topic, topics)
            yield Contradiction(
                (*here, "topic"), f"no topic {stream.topic!r}{near}; {listed(topics)}"
            )
        if (stream.name, stream.group) in seen:
            text = f"stream {stream.name!r} is declared twice for group {stream.group!r}"
            yield Contradiction((*here, "name"), text)
        seen.add((stream.name, stream.group))
        if stream.key_field == stream.value_field:
            text = f"{stream.key_field!r} cannot be the key and the value"
            yield Contradiction((*here, "value_field"), text)


def _budgets(config: Config) -> Iterator[Contradiction]:
    agents = list(config.agents)
    seen: set[str] = set()
    for index, budget in enumerate(config.budgets):
        here: KeyPath = ("budgets", index)
        if budget.name in seen:
            yield Contradiction((*here, "name"), f"budget {budget.name!r} is declared twice")
        seen.add(budget.name)
        if budget.stand_in is not None and budget.stand_in not in config.agents:
            # Who counts may be attached later; who is to take turns had better be there.
            near = did_you_mean(budget.stand_in, agents)
            text = f"no agent {budget.stand_in!r}{near}; {listed(agents)}"
            yield Contradiction((*here, "stand_in"), text)
