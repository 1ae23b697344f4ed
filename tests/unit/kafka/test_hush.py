"""What kafka-python logs where Python's root logger lets everything through."""

import logging
from collections.abc import Iterator

import pytest

from headgate.kafka.hush import hush


@pytest.fixture
def kafka() -> Iterator[logging.Logger]:
    """Its logger, as nobody has touched it, below a root that is wide open."""
    logger, root = logging.getLogger("kafka"), logging.getLogger()
    levels = logger.level, root.level
    logger.setLevel(logging.NOTSET)
    root.setLevel(logging.DEBUG)
    yield logger
    logger.setLevel(levels[0])
    root.setLevel(levels[1])


def test_its_polls_are_not_logged(kafka: logging.Logger) -> None:
    hush()
    assert not logging.getLogger("kafka.consumer.fetcher").isEnabledFor(logging.DEBUG)
    assert kafka.isEnabledFor(logging.INFO)


def test_what_somebody_has_said_stands(kafka: logging.Logger) -> None:
    kafka.setLevel(logging.DEBUG)
    hush()
    assert kafka.level == logging.DEBUG


def test_elsewhere_nothing_changes(kafka: logging.Logger) -> None:
    logging.getLogger().setLevel(logging.WARNING)
    hush()
    assert kafka.level == logging.NOTSET
