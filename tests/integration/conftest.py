"""One stage for all tests that play dialogues: it takes a minute to start, and outlives kills."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.demo.stage import Stage
from tests.integration.dialogues import DATA


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two TaskManagers, so that one of them can die alone."""
    home = tmp_path_factory.mktemp("kills")
    with Stage(home, DATA / "schema.json", parallelism=2) as started:
        yield started
