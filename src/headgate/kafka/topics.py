"""The topics that Headgate needs: made as the protocol asks, checked where they are there already.

The rules (journal and inbox):
- The partition of an address is computed from the partition count, which is thus fixed for life.
- `at` of a turn is the log-append time of its outcome, so the broker stamps the records.
- The journal is the commit log of turns: never compacted, no unclean election, retained longer
  than the oldest savepoint that anyone may want to restore.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headgate.config import Config
from headgate.errors import HeadgateError
from headgate.kafka.connect import admin_client
from headgate.kafka.errors import TopicMismatchError

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

DAY_MS = 24 * 60 * 60 * 1_000
# Whoever asked has gone on by then, and a mailbox's fullness is believed for half a minute.
NOTES_MS = 10 * 60 * 1_000
# A door that starts anew still has the replies to what was asked within the default dedup window,
# ten minutes, and a reader that fell behind has time to catch up.
REPLIES_MS = 60 * 60 * 1_000
# Key, headers and the batch around a record of limits.max_record.
ROOM_BYTES = 64 * 1024
# Kafka's default. Clients gather batches of up to 1 MB: a topic with less refuses them even where
# every single record is small.
LEAST_MESSAGE_BYTES = 1_048_588


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it should be.

    needed: settings that an existing topic must have too. initial: settings of a new topic.
    """

    name: str
    partitions: int
    is_own: bool
    needed: Mapping[str, str]
    initial: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is."""

    name: str
    partitions: int
    is_own: bool
    is_created: bool


def plan_topics(config: Config) -> list[TopicPlan]:
    """Return the topics that `config` needs, Headgate's own first."""
    names, partitions = config.topic_names, config.kafka.partitions
    size = {"max.message.bytes": str(message_bytes(config))}
    log = {"cleanup.policy": "delete"}
    clean = {"unclean.leader.election.enable": "false"}
    stamped = {**log, **clean, "message.timestamp.type": "LogAppendTime"}
    # One replica less than all: writing goes on while one broker is away.
    durable = {**clean, "min.insync.replicas": str(max(1, config.kafka.replication - 1))}
    week = {**size, **durable, "retention.ms": str(7 * DAY_MS), "retention.bytes": "-1"}
    month = {**week, "retention.ms": str(30 * DAY_MS)}
    # A reader that was away for a week still sees what was detached.
    table = {**size, **durable, "delete.retention.ms": str(7 * DAY_MS)}
    compacted = {"cleanup.policy": "compact"}
    own = [
        TopicPlan(names.journal, partitions, True, stamped, week),
        TopicPlan(names.inbox, partitions, True, stamped, week),
        TopicPlan(names.registry, 1, True, compacted, table),
        TopicPlan(names.outbox, partitions, True, log, week),
        TopicPlan(names.history, partitions, True, log, month),
        TopicPlan(names.dead_letters, partitions, True, log, month),
        TopicPlan(names.settled, 1, True, compacted, table),
        TopicPlan(names.parked, partitions, True, compacted, table),
        TopicPlan(names.spending, 1, True, compacted, table),
        TopicPlan(names.answers, 1, True, log, {**size, "retention.ms": str(NOTES_MS)}),
        TopicPlan(names.pressure, 1, True, log, {**size, "retention.ms": str(NOTES_MS)}),
        TopicPlan(names.replies, 1, True, log, {**size, "retention.ms": str(REPLIES_MS)}),
    ]
    users = [TopicPlan(topic.name, partitions, False, {}, size) for topic in config.topics]
    return own + users


def message_bytes(config: Config) -> int:
    """Return what `max.message.bytes` must be for records of `limits.max_record`."""
    return max(LEAST_MESSAGE_BYTES, config.limits.max_record + ROOM_BYTES)


def ensure_topics(config: Config) -> list[TopicState]:
    """Make the topics that are missing and check those that are there.

    Raises TopicMismatchError, which lists every difference, and BrokerUnreachableError.
    """
    plans = plan_topics(config)
    own = [plan for plan in plans if plan.is_own]
    with admin_client(config.kafka.bootstrap) as admin:
        created = _create(admin, plans, config.kafka.replication)
        counts = partition_counts(admin, [plan.name for plan in plans])
        settings = _settings(admin, [plan.name for plan in own])
        wrong: dict[str, list[str]] = {}
        for plan in own:
            found = settings.get(plan.name, {})
            for text in differences(plan, counts.get(plan.name, 0), found):
                wrong.setdefault(text, []).append(plan.name)
        if wrong:
            lines = [f"{', '.join(topics)}: {text}" for text, topics in wrong.items()]
            raise TopicMismatchError("\n".join(lines))
        _widen(admin, settings, message_bytes(config))
    return [
        TopicState(plan.name, counts.get(plan.name, 0), plan.is_own, plan.name in created)
        for plan in plans
    ]


def differences(plan: TopicPlan, partitions: int, settings: Mapping[str, str]) -> Iterator[str]:
    """Say what an existing topic is not, and what to do about each."""
    if partitions != plan.partitions and plan.partitions == 1:
        yield f"has {partitions} partitions, but must have 1; choose another kafka.prefix"
    elif partitions != plan.partitions:
        yield (
            f"has {partitions} partitions, but kafka.partitions is {plan.partitions}. The count is "
            "fixed for life, since it decides where the records of an address are: set "
            f"kafka.partitions = {partitions}, or choose another kafka.prefix"
        )
    for name, value in plan.needed.items():
        found = settings.get(name)
        if found != value:
            yield (
                f"has {name}={found}, but the protocol needs {value}; change it with "
                f"`kafka-configs.sh --alter --add-config {name}={value}`, or choose another "
                "kafka.prefix"
            )


def partition_counts(admin: KafkaAdminClient, names: list[str] | None = None) -> dict[str, int]:
    """Return the partition counts of the topics that are there; of all if `names` is None."""
    return {
        topic["name"]: len(topic["partitions"])
        for topic in admin.describe_topics(names)
        if topic["error_code"] == 0
    }


def _create(admin: KafkaAdminClient, plans: list[TopicPlan], replication: int) -> set[str]:
    from kafka import errors

    present = partition_counts(admin, [plan.name for plan in plans])
    missing = {
        plan.name: {
            "num_partitions": plan.partitions,
            "replication_factor": replication,
            "configs": {**plan.needed, **plan.initial},
        }
        for plan in plans
        if plan.name not in present
    }
    if not missing:
        return set()
    answer: dict[str, Any] = admin.create_topics(missing, raise_errors=False)
    created: set[str] = set()
    for topic in answer["topics"]:
        error = errors.for_code(topic["error_code"])
        if error is errors.NoError:
            created.add(topic["name"])
        elif error is not errors.TopicAlreadyExistsError:  # another process was faster: fine
            reason = topic.get("error_message") or error.__name__
            message = f"topic {topic['name']} could not be made: {reason}"
            raise HeadgateError(message)
    admin.wait_for_topics(list(missing))
    return created


def _settings(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    from kafka.admin import ConfigResource, ConfigResourceType

    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {
        topic: {name: entry["value"] for name, entry in entries.items()}
        for topic, entries in described.items()
    }


def _widen(admin: KafkaAdminClient, settings: dict[str, dict[str, str]], least: int) -> None:
    """Let own topics take records of a limits.max_record that was raised since they were made."""
    from kafka.admin import ConfigResource, ConfigResourceType

    name = "max.message.bytes"
    narrow = [topic for topic, found in settings.items() if int(found.get(name, least)) < least]
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, topic, {name: str(least)}) for topic in narrow
    ]
    if resources:
        admin.alter_configs(resources)
