"""When an agent has drained."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.bootstrap import Bootstrap
from headgate.cli import draining
from headgate.cli.broker import Broker
from headgate.cli.draining import LOOKS, NotDrainedError, await_drained
from headgate.config import loads
from headgate.kafka import inspect

BROKER = Broker(Bootstrap("127.0.0.1:1"), loads(""))

Looks = Callable[..., list[int | None]]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Say what the job will answer; returns the answers that are left to be given."""

    def script(*answers: int | None) -> list[int | None]:
        left = list(answers)
        monkeypatch.setattr(inspect, "count_busy", lambda *_, **__: left.pop(0))
        monkeypatch.setattr(draining, "PAUSE_SECONDS", 0.0)
        return left

    return script


def test_nothing_must_wait_look_after_look(looks: Looks) -> None:
    """What was routed just before may still be between intake and Gate."""
    left = looks(2, 0, 0, 1, *[0] * LOOKS)
    await_drained(BROKER, "order", 60)
    assert left == []


def test_no_answer_is_not_nothing(looks: Looks) -> None:
    left = looks(*[None] * LOOKS, *[0] * LOOKS)
    await_drained(BROKER, "order", 60)
    assert left == []


@pytest.mark.parametrize(
    ("answer", "said"), [(None, "the job did not answer"), (3, "3 instances have work")]
)
def test_when_the_time_is_over_it_says_what_is_left(
    looks: Looks, answer: int | None, said: str
) -> None:
    looks(answer)
    with pytest.raises(NotDrainedError, match=f"order has not drained within 0 s: {said}"):
        await_drained(BROKER, "order", 0)
