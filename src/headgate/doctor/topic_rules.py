"""Rules about topics: what is set, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.doctor.facts import Facts, Finding, Severity
from headgate.doctor.named import events_of, own_of, topic_of
from headgate.kafka.topics import differences, message_bytes, plan_topics


def topic_settings(facts: Facts) -> Iterator[Finding]:
    """Own topics are as the protocol needs them."""
    for plan in plan_topics(facts.config):
        topic = topic_of(facts, plan.name)
        if topic is not None and plan.is_own:
            for text in differences(plan, topic.partitions, topic.settings):
                what, _, cure = text.partition("; ")
                yield Finding(
                    Severity.ERROR,
                    "topic-settings",
                    f"{topic.name} {what}",
                    "The job refuses to start, or its guarantees do not hold: the place of an "
                    "address, the time of a turn and the order of the journal hang on these.",
                    f"{cure[:1].upper()}{cure[1:] or 'See docs/architecture.md, Topics'}.",
                )


def topic_missing(facts: Facts) -> Iterator[Finding]:
    """No own topic is gone while others are there."""
    names = [plan.name for plan in plan_topics(facts.config) if plan.is_own]
    missing = [name for name in names if topic_of(facts, name) is None]
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
    for topic in own_of(facts):
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
    for topic in events_of(facts):
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
    for topic in events_of(facts):
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
