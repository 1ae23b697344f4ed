"""AgentTester: an agent's turns without a network, through the real requests and replies."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from headgate.sdk.agent import Agent
from headgate.sdk.event import is_json
from headgate.sdk.run import run, run_inline
from headgate.v1 import agent_pb2 as pb

S = TypeVar("S")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Emitted:
    """An output or message of a turn; `address` is empty for outputs."""

    type: str
    data: Any
    subject: str = ""
    extensions: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """How a turn failed: code and advice as the contract names them, without their prefix."""

    code: str
    message: str
    advice: str
    retry_after: timedelta
    event_id: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of an instance: encoded values, and whole lists."""

    values: Mapping[str, bytes] = field(default_factory=dict)
    logs: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)

    def apply(self, mutations: Sequence[pb.Mutation]) -> "Stored":
        """Return what is stored after these mutations, in order.

        >>> Stored().apply([pb.Mutation(name="n", set=b"1")]).values
        {'n': b'1'}
        """
        values, logs = dict(self.values), dict(self.logs)
        for mutation in mutations:
            match mutation.WhichOneof("change"):
                case "set":
                    values[mutation.name] = mutation.set
                case "append":
                    logs[mutation.name] = (*logs.get(mutation.name, ()), mutation.append)
                case "delete":
                    values.pop(mutation.name, None)
                    logs.pop(mutation.name, None)
        return Stored(values, logs)


@dataclass(frozen=True, slots=True)
class TurnResult(Generic[S]):
    """What a turn left behind; `state` is a fresh copy, as the next turn would see it."""

    state: S
    outputs: list[Emitted]
    messages: list[Emitted]
    usage: list[pb.Usage]
    failure: Failed | None
    stored: Stored
    reply: pb.TurnReply


class AgentTester(Generic[S]):
    """Sends events to an agent and keeps the state of each key.

    >>> agent = Agent("echo")
    >>> @agent.on("*")
    ... def answer(turn, event):
    ...     turn.emit("echo.reply", event.data)
    >>> AgentTester(agent).send("17", "echo.ask", {"text": "hi"}).outputs[0].data
    {'text': 'hi'}
    """

    def __init__(self, agent: Agent[S], *, log_window: int = 200) -> None:
        self._agent = agent
        self._log_window = log_window
        self._stored: dict[str, Stored] = {}
        self._turns: dict[str, int] = {}
        self._events = 0
        self._runner: asyncio.Runner | None = None

    def event(
        self,
        type: str,  # noqa: A002 - CloudEvents calls it so
        data: Any = None,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents calls it so
        source: str = "tester",
        subject: str = "",
        time: datetime | None = None,
        datacontenttype: str = "",
        extensions: Mapping[str, str] | None = None,
    ) -> pb.Event:
        """Make an event: data as JSON, or bytes as they are."""
        self._events += 1
        given = id or f"e{self._events}"
        return pb.Event(
            id=given,
            source=source,
            type=type,
            subject=subject,
            time_us=(time - _EPOCH) // timedelta(microseconds=1) if time else 0,
            datacontenttype=datacontenttype,
            data=data if isinstance(data, bytes) else json.dumps(data).encode(),
            extensions=dict(extensions or {}),
            correlation_id=given,
            fingerprint=hashlib.sha256(f"{source}\n{given}".encode()).digest()[:16],
            has_id=True,
        )

    def send(self, key: str, type: str, data: Any = None, **more: Any) -> TurnResult[S]:  # noqa: A002
        """Run a turn of one event; further arguments are those of `event`."""
        return self.send_batch(key, [self.event(type, data, **more)])

    async def asend(self, key: str, type: str, data: Any = None, **more: Any) -> TurnResult[S]:  # noqa: A002
        """As `send`, for tests that are coroutines."""
        request = self._request(key, [self.event(type, data, **more)], 1)
        return self._take(key, await run(self._agent, request))

    def send_batch(
        self, key: str, events: Sequence[pb.Event], *, attempt: int = 1
    ) -> TurnResult[S]:
        """Run a turn of several events."""
        request = self._request(key, events, attempt)
        if self._agent.is_inline:
            return self._take(key, run_inline(self._agent, request))
        if self._runner is None:
            # One loop for all turns: clients that an agent keeps are bound to theirs.
            self._runner = asyncio.Runner()
        return self._take(key, self._runner.run(run(self._agent, request)))

    def close(self) -> None:
        """End the loop that async handlers ran in."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _request(self, key: str, events: Sequence[pb.Event], attempt: int) -> pb.TurnRequest:
        stored = self._stored.get(key, Stored())
        turn = self._turns.get(key, 0) + 1
        address = f"{self._agent.name}/{key}"
        base = hashlib.sha256(f"{address}\n{turn}".encode()).digest()[:16]
        request = pb.TurnRequest(
            request_id=b"1",
            agent_type=self._agent.name,
            key=key,
            base=base,
            turn=turn,
            attempt=attempt,
            events=events,
            state=self._window(stored),
            idempotency_key=hashlib.sha256(base + bytes([attempt])).hexdigest()[:32],
        )
        return pb.TurnRequest.FromString(request.SerializeToString())

    def _window(self, stored: Stored) -> pb.State:
        state = pb.State(values=stored.values)
        for name, items in stored.logs.items():
            state.logs[name].length = len(items)
            state.logs[name].items.extend(items[-self._log_window :])
        return state

    def _take(self, key: str, answer: pb.TurnReply) -> TurnResult[S]:
        reply = pb.TurnReply.FromString(answer.SerializeToString())
        failed = reply.HasField("failed")
        stored = self._stored.get(key, Stored()).apply(reply.mutations)
        self._stored[key] = stored
        if reply.taken_event_ids:
            self._turns[key] = self._turns.get(key, 0) + 1
        return TurnResult(
            state=self._agent.codec.load(self._window(stored)).state,
            outputs=[
                Emitted(
                    each.type,
                    _data(each.data, each.datacontenttype),
                    each.subject or key,
                    dict(each.extensions),
                )
                for each in reply.outputs
            ],
            messages=[
                Emitted(
                    each.type,
                    _data(each.data, each.datacontenttype),
                    address=f"{each.agent_type}/{each.key}",
                )
                for each in reply.messages
            ],
            usage=list(reply.usage),
            failure=_failed(reply.failed) if failed else None,
            stored=stored,
            reply=reply,
        )


def _data(data: bytes, media_type: str) -> Any:
    return json.loads(data) if is_json(media_type) else data


def _failed(failure: pb.Failure) -> Failed:
    return Failed(
        code=pb.FailureCode.Name(failure.code).removeprefix("FAILURE_CODE_"),
        message=failure.message,
        advice=pb.Advice.Name(failure.advice).removeprefix("ADVICE_"),
        retry_after=timedelta(milliseconds=failure.retry_after_ms),
        event_id=failure.event_id,
    )
