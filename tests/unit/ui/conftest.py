"""The console's pages over data as it was recorded: a history, a registry and facts in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from starlette.testclient import TestClient

from headgate.bootstrap import Bootstrap
from headgate.cli.broker import Broker
from headgate.config import Config
from headgate.core.identity import split_address
from headgate.history.errors import NeverSeenError
from headgate.kafka import registry
from headgate.kafka.registry import Contents
from headgate.rpc.health import Answer
from headgate.ui.app import make_app
from headgate.ui.desk import Desk
from headgate.ui.facts import AgentFact, Facts
from headgate.ui.guard import Access
from headgate.ui.window import Window
from headgate.v1.agent_pb2 import Completed, Mutation, Output, Usage
from headgate.v1.history_pb2 import StateAsOf, TurnAsOf
from headgate.v1.turn_pb2 import AgentSpec, JobRecord

T = TypeVar("T")
NOW = 1_700_000_000_000
HOSTILE = '<script>document.title="owned"</script>'


class PastOfOne:
    """A history that knows one instance, which sets `n` to its turn's number."""

    def __init__(self, address: str = "order/17", turns: int = 100) -> None:
        self.address, self.last = address, turns
        self.text = HOSTILE

    def state(self, address: str, *, at_us: int = 0, turn: int = 0) -> StateAsOf:
        if address != self.address or turn > self.last:
            message = f"{address} was never seen"
            raise NeverSeenError(message)
        number = turn or (at_us - NOW * 1_000) // 1_000_000 or self.last if at_us else turn
        number = number or self.last
        agent_type, key = split_address(address)
        found = StateAsOf(agent_type=agent_type, key=key, turn=number, at_us=NOW * 1_000)
        found.state.values["n"] = str(number).encode()
        found.state.values["text"] = json.dumps(self.text).encode()
        found.state.logs["notes"].items.extend(json.dumps(n).encode() for n in range(number))
        found.changed.update({"n": number, "text": 1, "notes": number})
        return found

    def turns(
        self, address: str, *, first: int = 0, last: int = 0, newest: int = 0
    ) -> list[TurnAsOf]:
        first = first or max(1, self.last - newest + 1)
        return [self._turn(number) for number in range(first, (last or self.last) + 1)]

    def snapshot(self, **_: object) -> Iterator[StateAsOf]:
        found = StateAsOf(agent_type="refund", key="one")
        values = {
            "run": 1,
            "status": "running",
            "started_us": NOW * 1_000,
            "pending": {"1": "signal approve"},
            "shown": {"customer": self.text},
        }
        for name, value in values.items():
            found.state.values[name] = json.dumps(value).encode()
        yield found

    def _turn(self, number: int) -> TurnAsOf:
        made = TurnAsOf(valid_us=NOW * 1_000)
        made.record.at_us = NOW * 1_000
        outcome = made.record.outcome
        outcome.agent_type, outcome.key = split_address(self.address)
        outcome.turn, outcome.attempt = number, 1
        outcome.completed.CopyFrom(Completed())
        outcome.taken.add(id=f"event-{number}{self.text}")
        outcome.mutations.append(Mutation(name="n", set=str(number).encode()))
        outcome.outputs.append(Output(type="reply", data=json.dumps(self.text).encode()))
        outcome.usage.append(Usage(model="small", input_tokens=7))
        outcome.traceparent = f"00-{'a' * 32}-{'b' * 16}-01"
        return made


@dataclass
class Watched:
    """Facts that a test has made up."""

    known: Facts
    window: Window = field(default_factory=Window)
    # A table that has read nothing yet.
    registry: Any = field(default_factory=dict)
    started_ms: int = NOW

    def look(self) -> None:
        return

    def facts(self) -> Facts:
        return self.known

    def answers(self) -> dict[str, Answer]:
        return {"h:1": Answer("h:1", "serving", revisions=(("order", "v1"),))}


@dataclass(frozen=True, slots=True)
class PastDesk(Desk):
    """A desk whose history is in memory."""

    remembered: Any = None

    async def past(self, ask: Callable[[Any], T]) -> T:
        return ask(self.remembered)


@dataclass
class World:
    """A console and all that it sees."""

    watched: Watched
    past: PastOfOne
    specs: dict[str, AgentSpec]

    def desk(self) -> Desk:
        """What the pages work with."""
        broker = Broker(Bootstrap("h:9092"), Config())
        trace = "https://traces.example/trace/{trace_id}"
        return PastDesk(broker, self.watched, "h:7091", "http://h:8081", trace, self.past)

    def client(self, access: Access | None = None, host: str = "localhost:7060") -> TestClient:
        """A browser at the console; forms are sent with `post`."""
        app = make_app(self.desk(), access or Access())
        return TestClient(app, base_url=f"http://{host}", follow_redirects=False)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    spec = AgentSpec(type="order", endpoints=["h:1"], schema_version=1)
    spec.policy.deadline_ms = 30_000
    spec.policy.max_attempts = 3
    facts = Facts(NOW, agents=(AgentFact("order", health="serving", endpoints=("h:1",)),))
    made = World(Watched(facts), PastOfOne(), {"order": spec})

    def read(bootstrap: Bootstrap, topic: str) -> Contents:
        return Contents(dict(made.specs), JobRecord(name="headgate", topics=["messages"]))

    def write(bootstrap: Bootstrap, topic: str, specs: dict[str, AgentSpec]) -> None:
        made.specs.update(specs)

    monkeypatch.setattr(registry, "read_contents", read)
    monkeypatch.setattr(registry, "write_specs", write)
    return made
