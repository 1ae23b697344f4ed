"""Intake's view of the registry: it waits for it once, follows it, and never guesses."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from headgate.flink.router import RegistryUnreadError, Router
from headgate.kafka.table import Shown
from headgate.v1.turn_pb2 import AgentSpec, Route


class FakeTable:
    """What a Router asks of a RegistryTable."""

    def __init__(self) -> None:
        self.shown = Shown()
        self.trouble = ""
        self.complete = threading.Event()

    def await_complete(self, timeout_seconds: float) -> bool:
        return self.complete.wait(timeout_seconds)

    def show(self, position: int, *names: str) -> None:
        specs = {name: AgentSpec(type=name, routes=[Route(topic="t")]) for name in names}
        self.shown = Shown(specs, position)
        self.complete.set()


def router(table: Any, wait_seconds: float = 30.0) -> Router:
    return Router(table, wait_seconds)


def test_a_change_of_the_registry_changes_the_routes() -> None:
    table = FakeTable()
    table.show(3, "order")
    seen = router(table)
    assert (seen.find("t", "x"), seen.position) == (("order",), 3)
    table.show(5, "audit", "order")
    assert (seen.find("t", "x"), seen.position) == (("audit", "order"), 5)
    table.show(6)
    assert seen.find("t", "x") == ()


def test_the_first_event_waits_until_the_registry_is_read() -> None:
    table = FakeTable()
    seen = router(table)
    found: list[tuple[str, ...]] = []
    asking = threading.Thread(target=lambda: found.append(seen.find("t", "x")))
    asking.start()
    table.show(1, "order")
    asking.join(30)
    assert found == [("order",)]


def test_an_unread_registry_fails_the_task_instead_of_the_event() -> None:
    table = FakeTable()
    table.trouble = "no Kafka broker answers at a:1"
    with pytest.raises(RegistryUnreadError, match="no Kafka broker answers at a:1"):
        router(table, wait_seconds=0.0).find("t", "x")
