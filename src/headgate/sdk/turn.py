"""Turn: what a handler sees of the turn it runs in, and what it does."""

import dataclasses
import enum
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from headgate.sdk.event import Event
from headgate.sdk.tracing import headers_of
from headgate.v1 import agent_pb2 as pb

S = TypeVar("S")

_EXTENSION_NAME = re.compile(r"[a-z0-9]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Turn(Generic[S]):
    """One turn of one instance: its state, and the effects that the handler asks for.

    Nothing leaves before the turn is done, and nothing of a failed event leaves at all.

    >>> turn = Turn(pb.TurnRequest(agent_type="order", key="17", turn=1), None)
    >>> turn.emit("shop.order.reply", {"text": "on its way"})
    >>> turn.address
    'order/17'
    """

    __slots__ = ("_cause", "_messages", "_outputs", "_request", "_settled", "_timers", "_usage",
                 "state")  # fmt: skip

    def __init__(self, request: pb.TurnRequest, state: S) -> None:
        self.state = state
        self._request = request
        self._outputs: list[pb.Output] = []
        self._messages: list[pb.Message] = []
        self._timers: list[pb.TimerChange] = []
        self._usage: list[pb.Usage] = []
        self._cause = 0
        self._settled = (0, 0, 0)

    @property
    def agent_type(self) -> str:
        return self._request.agent_type

    @property
    def key(self) -> str:
        return self._request.key

    @property
    def address(self) -> str:
        return f"{self._request.agent_type}/{self._request.key}"

    @property
    def turn_number(self) -> int:
        """Number of this turn in the instance's life, from 1; the same for a retry."""
        return self._request.turn

    @property
    def attempt(self) -> int:
        """Try of the head event, from 1."""
        return self._request.attempt

    @property
    def now(self) -> datetime:
        """When Headgate asked for this turn first; another time for a retry."""
        return _EPOCH + timedelta(microseconds=self._request.asked_us)

    @property
    def idempotency_key(self) -> str:
        """Names this call: hand it to whatever must not act twice on one call."""
        return self._request.idempotency_key

    @property
    def traceparent(self) -> str:
        """W3C trace context of this turn: the parent of whatever its handlers record."""
        return self._request.traceparent

    def trace_headers(self) -> dict[str, str]:
        """Headers that put a request of a handler's into the turn's trace; {} if it has none.

        The parent is the handler's span where the service records one (`headgate.sdk.tracing`),
        else the turn's.

        >>> request = pb.TurnRequest(traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
        >>> Turn(request, None).trace_headers()["traceparent"] == request.traceparent
        True
        """
        return headers_of(self._request)

    def step_key(self, event: Event, name: str) -> str:
        """Name one effect inside the turn, the same across re-sends, attempts and batches.

        >>> turn = Turn(pb.TurnRequest(agent_type="order", key="17"), None)
        >>> paid = Event(pb.Event(id="7", source="shop"))
        >>> turn.step_key(paid, "charge") == turn.step_key(paid, "charge")
        True
        """
        parts = [part.encode() for part in (self.address, event.source, event.id, name)]
        # Lengths first: otherwise ("a", "bc") and ("ab", "c") would be one key.
        joined = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.sha256(joined).hexdigest()[:32]

    def emit(
        self,
        type: str,  # noqa: A002 - CloudEvents calls it so
        data: Any = None,
        *,
        subject: str | None = None,
        extensions: dict[str, str] | None = None,
        datacontenttype: str | None = None,
    ) -> None:
        """Publish an event to the outbox: JSON, or bytes as they are.

        >>> turn = Turn(pb.TurnRequest(agent_type="order", key="17"), None)
        >>> turn.emit("shop.invoice", b"%PDF", datacontenttype="application/pdf")
        """
        payload, media_type = _encode(data, datacontenttype)
        _check_extensions(extensions)
        self._outputs.append(
            pb.Output(
                type=_named(type, "event type"),
                data=payload,
                datacontenttype=media_type,
                subject=subject or "",
                extensions=extensions,
                cause=self._cause,
            )
        )

    def send(
        self,
        address: str,
        type: str,  # noqa: A002 - as above
        data: Any = None,
        *,
        datacontenttype: str | None = None,
        extensions: dict[str, str] | None = None,
    ) -> None:
        """Send a message to another instance, "type/key", or to this one.

        It arrives once the turn is in the journal, exactly once in effect, and after all that this
        instance has sent there before. There it is an event of that type.

        >>> turn = Turn(pb.TurnRequest(agent_type="order", key="17"), None)
        >>> turn.send("billing/17", "shop.order.paid", {"amount": 3})
        """
        agent_type, slash, key = address.partition("/")
        if not (agent_type and slash and key):
            message = f"address {address!r} is not of the form type/key"
            raise ValueError(message)
        payload, media_type = _encode(data, datacontenttype)
        _check_extensions(extensions)
        self._messages.append(
            pb.Message(
                agent_type=agent_type,
                key=key,
                type=_named(type, "event type"),
                data=payload,
                datacontenttype=media_type,
                extensions=extensions,
                cause=self._cause,
            )
        )

    def set_timer(self, name: str, due: timedelta | datetime, data: Any = None) -> None:
        """Set a durable timer, after a while or at a time; the same name replaces it.

        When it is due it becomes an event of type "headgate.timer" that `Agent.on_timer` takes,
        exactly once in effect, however long that is and whatever crashes meanwhile. A moment in the
        past is due at once. A reset of the instance cancels it.

        >>> turn = Turn(pb.TurnRequest(agent_type="order", key="17"), None)
        >>> turn.set_timer("remind", timedelta(hours=2), {"about": "payment"})
        """
        payload, media_type = (b"", "") if data is None else _encode(data, None)
        change = pb.TimerChange(
            name=_named(name, "timer name"),
            data=payload,
            datacontenttype=media_type,
            cause=self._cause,
        )
        if isinstance(due, timedelta):
            change.after_ms = max(0, due // timedelta(milliseconds=1))
        else:
            if due.tzinfo is None:
                message = f"timer {name!r} is due at {due}, a time without a zone"
                raise ValueError(message)
            change.at_us = max(0, (due - _EPOCH) // timedelta(microseconds=1))
        self._timers.append(change)

    def cancel_timer(self, name: str) -> None:
        """Cancel a timer, even one whose event waits already; no error if there is none.

        >>> turn = Turn(pb.TurnRequest(agent_type="order", key="17"), None)
        >>> turn.cancel_timer("remind")
        """
        self._timers.append(pb.TimerChange(name=_named(name, "timer name"), cancel=True))

    def used(
        self,
        *,
        model: str,
        input_tokens: int = 0,
        output_tokens: int = 0,
        duration: timedelta | None = None,
        cost_micros: int = 0,
        currency: str = "",
    ) -> None:
        """Report what a model call used. It counts even if the event then fails.

        >>> turn = Turn(pb.TurnRequest(agent_type="order", key="17"), None)
        >>> turn.used(model="small-1", input_tokens=210, output_tokens=35)
        """
        self._usage.append(
            pb.Usage(
                model=model,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                duration_ms=duration // timedelta(milliseconds=1) if duration else 0,
                cost_micros=cost_micros,
                currency=currency,
            )
        )

    def _begin(self, index: int) -> None:
        """Start the event at this place of the batch."""
        self._cause = index

    def _settle(self) -> None:
        """Keep the effects so far: the event's handler has returned."""
        self._settled = (len(self._outputs), len(self._messages), len(self._timers))

    def _hand_over(self, reply: pb.TurnReply) -> None:
        """Put into the reply what was settled, and the usage."""
        # Only what was settled: a thread that outlived its deadline may still be adding to the
        # rest. Most turns have outputs alone, and even an empty extend costs.
        outputs, messages, timers = self._settled
        if outputs:
            reply.outputs.extend(self._outputs[:outputs])
        if messages:
            reply.messages.extend(self._messages[:messages])
        if timers:
            reply.timers.extend(self._timers[:timers])
        # Usage of the failed event counts too: it has been paid for.
        if self._usage:
            reply.usage.extend(self._usage)


def _check_extensions(extensions: dict[str, str] | None) -> None:
    for name in extensions or ():
        if not _EXTENSION_NAME.fullmatch(name):
            message = f"extension {name!r}: CloudEvents allows only a-z and 0-9"
            raise ValueError(message)


def _named(text: str, what: str) -> str:
    if not text or len(text) > 255:
        message = f"{what} must have 1 to 255 characters, not {len(text)}"
        raise ValueError(message)
    return text


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    message = f"{type(value).__name__} cannot be sent as JSON"
    raise TypeError(message)


to_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
).encode
"""Write JSON as outputs and messages have it: dataclasses, enums and times included."""


def _encode(data: Any, media_type: str | None) -> tuple[bytes, str]:
    if isinstance(data, bytes):
        return data, media_type or "application/octet-stream"
    return to_json(data).encode(), media_type or ""
