"""Rules about replicas: what a broker that is lost costs."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.doctor.facts import Facts, Finding, Severity
from headgate.doctor.named import events_of, own_of

# With two, a broker that is away leaves one: there a record is as safe as its disk anyway.
ENOUGH_REPLICAS = 3


def one_replica(facts: Facts) -> Iterator[Finding]:
    """A lost broker costs nothing."""
    if facts.kafka is None or (facts.kafka.is_local and facts.kafka.brokers == 1):
        return
    single = [topic.name for topic in own_of(facts) if topic.replicas == 1]
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
    for topic in (*own_of(facts), *events_of(facts)):
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
        elif topic.replicas >= ENOUGH_REPLICAS and least == 1 and topic in own_of(facts):
            yield Finding(
                Severity.WARNING,
                "min-isr-one",
                state,
                "A record may be acknowledged that one broker alone has: lost with its disk, "
                "although a turn was told that it happened.",
                f"Set min.insync.replicas to {topic.replicas - 1}.",
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
