"""The topics that a configuration names, as the broker has them."""

from __future__ import annotations

from headgate.doctor.facts import Facts, Topic
from headgate.kafka.topics import plan_topics


def topic_of(facts: Facts, name: str) -> Topic | None:
    """Return a topic, None where it is not there or nobody could look."""
    return facts.kafka.topics.get(name) if facts.kafka is not None else None


def own_of(facts: Facts) -> list[Topic]:
    """Return Headgate's own topics, those that are there."""
    found = (topic_of(facts, plan.name) for plan in plan_topics(facts.config) if plan.is_own)
    return [topic for topic in found if topic is not None]


def events_of(facts: Facts) -> list[Topic]:
    """Return the topics of events that are there."""
    found = (topic_of(facts, topic.name) for topic in facts.config.topics)
    return [topic for topic in found if topic is not None]
