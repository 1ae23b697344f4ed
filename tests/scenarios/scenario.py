"""What a scenario is: plain data, the same for every world that runs it.

A world is whatever can attach a scripted agent (:mod:`headgate.sim.scripted`), publish events, be
hurt, come to rest, and tell outputs, states and dead letters: the simulation, or real parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from headgate.v1.turn_pb2 import HistoryRecord, Policy


@dataclass(frozen=True, slots=True)
class Send:
    """An event for an address; ``script`` tells the agent what to do with it."""

    address: str
    id: str
    script: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operate:
    """An operator's control, sent when all before it has come to rest."""

    address: str
    verb: str


@dataclass(frozen=True, slots=True)
class Tell:
    """A signal for an address; ``script`` tells the agent what to do with it."""

    address: str
    id: str
    script: Mapping[str, Any] = field(default_factory=dict)


Step = Send | Operate | Tell


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be true of one address in the end: ids of the events it took, in order."""

    took: tuple[str, ...] = ()
    dead: tuple[tuple[str, str], ...] = ()
    """Event id and reason of each dead letter, in order."""
    is_parked: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """Inputs, the policy they run under, and what must come of them whatever is hurt meanwhile."""

    name: str
    steps: tuple[Step, ...]
    expected: Mapping[str, Expected]
    max_attempts: int = 3
    max_batch: int = 4
    parks: bool = False


class ScenarioWorld(Protocol):
    """What a scenario asks of a world. The scripted agent type is ``scripted``."""

    def attach(self, policy: Policy) -> None:
        """Attach the scripted agent."""

    def send(self, step: Send) -> None:
        """Publish one event, CloudEvents source ``scenario``."""

    def tell(self, step: Tell) -> None:
        """Send a signal, name ``scripted``."""

    def operate(self, step: Operate) -> None:
        """Send an operator's control, after coming to rest."""

    def hurt(self) -> None:
        """Break something, if this world breaks things."""

    def took(self, address: str, count: int) -> tuple[str, ...]:
        """Come to rest, with ``count`` items or more in the list ``seen``, and return it."""

    def outputs(self, address: str) -> list[Mapping[str, Any]]:
        """Come to rest; return the data of committed outputs, in order."""

    def history(self, address: str) -> list[HistoryRecord]:
        """Come to rest; return the committed turns, oldest first."""

    def dead(self, address: str) -> tuple[tuple[str, str], ...]:
        """Come to rest; return event id and reason of the address's dead letters, in order."""

    def is_parked(self, address: str) -> bool:
        """Come to rest; tell whether the instance is parked."""
