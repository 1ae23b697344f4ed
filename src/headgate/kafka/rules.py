"""How the records of the job's topics are read, as headgate.toml says."""

from __future__ import annotations

from headgate.config import Config
from headgate.core.decode import TopicRule


def rules_of(config: Config) -> dict[str, TopicRule]:
    """Return the rule of each topic, by its name."""
    return {
        topic.name: TopicRule(
            format=topic.format,
            key=topic.key,
            type=topic.event_type,
            max_bytes=config.limits.max_record,
        )
        for topic in config.topics
    }
