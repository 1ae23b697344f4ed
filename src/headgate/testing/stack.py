"""HeadgateStack: the face of `headgate_sim` on a real Kafka and Flink, for a whole session."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from headgate.core.decode import STRUCTURED
from headgate.core.identity import split_address
from headgate.core.render import rfc3339
from headgate.core.signals import SOURCE
from headgate.sdk import Agent
from headgate.sim.agents import SimAgent
from headgate.sim.face import SentOut, decoded, default_policy, signal_of
from headgate.testing.cluster import Cluster, Sent
from headgate.testing.folding import stored_of
from headgate.v1.agent_pb2 import LogWindow, State
from headgate.v1.turn_pb2 import Control, Controlled, DeadLetter, HistoryRecord, InboxRecord, Policy

_VERBS = {
    "resume": Controlled.RESUME,
    "skip": Controlled.SKIP,
    "cancel": Controlled.CANCEL,
    "reset": Controlled.RESET,
    "park": Controlled.PARK,
}


class HeadgateStack:
    """Headgate as it runs: attach agents of this process, send, look. Every look waits until what
    was sent is through.

    One stack serves all tests of a session. `begin` hides what earlier tests left: an instance that
    one of them used is reset when the next sends to it.

    >>> def test_it_answers(headgate_stack):  # doctest: +SKIP
    ...     headgate_stack.attach(agent)
    ...     headgate_stack.send("echo/17", "echo.ask", {"text": "hi"})
    ...     assert headgate_stack.outputs("echo/17")[-1].data == {"text": "hi"}
    """

    def __init__(self, home: Path, settings: str = "") -> None:
        """Describe it; Kafka and Flink start with `start`, the job with the first event.

        settings: more of its headgate.toml.
        """
        self.cluster = Cluster(home, settings)
        self._agents: dict[str, Agent[Any]] = {}
        self._sent: dict[str, list[Sent]] = {}
        self._first_turn: dict[str, int] = {}
        self._letters_before = 0
        self._test = 0
        self._count = 0

    def start(self) -> Self:
        """Start Kafka and Flink."""
        self.cluster.start()
        return self

    def close(self) -> None:
        """End everything."""
        self.cluster.close()

    def begin(self) -> None:
        """Start a test: what was sent and put out before is out of sight."""
        self._test += 1
        self._sent.clear()
        self._first_turn.clear()
        self._letters_before = len(self.cluster.letters())

    # ------------------------------------------------------------------------- agents and inputs

    def attach(
        self,
        agent: Agent[Any] | SimAgent,
        *,
        name: str = "",
        policy: Policy | None = None,
        has_stream: bool = True,
    ) -> None:
        """Attach an agent, served from this process, or a double (with a ``name``); again to
        replace it. ``has_stream``: whether a double serves `Turns`, or `Turn` alone.
        """
        policy = policy or default_policy()
        if isinstance(agent, Agent):
            self._agents[agent.name] = agent
            self.cluster.attach(agent, policy)
        else:
            if not name:
                msg = "a double has no name of its own: attach(agent, name=...)"
                raise ValueError(msg)
            self._agents.pop(name, None)
            self.cluster.attach_double(name, agent, policy, has_stream=has_stream)

    def send(
        self,
        address: str,
        type: str,  # noqa: A002 - CloudEvents calls it so
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents calls it so
        source: str | None = None,
        extensions: Mapping[str, str] | None = None,
    ) -> None:
        """Publish an event: data as JSON, or bytes. The same id again is a producer's repeat."""
        agent_type, key = split_address(address)
        self._reset_once(address)
        self._count += 1
        attributes = {
            "specversion": "1.0",
            "id": id or f"{self._count}",
            # Of this test alone: an id that the next one uses again is no repeat.
            "source": source or f"test-{self._test}",
            "type": type,
            "time": rfc3339(time.time_ns() // 1_000),
        } | dict(extensions or {})
        if isinstance(data, bytes):
            headers = {f"ce_{name}": value.encode() for name, value in attributes.items()}
            headers["content-type"] = b"application/octet-stream"
            value = data
        else:
            headers = {"content-type": STRUCTURED.encode()}
            value = json.dumps(attributes | {"data": data}).encode()
        place = self.cluster.publish(agent_type, key, value, headers)
        sent = Sent(attributes["source"], attributes["id"], place)
        self._sent.setdefault(address, []).append(sent)

    def signal(
        self,
        address: str,
        name: str,
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents calls it so
    ) -> None:
        """Send a signal: data as JSON, or bytes. The same id again is a repeat."""
        self._reset_once(address)
        self._count += 1
        # Of this test alone: an id that the next one uses again is no repeat.
        signal = signal_of(name, data, f"{self._test}-{id or self._count}")
        place = self.cluster.publish_inbox(address, InboxRecord(signal=signal))
        self._sent.setdefault(address, []).append(Sent(SOURCE, signal.signal_id, place))

    def control(self, address: str, verb: str, *, reason: str = "") -> None:
        """Send an operator's control and wait until it applied."""
        self._count += 1
        name = f"control-{self._test}-{self._count}"
        wish = Control(control_id=name, verb=_VERBS[verb], reason=reason)
        self.cluster.publish_inbox(address, InboxRecord(control=wish))
        self.cluster.await_found(
            lambda: any(
                record.outcome.controlled.control_id == name
                for record in self.cluster.history(address)
            ),
            f"{verb} of {address}",
        )

    # ------------------------------------------------------------------------------------- views

    def outputs(self, address: str) -> list[SentOut]:
        """Return what an instance sent out in this test."""
        turns = {record.outcome.turn for record in self.history(address)}
        told = []
        for envelope in self.cluster.outbox(address):
            name = str(envelope["id"])
            if int(name.rsplit("/", 2)[1]) in turns:
                rest = {k: v for k, v in envelope.items() if k not in {"data", "data_base64"}}
                data = envelope.get("data", envelope.get("data_base64"))
                told.append(SentOut(name, str(envelope["type"]), data, rest))
        return told

    def state(self, address: str) -> Any:
        """Return an instance's state: as its agent's dataclass, or decoded where it has none."""
        self._await_idle()
        stored = stored_of(self.cluster.history(address))
        agent = self._agents.get(split_address(address)[0])
        if agent is None:
            values = {name: decoded(value) for name, value in stored.values.items()}
            return values | {name: [*map(decoded, log)] for name, log in stored.logs.items()}
        state = State(values=stored.values)
        for name, items in stored.logs.items():
            state.logs[name].CopyFrom(LogWindow(length=len(items), items=items))
        return agent.codec.load(state).state

    def history(self, address: str) -> list[HistoryRecord]:
        """Return an instance's turns of this test, failures and controls included."""
        self._await_idle()
        first = self._first_turn.get(address, 0)
        return [r for r in self.cluster.history(address) if r.outcome.turn >= first]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """What was given up in this test."""
        self._await_idle()
        return self.cluster.letters()[self._letters_before :]

    def letters(self, address: str) -> list[DeadLetter]:
        """Return what was given up of an instance, in this test and before."""
        self._await_idle()
        return self.cluster.letters_of(address)

    def is_parked(self, address: str) -> bool:
        """Tell whether an instance waits for an operator."""
        self._await_idle()
        return self.cluster.is_parked(address)

    def _reset_once(self, address: str) -> None:
        if address in self._first_turn:
            return
        before = self.cluster.history(address)
        if before:
            self.control(address, "reset", reason="another test begins")
        turns = [record.outcome.turn for record in self.cluster.history(address)]
        self._first_turn[address] = max(turns, default=0) + 1

    def _await_idle(self) -> None:
        # All others too: what they were sent may make them send messages to this one.
        sent = dict(self._sent)
        self.cluster.await_found(
            lambda: self.cluster.is_through(sent), f"the rest of {sorted(sent)}"
        )
