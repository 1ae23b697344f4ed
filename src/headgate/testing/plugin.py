"""The pytest plugin that Headgate registers: fixtures for users' own tests.

Pytest loads it in every project that has Headgate installed, so it must stay cheap to import: what
a fixture needs is imported when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from headgate.sim.face import HeadgateSim
    from headgate.testing.stack import HeadgateStack


@pytest.fixture
def headgate_sim() -> Iterator[HeadgateSim]:
    """Headgate in memory, with a clock of its own: attach agents, send, look, crash."""
    from headgate.sim.face import HeadgateSim

    sim = HeadgateSim()
    yield sim
    sim.close()


@pytest.fixture(scope="session")
def headgate_session_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadgateStack]:
    """Kafka and Flink on this machine, started with the first test that asks for them."""
    from headgate.testing.stack import HeadgateStack

    stack = HeadgateStack(tmp_path_factory.mktemp("headgate"))
    try:
        yield stack.start()
    finally:
        stack.close()


@pytest.fixture
def headgate_stack(headgate_session_stack: HeadgateStack) -> HeadgateStack:
    """Headgate on real parts, with the face of headgate_sim; the tests of a session share it."""
    headgate_session_stack.begin()
    return headgate_session_stack
