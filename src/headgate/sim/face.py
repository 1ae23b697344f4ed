"""HeadgateSim: Headgate for tests of agents, in memory, at once, with faults on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from headgate.core.decode import STRUCTURED, Decoded, Record, TopicRule, decode
from headgate.core.identity import address_of, partition_of, split_address
from headgate.core.instance import CHUNK_ITEMS
from headgate.core.render import rfc3339
from headgate.sdk.agent import Agent
from headgate.sdk.query import answer
from headgate.sim.agents import SimAgent
from headgate.sim.driver import run_until, settle
from headgate.sim.sdk import SdkAgent
from headgate.sim.world import World
from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, Event, LogWindow, State
from headgate.v1.query_pb2 import QueryRequest
from headgate.v1.turn_pb2 import (
    AgentSpec,
    Control,
    Controlled,
    DeadLetter,
    HistoryRecord,
    Policy,
    Reply,
    Signal,
    StoredChunk,
)

TOPIC = "events"
PARTITIONS = 4
_VERBS = {
    "resume": Controlled.RESUME,
    "skip": Controlled.SKIP,
    "cancel": Controlled.CANCEL,
    "reset": Controlled.RESET,
    "park": Controlled.PARK,
}


@dataclass(frozen=True, slots=True)
class SentOut:
    """One committed record of the outbox; ``attributes`` are those of its CloudEvent."""

    id: str
    type: str
    data: Any
    attributes: Mapping[str, Any]


def default_policy() -> Policy:
    """Return the policy of agents attached without one: three attempts, then the dead letters."""
    return Policy(
        deadline_ms=30_000,
        max_attempts=3,
        backoff_initial_ms=200,
        backoff_max_ms=30_000,
        backoff_multiplier=2.0,
        max_batch=16,
        on_exhausted=ADVICE_DEAD_LETTER,
        log_window=100,
        dedup_window_count=1_000,
        dedup_window_ms=600_000,
    )


class HeadgateSim:
    """Headgate in memory. What is sent waits until someone looks: every look runs it until idle.

    >>> agent = Agent("echo")
    >>> @agent.on("*")
    ... def answer(turn, event):
    ...     turn.emit("echo.reply", event.data)
    >>> sim = HeadgateSim()
    >>> sim.attach(agent)
    >>> sim.send("echo/17", "echo.ask", {"text": "hi"})
    >>> sim.crash()
    >>> sim.outputs("echo/17")[-1].data
    {'text': 'hi'}
    """

    def __init__(self) -> None:
        self._agents: dict[str, SimAgent] = {}
        self._sdk: dict[str, Agent[Any]] = {}
        self._specs: dict[str, AgentSpec] = {}
        self._sent = 0
        self.world = World(self._agents, self._specs, topics={TOPIC: PARTITIONS})

    # ------------------------------------------------------------------------------------ agents

    def attach(
        self, agent: Agent[Any] | SimAgent, *, name: str = "", policy: Policy | None = None
    ) -> None:
        """Attach an agent of the SDK, or a double (with a ``name``); again to replace it."""
        if isinstance(agent, Agent):
            name = name or agent.name
            self._sdk[name] = agent
            self._agents[name] = SdkAgent(agent)
        else:
            if not name:
                msg = "a double has no name of its own: attach(agent, name=...)"
                raise ValueError(msg)
            self._sdk.pop(name, None)
            self._agents[name] = agent
        self._specs[name] = AgentSpec(
            type=name, endpoints=["simulated"], policy=policy or default_policy()
        )

    # ------------------------------------------------------------------------------------- inputs

    def send(
        self,
        address: str,
        type: str,  # noqa: A002 - CloudEvents calls it so
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents calls it so
        source: str = "test",
        extensions: Mapping[str, str] | None = None,
    ) -> None:
        """Publish an event: data as JSON, or bytes. The same id again is a producer's repeat."""
        agent_type, key = split_address(address)
        self._sent += 1
        attributes = {
            "specversion": "1.0",
            "id": id or f"{self._sent}",
            "source": source,
            "type": type,
            "time": rfc3339(self.world.clock.now_ms * 1000),
        } | dict(extensions or {})
        if isinstance(data, bytes):
            headers = {f"ce_{k}": v.encode() for k, v in attributes.items()}
            headers["content-type"] = b"application/octet-stream"
            value = data
        else:
            headers = {"content-type": STRUCTURED.encode()}
            value = json.dumps(attributes | {"data": data}).encode()
        self.publish(agent_type, key.encode(), value, headers)

    def publish(
        self, agent_type: str, key: bytes, value: bytes, headers: Mapping[str, bytes] | None = None
    ) -> None:
        """Publish a record as it is to a CloudEvents topic of an agent type, keyed by record."""
        partition = partition_of(key, PARTITIONS)
        record = Record(
            topic=TOPIC,
            partition=partition,
            offset=len(self.world.events.partitions[partition]),
            timestamp_ms=self.world.clock.now_ms,
            key=key,
            value=value,
            headers=headers or {},
        )
        rule = TopicRule("cloudevents", "record", "", 1_000_000)
        match decode(record, rule):
            case Decoded(key=found, event=event):
                self.world.publish(partition, address_of(agent_type, found), event)
            case letter:
                self.world.sinks.letters.committed.append(letter)

    def control(self, address: str, verb: str, *, reason: str = "") -> None:
        """Send an operator's control: resume, skip, cancel, reset or park."""
        self._sent += 1
        wish = Control(control_id=f"control-{self._sent}", verb=_VERBS[verb], reason=reason)
        self.world.wish(address, wish)

    def signal(
        self,
        address: str,
        name: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents calls it so
    ) -> None:
        """Send a signal: data as JSON, or bytes. The same id again is a repeat."""
        self._sent += 1
        self.world.signal(address, signal_of(name, data, id or f"signal-{self._sent}"))

    def ask(
        self,
        address: str,
        type: str,  # noqa: A002 - CloudEvents calls it so
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents calls it so
    ) -> Reply | None:
        """Ask as a front door does; return the reply, None while there is none.

        The same id again asks for the reply to the same request.
        """
        self._sent += 1
        asked = asked_of(type, data, id or f"asked-{self._sent}")
        self.world.ask(address, asked)
        self.run()
        value = self.world.sinks.replies.get((address, asked.id))
        return None if value is None else Reply.FromString(value)

    def query(self, address: str, name: str, data: Any = None) -> Any:
        """Ask an agent of the SDK about an instance; raises what its handler raises."""
        agent_type, key = split_address(address)
        self.run()
        question = QueryRequest(agent_type=agent_type, key=key, name=name)
        question.state.CopyFrom(self._stored(address))
        if data is not None:
            question.data = json.dumps(data).encode()
        reply = asyncio.run(answer(self._sdk[agent_type], question))
        return reply.data if reply.datacontenttype else json.loads(reply.data)

    # ---------------------------------------------------------------------------- time and faults

    def run(self) -> None:
        """Run until idle, the clock moving to whatever is due, and complete a checkpoint.

        Not to timers that agents have set: `advance` lets their time come.
        """
        settle(self.world, through_timers=False)
        self.world.checkpoint()

    def advance(self, seconds: float | timedelta) -> None:
        """Run while the clock moves on by this much, and no further."""
        ms = (
            seconds // timedelta(milliseconds=1)
            if isinstance(seconds, timedelta)
            else int(seconds * 1000)
        )
        run_until(self.world, self.world.clock.now_ms + ms)

    def checkpoint(self) -> None:
        """Complete a checkpoint in the midst of things."""
        self.world.checkpoint()

    def crash(self, back: int = 0) -> None:
        """Lose all that is in memory; restore the newest checkpoint, or one ``back`` before it."""
        self.world.crash(back)

    # -------------------------------------------------------------------------------------- views

    def outputs(self, address: str) -> list[SentOut]:
        """Return what an instance sent out, as a reader that knows repeats by id sees it."""
        self.run()
        told: dict[str, SentOut] = {}
        for emitted in self.world.sinks.outbox.committed:
            if emitted.address == address:
                envelope = json.loads(emitted.value)
                data = envelope.pop("data", envelope.pop("data_base64", None))
                told[envelope["id"]] = SentOut(envelope["id"], envelope["type"], data, envelope)
        return list(told.values())

    def state(self, address: str) -> Any:
        """Return an instance's state: as its agent's dataclass, or decoded where it has none."""
        self.run()
        agent = self._sdk.get(split_address(address)[0])
        stored = self._stored(address)
        if agent is not None:
            return agent.codec.load(stored).state
        plain: dict[str, Any] = {k: decoded(v) for k, v in stored.values.items()}
        return plain | {k: [decoded(i) for i in v.items] for k, v in stored.logs.items()}

    def history(self, address: str) -> list[HistoryRecord]:
        """Return an instance's turns, failures and controls included, oldest first."""
        self.run()
        told: dict[bytes, HistoryRecord] = {}
        for emitted in self.world.sinks.history.committed:
            if emitted.address == address:
                record = HistoryRecord.FromString(emitted.value)
                told[record.base_after] = record
        return list(told.values())

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """What was given up, oldest first."""
        self.run()
        told = {letter.id: letter for letter in self.world.sinks.letters.committed}
        return list(told.values())

    def is_parked(self, address: str) -> bool:
        """Tell whether an instance waits for an operator."""
        self.run()
        control = self.world.gate.store.control(address)
        return control is not None and control.parked

    def close(self) -> None:
        """Let go of what agents hold."""
        for agent in self._agents.values():
            if isinstance(agent, SdkAgent):
                agent.close()

    def _stored(self, address: str) -> State:
        control = self.world.gate.store.control(address)
        items = self.world.gate.store.items(address)
        state = State()
        if control is not None:
            for name in control.values:
                state.values[name] = items[f"v{name}"]
            for name, log in control.logs.items():
                whole: list[bytes] = []
                for number in range(-(-log.length // CHUNK_ITEMS)):
                    whole += StoredChunk.FromString(items[f"l{name}/{number}"]).items
                state.logs[name].CopyFrom(LogWindow(length=log.length, items=whole))
        return state


def signal_of(name: str, data: Any, signal_id: str) -> Signal:
    """Return a signal: data as JSON, or bytes."""
    signal = Signal(signal_id=signal_id, name=name)
    if isinstance(data, bytes):
        signal.data, signal.datacontenttype = data, "application/octet-stream"
    elif data is not None:
        signal.data = json.dumps(data).encode()
    return signal


def asked_of(event_type: str, data: Any, request_id: str) -> Event:
    """Return what a front door is asked: data as JSON, or bytes."""
    event = Event(id=request_id, type=event_type)
    if isinstance(data, bytes):
        event.data, event.datacontenttype = data, "application/octet-stream"
    elif data is not None:
        event.data = json.dumps(data).encode()
    return event


def decoded(raw: bytes) -> Any:
    """Return stored bytes as JSON, else as text."""
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
