"""Rules about topics and brokers."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.doctor.facts import Facts, Finding, Severity, Topic
from headgate.kafka.topics import differences, message_bytes, plan_topics

# Fewer are a network of one's own.
ENOUGH_REPLICAS = 3


def topic_settings(facts: Facts) -> Iterator[Finding]:
    """Own topics are as the protocol needs them."""
    for plan in plan_topics(facts.config):
        topic = _topic(facts, plan.name)
        if topic is not None and plan.is_own:
            for text in differences(plan, topic.partitions, topic.settings):
                what, _, cure = text.partition("; ")
                yield Finding(
                    Severity.ERROR,
                    "topic-settings",
                    f"{topic.name} {what}",
                    "The job refuses to start, or its guarantees do not hold: the place of an "
                    "address, the time of a turn and the order of the journal hang on these.",
                    cure or "See docs/architecture.md, Topics.",
                )


def topic_missing(facts: Facts) -> Iterator[Finding]:
    """No own topic is gone while others are there."""
    names = [plan.name for plan in plan_topics(facts.config) if plan.is_own]
    missing = [name for name in names if _topic(facts, name) is None]
    if facts.kafka is not None and missing and len(missing) < len(names):
        yield Finding(
            Severity.ERROR,
            "topic-missing",
            f"{', '.join(missing)}: not there, though others of this prefix are",
            "What they held is gone. Tasks that read or write them fail until they are back; a new "
            "journal does not fit the state that Flink has.",
            "Restore them from a backup; else start anew with another kafka.prefix, from no "
            "savepoint. Topics that only a newer version has are made when the job starts.",
        )


def topic_narrow(facts: Facts) -> Iterator[Finding]:
    """Own topics take the largest record."""
    needed = message_bytes(facts.config)
    for topic in _own(facts):
        found = int(topic.settings.get("max.message.bytes", needed))
        if found < needed:
            yield Finding(
                Severity.ERROR,
                "topic-narrow",
                f"{topic.name} has max.message.bytes={found}; limits.max_record asks for {needed}",
                "A record that a sink cannot write restarts the job again and again.",
                "Restart the job, which widens its topics, or lower limits.max_record.",
            )


def events_wide(facts: Facts) -> Iterator[Finding]:
    """Topics of events take no record that is too large for a turn."""
    most = message_bytes(facts.config)
    for topic in _events(facts):
        found = int(topic.settings.get("max.message.bytes", most))
        if found > most:
            yield Finding(
                Severity.WARNING,
                "events-wide",
                f"{topic.name} takes records of up to {found} bytes; limits.max_record allows less",
                "Its larger events become dead letters, too_large, instead of turns.",
                f"Set its max.message.bytes to {most}, or raise limits.max_record.",
            )


def events_compacted(facts: Facts) -> Iterator[Finding]:
    """Topics of events keep each event."""
    for topic in _events(facts):
        if "compact" in topic.settings.get("cleanup.policy", ""):
            yield Finding(
                Severity.WARNING,
                "events-compacted",
                f"{topic.name} is compacted",
                "Kafka drops all events of a key but the last, read or not: they get no turn.",
                "Set its cleanup.policy to delete.",
            )


def topic_unread(facts: Facts) -> Iterator[Finding]:
    """The job reads the topics that headgate.toml names."""
    if facts.kafka is None or facts.kafka.job_topics is None:
        return
    unread = [t.name for t in facts.config.topics if t.name not in facts.kafka.job_topics]
    if unread:
        yield Finding(
            Severity.WARNING,
            "topic-unread",
            f"{', '.join(unread)}: in headgate.toml, but the job does not read it",
            "Its events wait unread, and retention takes them in the end. What a job reads is "
            "fixed when it starts.",
            "Stop the job with a savepoint and start it from there with this headgate.toml.",
        )


def one_replica(facts: Facts) -> Iterator[Finding]:
    """A lost broker costs nothing."""
    if facts.kafka is None or (facts.kafka.is_local and facts.kafka.brokers == 1):
        return
    single = [topic.name for topic in _own(facts) if topic.replicas == 1]
    if single:
        yield Finding(
            Severity.WARNING,
            "one-replica",
            f"{_some(single)}: one replica",
            "With its broker's disk goes the commit log of turns; while the broker is away, "
            "nothing runs.",
            "Set kafka.replication = 3 before topics are made; give these more replicas with "
            "kafka-reassign-partitions.sh.",
        )
    found = facts.kafka.settings.get("transaction.state.log.replication.factor")
    if facts.kafka.brokers > 1 and found == "1":
        yield Finding(
            Severity.WARNING,
            "one-replica",
            "transaction.state.log.replication.factor is 1",
            "While the broker that has a transaction's state is away, no checkpoint completes.",
            "Set it to 3, and give __transaction_state more replicas.",
        )


def in_sync(facts: Facts) -> Iterator[Finding]:
    """Replicas and min.insync.replicas fit each other, and the replicas are there."""
    for topic in (*_own(facts), *_events(facts)):
        least = int(topic.settings.get("min.insync.replicas", 1))
        state = f"{topic.name}: {topic.replicas} replicas, {topic.in_sync} in sync, "
        state += f"min.insync.replicas={least}"
        if topic.leaderless or topic.in_sync < least:
            yield Finding(
                Severity.ERROR,
                "not-writable",
                state
                + (f", {topic.leaderless} partitions without leader" * bool(topic.leaderless)),
                "The broker refuses what is written with acks=all: turns stand still.",
                "Bring the missing brokers back; lower min.insync.replicas if it exceeds replicas.",
            )
        elif topic.in_sync < topic.replicas:
            yield Finding(
                Severity.WARNING,
                "under-replicated",
                state,
                "The next broker that is lost may take records with it, or stop turns.",
                "See which broker is away or behind: kafka-topics.sh --describe "
                "--under-replicated-partitions.",
            )
        elif 1 < topic.replicas == least:
            yield Finding(
                Severity.WARNING,
                "min-isr-all",
                state,
                "One broker that restarts stops all writing.",
                f"Set min.insync.replicas to {least - 1}.",
            )
        elif topic.replicas >= ENOUGH_REPLICAS and least == 1 and topic in _own(facts):
            yield Finding(
                Severity.WARNING,
                "min-isr-one",
                state,
                "A record may be acknowledged that one broker alone has: lost with its disk, "
                "although a turn was told that it happened.",
                f"Set min.insync.replicas to {topic.replicas - 1}.",
            )


def _topic(facts: Facts, name: str) -> Topic | None:
    return facts.kafka.topics.get(name) if facts.kafka is not None else None


def _own(facts: Facts) -> list[Topic]:
    found = (_topic(facts, plan.name) for plan in plan_topics(facts.config) if plan.is_own)
    return [topic for topic in found if topic is not None]


def _events(facts: Facts) -> list[Topic]:
    found = (_topic(facts, topic.name) for topic in facts.config.topics)
    return [topic for topic in found if topic is not None]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
