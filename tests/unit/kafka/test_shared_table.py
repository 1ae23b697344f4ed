"""One table for all who follow a topic in a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.bootstrap import Bootstrap
from headgate.kafka import shared_table
from headgate.kafka.shared_table import SharedTable

AT = Bootstrap("a:1")


class FakeTable:
    """A table that says whether it was closed."""

    def __init__(self, bootstrap: Bootstrap, topic: str) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(autouse=True)
def _without_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shared_table, "RegistryTable", FakeTable)
    yield
    assert shared_table._lent == {}, "all is given back"


def test_it_is_shared_and_ends_with_its_last_user() -> None:
    intake, gate = (
        SharedTable(AT, "registry"),
        SharedTable(AT, "registry"),
    )
    table: object = intake.table
    assert table is gate.table
    assert isinstance(table, FakeTable)
    intake.close()
    intake.close()
    assert not table.is_closed, "closing twice gives back one share"
    gate.close()
    assert table.is_closed


def test_the_next_job_reads_for_itself() -> None:
    first = SharedTable(AT, "registry")
    first.close()
    second, other = (
        SharedTable(AT, "registry"),
        SharedTable(AT, "other.registry"),
    )
    assert len({first.table, second.table, other.table}) == 3
    second.close()
    other.close()
