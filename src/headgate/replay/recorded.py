"""A turn that was, with all that it came of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from headgate.core.identity import address_of
from headgate.sdk.testing import Stored
from headgate.v1.agent_pb2 import Event, State
from headgate.v1.turn_pb2 import Controlled, HistoryRecord, Outcome, Policy

FORGETTING = frozenset((Controlled.RESET, Controlled.EXPIRE))


# Without a repr of its own, pytest would show all that its messages hold.
@dataclass(frozen=True, slots=True, repr=False)
class RecordedTurn:
    """``before`` is what was stored before it, lists whole. ``events`` are those that it took, with
    their payloads; none where nobody was asked (`is_put`). ``record`` is what the history has of
    it. ``policy`` is that of the file which it was read from.
    """

    before: Stored
    events: tuple[Event, ...]
    record: HistoryRecord
    policy: Policy | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """Return its name, as pytest shows it."""
        return f"{self.address}#{self.number}"

    def __repr__(self) -> str:
        """Return its type and its name."""
        return f"<{type(self).__name__} {self}>"

    @property
    def outcome(self) -> Outcome:
        """What was journaled of it."""
        return self.record.outcome

    @property
    def address(self) -> str:
        """Whose turn it is."""
        return address_of(self.outcome.agent_type, self.outcome.key)

    @property
    def number(self) -> int:
        """Number of the turn in its instance's life, from 1."""
        return self.outcome.turn

    @property
    def is_put(self) -> bool:
        """Whether it is put to an agent: see `is_put`."""
        return is_put(self.outcome)

    def after(self) -> Stored:
        """Return what was stored after it."""
        return after(self.before, self.outcome)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A turn that is not replayed, and why: something of it cannot be read any more."""

    address: str
    number: int
    why: str


def is_put(outcome: Outcome) -> bool:
    """Tell whether an agent was asked, and took events.

    An operator's decision asked nobody. An attempt that took nothing changed nothing: its events
    are in the turn that took them.
    """
    return bool(outcome.taken) and outcome.WhichOneof("verdict") != "controlled"


def after(before: Stored, outcome: Outcome) -> Stored:
    """Return what is stored after an outcome."""
    if outcome.controlled.verb in FORGETTING:
        return Stored()
    return before.apply(outcome.mutations)


def stored_in(state: State) -> Stored:
    """Return a state whose lists are whole."""
    logs = {name: tuple(log.items) for name, log in state.logs.items() if log.items}
    return Stored(dict(state.values), logs)


def state_of(stored: Stored, *, window: int = 0) -> State:
    """Return what is stored as requests carry it; ``window``: newest items of lists, 0 is all."""
    state = State(values=stored.values)
    for name, items in stored.logs.items():
        log = state.logs[name]
        log.length = len(items)
        log.items.extend(items[-window:] if window else items)
    return state


def size_of(stored: Stored) -> int:
    """Return the bytes of all that is stored, names included, as Gate counts them."""
    parts: Iterable[tuple[str, Iterable[bytes]]] = (
        *((name, (value,)) for name, value in stored.values.items()),
        *stored.logs.items(),
    )
    return sum(len(name) + sum(map(len, items)) for name, items in parts)
