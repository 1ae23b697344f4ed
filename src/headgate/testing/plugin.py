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


@pytest.fixture
def headgate_sim() -> Iterator[HeadgateSim]:
    """Headgate in memory, with a clock of its own: attach agents, send, look, crash."""
    from headgate.sim.face import HeadgateSim

    sim = HeadgateSim()
    yield sim
    sim.close()
