"""Which topics the running job reads, for commands that route events from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headgate.cli.broker import Broker
from headgate.config.spelling import did_you_mean
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.kafka.registry import Contents


class TopicNotReadError(HeadgateError):
    """A route begins at a topic that the job does not read.

    Operator action: declare the topic in headgate.toml and submit the job again, or name another.
    """


def check_topics(topics: Iterable[str], contents: Contents, broker: Broker) -> None:
    """See that the job reads these topics.

    What it reads it has written into the registry when it started. Where none ever did, it will be
    what headgate.toml says.

    Raises:
        TopicNotReadError: it does not.
    """
    if contents.job is not None:
        known, whose = list(contents.job.topics), f"job {contents.job.name!r} reads"
    else:
        known = [topic.name for topic in broker.config.topics]
        whose = "no job has started yet, and headgate.toml declares"
    for topic in topics:
        if topic not in known:
            message = (
                f"topic {topic!r} is not read{did_you_mean(topic, known)}; {whose} "
                f"{', '.join(map(repr, known)) or 'no topic'}. Topics are fixed when the job "
                "starts: declare it in headgate.toml and submit the job again"
            )
            raise TopicNotReadError(message)
