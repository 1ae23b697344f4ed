"""A past that a simulated Headgate has made, as history and Kafka would tell it; and its agents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from headgate.core.decode import Record
from headgate.core.identity import split_address
from headgate.history.errors import NeverSeenError
from headgate.replay.events import Place, event_in
from headgate.replay.recorded import LeftOut, RecordedTurn, state_of
from headgate.replay.recording import Span, record
from headgate.sdk import Agent, Event, Log, TerminalError, Turn, log
from headgate.sim.face import HeadgateSim, default_policy
from headgate.testing.folding import stored_of
from headgate.v1 import agent_pb2 as pb
from headgate.v1.history_pb2 import StateAsOf, TurnAsOf
from headgate.v1.turn_pb2 import HistoryRecord, Policy


@dataclass
class Order:
    total: int = 0
    seen_at: str = ""
    notes: Log[str] = log()  # noqa: RUF009 - it is a dataclass field, made by field()


def order_agent(revision: str = "1", *, tax: int = 0, loud_from: int = 0) -> Agent[Order]:
    """Return an agent that adds up, keeps notes, tells a ledger, sets timers and fails on demand.

    tax: added to each amount. loud_from: notes are in capitals from the turn of that number on.
    """
    agent = Agent("order", Order, revision=revision)

    @agent.on("order.item")
    def item(turn: Turn[Order], event: Event) -> None:
        turn.state.total += event.data["amount"] + tax
        turn.state.seen_at = turn.now.isoformat()
        text = event.data.get("note", "")
        if text:
            is_loud = loud_from and turn.turn_number >= loud_from
            turn.state.notes.append(text.upper() if is_loud else text)
        turn.emit("order.total", {"total": turn.state.total, "key": turn.idempotency_key})

    @agent.on("order.close")
    def close(turn: Turn[Order], event: Event) -> None:
        turn.send(f"ledger/{turn.key}", "ledger.book", {"total": turn.state.total})
        turn.set_timer("remind", timedelta(hours=1), {"about": "payment"})

    @agent.on("order.bad")
    def bad(turn: Turn[Order], event: Event) -> None:
        message = "no such order"
        raise TerminalError(message)

    @agent.on("ledger.booked")
    def booked(turn: Turn[Order], event: Event) -> None:
        turn.state.notes.append(f"booked {event.data}")

    @agent.on_timer("remind")
    def remind(turn: Turn[Order], event: Event) -> None:
        turn.emit("order.reminder", event.data)

    @agent.on_signal("approve")
    def approve(turn: Turn[Order], event: Event) -> None:
        turn.state.notes.append(f"approved by {event.data['by']}")

    return agent


def ledger_agent() -> Agent[Any]:
    agent: Agent[Any] = Agent("ledger")

    @agent.on("ledger.book")
    def book(turn: Turn[Any], event: Event) -> None:
        turn.send(f"order/{turn.key}", "ledger.booked", event.data["total"])

    return agent


def policy(**more: int) -> Policy:
    made = default_policy()
    for name, value in more.items():
        setattr(made, name, value)
    return made


def lived(sim: HeadgateSim, key: str = "17", *, log_window: int = 100) -> str:
    """Let an order live: items, three of them in one turn, a failure, a message and its answer, a
    timer, a signal.
    """
    address = f"order/{key}"
    sim.attach(order_agent(), policy=policy(log_window=log_window))
    sim.attach(ledger_agent())
    sim.send(address, "order.item", {"amount": 5, "note": "first"})
    sim.run()
    for amount in (1, 2, 3, 4):
        sim.send(address, "order.item", {"amount": amount, "note": f"n{amount}"})
    sim.run()
    sim.send(address, "order.bad", {})
    sim.run()
    sim.send(address, "order.close", {})
    sim.run()
    sim.signal(address, "approve", {"by": "ann"})
    sim.run()
    sim.advance(timedelta(hours=2))
    sim.run()
    return address


@dataclass
class SimPast:
    """What the history would say of a simulated Headgate. ``gone``: turns that it keeps no more."""

    sim: HeadgateSim
    gone: set[int] = field(default_factory=set)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def state(self, address: str, *, at_us: int = 0, turn: int = 0) -> StateAsOf:
        self.asked.append((address, turn))
        until = [
            each
            for each in self.sim.history(address)
            if (each.outcome.turn <= turn if turn else each.at_us <= at_us)
        ]
        if turn in self.gone:
            message = f"turn {turn} of {address} is not kept here"
            raise NeverSeenError(message)
        made = StateAsOf(turn=until[-1].outcome.turn if until else 0)
        made.agent_type, made.key = split_address(address)
        made.state.CopyFrom(state_of(stored_of(until)))
        return made

    def turns(self, address: str, *, first: int = 0, last: int = 0) -> list[TurnAsOf]:
        return [
            TurnAsOf(record=each)
            for each in self._kept(address)
            if first <= each.outcome.turn <= (last or each.outcome.turn)
        ]

    def _kept(self, address: str) -> list[HistoryRecord]:
        return [each for each in self.sim.history(address) if each.outcome.turn not in self.gone]


@dataclass
class SimRecords:
    """What Kafka would hold. ``gone``: places that it holds no more."""

    sim: HeadgateSim
    gone: set[Place] = field(default_factory=set)

    def read(self, places: Iterable[Place]) -> dict[Place, pb.Event | str]:
        return {place: self._read(place) for place in places}

    def _read(self, place: Place) -> pb.Event | str:
        if place in self.gone:
            return "the topic does not hold it any more"
        world = self.sim.world
        if place.topic == "events":
            return world.events.partitions[place.partition][place.offset][1]
        address, value = world.inbox.partitions[place.partition][place.offset]
        record = Record(
            topic="inbox",
            partition=place.partition,
            offset=place.offset,
            timestamp_ms=self._stamps()[place],
            key=address.encode(),
            value=value,
            headers={},
        )
        return event_in(record, "inbox", {})

    def _stamps(self) -> dict[Place, int]:
        """When records stand there since: the simulated inbox does not keep it, the calls do."""
        origins = [event.origin for call in self.sim.world.calls for event in call.request.events]
        return {
            Place(each.topic, each.partition, each.offset): each.timestamp_ms for each in origins
        }


def recorded(
    sim: HeadgateSim, *addresses: str, span: Span | None = None
) -> list[RecordedTurn | LeftOut]:
    """Record instances of a simulated Headgate."""
    return list(record(SimPast(sim), SimRecords(sim), addresses, span or Span()))


def turns_of(sim: HeadgateSim, *addresses: str) -> list[RecordedTurn]:
    """Record instances whose turns can all be read."""
    found = recorded(sim, *addresses)
    turns = [each for each in found if isinstance(each, RecordedTurn)]
    assert len(turns) == len(found)
    return turns
