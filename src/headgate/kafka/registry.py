"""The registry: which agents there are, in a compacted topic with one partition.

publish_agents(config)                              # what headgate.toml says
read_registry(config.kafka.bootstrap, config.topic_names.registry)["order"].endpoints
table = RegistryTable(bootstrap, topic)             # follows it, for the runtime
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.kafka.connect import open_consumer, open_producer
from headgate.kafka.errors import PublishError, UnknownTopicError
from headgate.kafka.journal_clock import newest_ms
from headgate.kafka.money import (
    BUDGET_PREFIX,
    TERMS_KEY,
    changed_budgets,
    read_budget,
    read_terms,
    terms_of,
)
from headgate.kafka.specs import JOB_KEY, OWN, SCHEMA_VERSION, read_job, read_spec, specs_of
from headgate.kafka.table import RegistryTable
from headgate.v1.cost_pb2 import Budget, Terms
from headgate.v1.turn_pb2 import AgentSpec, JobRecord

__all__ = [
    "Contents",
    "RegistryTable",
    "publish_agents",
    "publish_costs",
    "publish_job",
    "read_contents",
    "read_registry",
    "write_specs",
]

log = logging.getLogger(__name__)

# A broker that is restarting is back within seconds; a command should say so rather than hang.
WRITE_SECONDS = 15.0
READ_SECONDS = 15.0
POLL_MS = 200


def publish_agents(config: Config) -> dict[str, bool]:
    """Bring the registry up to the agents of headgate.toml; True for each that was written.

    Agents that headgate.toml does not name stay: they may have been attached while the job ran.
    What people set at run time (`revision`, `paused`, `draining`, `canary`, and what was promoted)
    stays too.
    """
    bootstrap, topic = config.kafka.bootstrap, config.topic_names.registry
    present = read_registry(bootstrap, topic)
    changed: dict[str, AgentSpec] = {}
    for name, spec in specs_of(config).items():
        known = present.get(name)
        if known is not None:
            spec.revision, spec.paused = known.revision, known.paused
            spec.draining, spec.promoted = known.draining, known.promoted
            if known.HasField("canary"):
                spec.canary.CopyFrom(known.canary)
            if known.promoted:
                spec.endpoints[:] = known.endpoints
            spec.updated_ms = known.updated_ms
        if spec != known:
            spec.updated_ms = time.time_ns() // 1_000_000
            changed[name] = spec
    write_specs(bootstrap, topic, changed)
    return {name: name in changed for name in config.agents}


def publish_job(config: Config) -> None:
    """Write down what the job that is about to start reads, for commands that attach agents."""
    record = JobRecord(
        name=config.job.name,
        topics=[topic.name for topic in config.topics],
        started_ms=time.time_ns() // 1_000_000,
        schema_version=SCHEMA_VERSION,
    )
    value = record.SerializeToString(deterministic=True)
    _write(config.kafka.bootstrap, config.topic_names.registry, {JOB_KEY: value})


def publish_costs(config: Config) -> None:
    """Bring prices, shares and budgets up to those of headgate.toml."""
    bootstrap, topic = config.kafka.bootstrap, config.topic_names.registry
    present = read_costs(bootstrap, topic)
    records: dict[bytes, bytes | None] = {}
    terms = terms_of(config)
    terms.updated_ms = present.terms.updated_ms
    if terms != present.terms:
        terms.updated_ms = time.time_ns() // 1_000_000
        records[TERMS_KEY.encode()] = terms.SerializeToString(deterministic=True)
    newest = newest_ms(bootstrap, config.topic_names.journal) if config.budgets else 0
    for name, budget in changed_budgets(config, present.budgets, newest).items():
        value = None if budget is None else budget.SerializeToString()
        records[f"{BUDGET_PREFIX}{name}".encode()] = value
    if records:
        _write(bootstrap, topic, records)


class Costs(NamedTuple):
    """What a registry says of money: prices and shares, and the budgets by name."""

    terms: Terms
    budgets: dict[str, Budget]


def read_costs(bootstrap: Bootstrap, topic: str) -> Costs:
    """Return prices, shares and budgets as they are now; what cannot be read is left out."""
    terms, budgets = Terms(), {}
    for key, value in read_own(bootstrap, topic).items():
        if key == TERMS_KEY and isinstance(read := read_terms(value), Terms):
            terms = read
        elif key.startswith(BUDGET_PREFIX):
            found = read_budget(key.removeprefix(BUDGET_PREFIX), value)
            if isinstance(found, Budget):
                budgets[found.name] = found
    return Costs(terms, budgets)


def write_specs(bootstrap: Bootstrap, topic: str, specs: Mapping[str, AgentSpec | None]) -> None:
    """Write records to the registry; None detaches an agent. Returns once they are durable."""
    raw = {
        name.encode(): None if spec is None else spec.SerializeToString(deterministic=True)
        for name, spec in specs.items()
    }
    if raw:
        _write(bootstrap, topic, raw)


def _write(bootstrap: Bootstrap, topic: str, records: Mapping[bytes, bytes | None]) -> None:
    from kafka.errors import KafkaError

    producer = open_producer(bootstrap, delivery_seconds=WRITE_SECONDS)
    try:
        sent = [
            producer.send(topic, key=key, value=value, partition=0)
            for key, value in records.items()
        ]
        for future in sent:
            future.get(WRITE_SECONDS)
    except KafkaError as error:
        message = f"the registry {topic} at {bootstrap} was not written: {error}"
        raise PublishError(message) from error
    finally:
        producer.close(timeout=WRITE_SECONDS)


class Contents(NamedTuple):
    """What stands in a registry: the agents by type, and what the job was built with."""

    specs: dict[str, AgentSpec]
    job: JobRecord | None = None


def read_registry(bootstrap: Bootstrap, topic: str) -> dict[str, AgentSpec]:
    """Return the agents that are attached now; records that cannot be read are skipped."""
    return read_contents(bootstrap, topic).specs


def read_contents(bootstrap: Bootstrap, topic: str) -> Contents:
    """Return agents and job; records that cannot be read are skipped."""
    specs: dict[str, AgentSpec] = {}
    job: JobRecord | None = None
    for offset, key, value in _records(bootstrap, topic):
        if key == JOB_KEY:
            job = read_job(value)
        elif key.startswith(OWN):
            continue
        elif value is None:
            specs.pop(key.decode(errors="replace"), None)
        else:
            spec = read_spec(key, value)
            if isinstance(spec, str):
                log.warning("%s offset %d is skipped: %s", topic, offset, spec)
            else:
                specs[spec.type] = spec
    return Contents(specs, job)


def read_own(bootstrap: Bootstrap, topic: str) -> dict[str, bytes]:
    """Return the records that are no agents', as they are, by key."""
    found: dict[str, bytes] = {}
    for _, key, value in _records(bootstrap, topic):
        if key.startswith(OWN):
            name = key.decode(errors="replace")
            if value is None:
                found.pop(name, None)
            else:
                found[name] = value
    return found


def write_own(bootstrap: Bootstrap, topic: str, key: str, value: bytes | None) -> None:
    """Write a record that is no agent's; its key begins with @."""
    _write(bootstrap, topic, {key.encode(): value})


def _records(bootstrap: Bootstrap, topic: str) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Yield offset, key and value of all that stands in a registry now."""
    from kafka import TopicPartition

    consumer = open_consumer(bootstrap, auto_offset_reset="earliest")
    try:
        if not consumer.partitions_for_topic(topic):
            message = f"there is no topic {topic} at {bootstrap}; `headgate dev` makes it"
            raise UnknownTopicError(message)
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end = consumer.end_offsets([place])[place]
        deadline = time.monotonic() + READ_SECONDS
        while consumer.position(place) < end:
            if time.monotonic() > deadline:
                message = f"{topic} could not be read within {READ_SECONDS:.0f} s"
                raise UnknownTopicError(message)
            for record in consumer.poll(POLL_MS).get(place, []):
                yield record.offset, record.key or b"", record.value
    finally:
        consumer.close()
