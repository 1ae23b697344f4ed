"""Routes: which agent types an event goes to, by its topic and its CloudEvents type.

Made from the registry's specs, and made anew when these change. Intake asks for every event, so
what was found once is looked up after that.
"""

from __future__ import annotations

from collections.abc import Mapping

from headgate.core.decode import Record
from headgate.core.letters import letter_for_record
from headgate.core.patterns import Pattern, compile_pattern
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import AgentSpec, DeadLetter

KNOWN_TYPES = 10_000
"""Answers that are remembered. Types come from outside: without a bound a producer that makes one
up for each event would fill the memory of the TaskManager."""


class Routes:
    """The routes of some agents.

    >>> from headgate.v1.turn_pb2 import Route
    >>> orders = AgentSpec(type="order", routes=[Route(topic="shop", type="shop.order.*")])
    >>> Routes({"order": orders}).find("shop", "shop.order.paid")
    ('order',)
    """

    def __init__(self, specs: Mapping[str, AgentSpec]) -> None:
        """``specs`` by agent type. Those that drain get nothing new."""
        self._of_topic: dict[str, list[tuple[str, Pattern | None]]] = {}
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}
        for name in sorted(specs):
            if specs[name].draining:
                continue
            for route in specs[name].routes:
                pattern = compile_pattern(route.type) if route.type else None
                self._of_topic.setdefault(route.topic, []).append((name, pattern))

    def find(self, topic: str, event_type: str) -> tuple[str, ...]:
        """Return the agent types that get such an event, each once, in alphabetical order."""
        place = topic, event_type
        found = self._known.get(place)
        if found is None:
            found = self._search(topic, event_type)
            if len(self._known) >= KNOWN_TYPES:
                self._known.clear()
            self._known[place] = found
        return found

    def _search(self, topic: str, event_type: str) -> tuple[str, ...]:
        matching = [
            name
            for name, pattern in self._of_topic.get(topic, ())
            if pattern is None or pattern.regex.fullmatch(event_type)
        ]
        return tuple(dict.fromkeys(matching))


def letter_for_nobody(record: Record, event: Event) -> DeadLetter:
    """Return the dead letter of an event that no agent type is routed for."""
    where = f"{record.topic}/{record.partition}@{record.offset}"
    letter = letter_for_record(
        reason="no_route",
        message=(
            f"{where}: no agent has a route for type {event.type!r} on topic {record.topic!r}; see "
            "`headgate agents list`, attach one, then replay this letter"
        ),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp_ms,
        key=record.key,
        value=record.value,
        headers={name: value or b"" for name, value in record.headers.items()},
    )
    letter.event_id, letter.event_type = event.id, event.type
    return letter
