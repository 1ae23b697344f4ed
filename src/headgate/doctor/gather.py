"""Facts from everywhere; a part that is missing costs its own checks, and is said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headgate.config import Config
from headgate.doctor.beside import look_at_agents, look_at_services
from headgate.doctor.facts import Clock, Facts, Service, Unchecked
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.doctor.facts import Kafka
    from headgate.kafka.registry import Contents
    from headgate.local.rest import FlinkRest


WITHOUT_BROKER = "topics, brokers, retention, transactions"


@dataclass(slots=True)
class _Gathering:
    """What is found, and what is not."""

    facts: Facts
    unchecked: list[Unchecked] = field(default_factory=list)

    def without(self, what: str, why: object) -> None:
        """Note checks that cannot be made."""
        self.unchecked.append(Unchecked(what, str(why)))

    def away(self, name: str, address: str, why: object) -> None:
        """Note a part that was named and does not answer."""
        gone = Service(name, address, str(why))
        self.facts = replace(self.facts, away=(*self.facts.away, gone))


def gather(config: Config, rest: FlinkRest | None) -> Facts:
    """Look at everything that can be reached. rest: None where nobody says where Flink is."""
    found = _Gathering(Facts(config, keys=_keys(config)))
    contents = _registry(found)
    _broker(found, contents)
    _flink(found, rest)
    _clocks(found, rest)
    if contents is not None:
        endpoints = tuple(look_at_agents(contents.specs.values()))
        found.facts = replace(found.facts, endpoints=endpoints)
    services = tuple(look_at_services(config))
    return replace(found.facts, services=services, unchecked=tuple(found.unchecked))


def _keys(config: Config) -> str:
    from headgate.sealing.errors import SealError
    from headgate.sealing.places import check_keys

    try:
        check_keys(config)
    except SealError as error:
        return str(error)
    return ""


def _registry(found: _Gathering) -> Contents | None:
    from headgate.kafka.registry import read_contents

    config = found.facts.config
    try:
        return read_contents(config.kafka.bootstrap, config.topic_names.registry)
    except HeadgateError as error:
        found.without("agents", error)
        return None


def _broker(found: _Gathering, contents: Contents | None) -> None:
    from kafka.errors import KafkaError

    from headgate.doctor.broker import look_at_broker
    from headgate.kafka.errors import BrokerUnreachableError
    from headgate.kafka.topics import plan_topics

    config = found.facts.config
    job = contents.job if contents is not None else None
    try:
        kafka: Kafka = look_at_broker(config, tuple(job.topics) if job is not None else None)
    except BrokerUnreachableError as error:
        found.without(WITHOUT_BROKER, error)
        found.away("kafka", config.kafka.servers, error)
        return
    except (HeadgateError, KafkaError) as error:
        # Whoever may not describe topics is told so by the broker.
        found.without(WITHOUT_BROKER, error)
        return
    found.facts = replace(found.facts, kafka=kafka)
    if not any(plan.name in kafka.topics for plan in plan_topics(config) if plan.is_own):
        found.without(
            "Headgate's own topics",
            f"there is none with the prefix {config.kafka.prefix!r}; they are made when the job "
            "starts",
        )
    if "transaction.max.timeout.ms" not in kafka.settings:
        found.without("the broker's transaction.max.timeout.ms", "it does not tell its settings")


def _flink(found: _Gathering, rest: FlinkRest | None) -> None:
    from headgate.doctor.cluster import look_at_flink, restore_points
    from headgate.local.rest import FlinkUnreachableError
    from headgate.local.saved import folder_here

    what = "slots, checkpoints, restarts, the age of savepoints"
    if rest is None:
        found.without(what, "nobody says where Flink is: give --flink http://HOST:PORT")
        return
    try:
        flink = look_at_flink(rest, found.facts.config)
        points = restore_points(rest, flink, found.facts.config.topic_names.journal)
    except FlinkUnreachableError as error:
        found.without(what, error)
        found.away("flink", "", error)
        return
    found.facts = replace(found.facts, flink=flink, restore_points=points)
    if flink.job is None:
        found.without("the job", f"Flink knows none that is called {found.facts.config.job.name!r}")
    folder = flink.settings.get("execution.checkpointing.savepoint-dir", "")
    # The first savepoint makes the folder: one that is not there is empty, on our own machine.
    is_ours = found.facts.kafka is not None and found.facts.kafka.is_local
    if not (folder.startswith("file:") and is_ours) and folder_here(folder) is None:
        found.without(
            "savepoints other than the job's last",
            f"{folder or 'no folder of savepoints is configured'}: not a folder of this machine",
        )


def _clocks(found: _Gathering, rest: FlinkRest | None) -> None:
    from kafka.errors import KafkaError

    from headgate.doctor.clocks import read_clocks
    from headgate.doctor.cluster import clock_of

    facts = found.facts
    job = facts.flink.job if facts.flink is not None else None
    clocks: list[Clock] = []
    try:
        if rest is not None and job is not None:
            clocks.append(clock_of(rest, job.id))
        names = facts.config.topic_names
        if facts.kafka is not None and names.journal in facts.kafka.topics:
            partitions = facts.kafka.topics[names.journal].partitions
            seen = list(read_clocks(facts.config, partitions))
            clocks += seen
            if not seen:
                found.without(
                    "the clocks of broker and workers",
                    "no tick came for three seconds: no job runs, or it has just started",
                )
        else:
            found.without("the broker's clock", "there is no journal to read it from")
    except (HeadgateError, KafkaError) as error:
        found.without("clocks", error)
    found.facts = replace(facts, clocks=tuple(clocks))
