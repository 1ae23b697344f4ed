"""An outcome as a plain dict: names instead of numbers, JSON where bytes are JSON."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from headgate.core.bounds import fault_of_time
from headgate.core.identity import address_of
from headgate.core.prices import units
from headgate.core.render import rfc3339
from headgate.v1.agent_pb2 import FailureCode, Message, Mutation, Origin, Output, TimerChange, Usage
from headgate.v1.turn_pb2 import Controlled, EventRef, Failed, Outcome


def outcome_view(outcome: Outcome) -> dict[str, Any]:
    """Return what an outcome says; parts that it has none of are left out."""
    shown: dict[str, Any] = {
        "address": address_of(outcome.agent_type, outcome.key),
        "turn": outcome.turn,
        "attempt": outcome.attempt,
        "verdict": outcome.WhichOneof("verdict") or "none",
        "outcome_id": outcome.outcome_id.hex(),
        "base": outcome.base.hex(),
        "events": [_event(ref) for ref in outcome.taken],
    }
    match outcome.WhichOneof("verdict"):
        case "failed":
            shown["failure"] = _failure(outcome.failed)
        case "controlled":
            shown["control"] = {
                "verb": verb_name(outcome.controlled.verb),
                "control_id": outcome.controlled.control_id,
                "reason": outcome.controlled.reason,
            }
    parts: dict[str, Any] = {
        "mutations": [_mutation(mutation) for mutation in outcome.mutations],
        "outputs": [_output(output) for output in outcome.outputs],
        "messages": [_message(message) for message in outcome.messages],
        "timers": [_timer(timer) for timer in outcome.timers],
        "usage": [_usage(usage) for usage in outcome.usage],
        "cost": units(outcome.cost_nanos) if outcome.cost_nanos else "",
        "tenant": outcome.tenant if outcome.cost_nanos else "",
        "stand_in": outcome.stand_in,
        "revision": outcome.revision,
        "called": _moment(outcome.called_us),
        "answered": _moment(outcome.answered_us),
        "call_ms": (outcome.answered_us - outcome.called_us) / 1_000 if outcome.called_us else 0,
        "traceparent": outcome.traceparent,
        "event_traceparents": [*outcome.event_traceparents],
    }
    return shown | {name: part for name, part in parts.items() if part}


def data_of(name: str, raw: bytes, *, is_text: bool = False) -> dict[str, Any]:
    """Return bytes under `name`: as JSON, else as text, else under `name_base64`.

    >>> data_of("set", b'{"a":1}'), data_of("set", bytes([255]))
    ({'set': {'a': 1}}, {'set_base64': '/w=='})
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return {f"{name}_base64": b64encode(raw).decode()}
    if is_text:
        return {name: text}
    try:
        return {name: json.loads(text)}
    except (ValueError, RecursionError):
        return {name: text}


def place_of(origin: Origin) -> dict[str, Any]:
    """Return a position in Kafka."""
    return {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset}


def verb_name(verb: int) -> str:
    """Return a control's name as people write it; a number that is unknown stays one."""
    return Controlled.Verb.Name(verb).lower() if verb in Controlled.Verb.values() else str(verb)


def _moment(us: int) -> str:
    """Return a time of the writer's clock; a number that is none stays one."""
    if fault_of_time(us, ""):
        return str(us)
    return rfc3339(us) if us else ""


def code_name(code: int) -> str:
    """Return a failure code's name as people write it; a number that is unknown stays one.

    >>> code_name(4), code_name(99)
    ('bad_reply', '99')
    """
    try:
        return FailureCode.Name(code).removeprefix("FAILURE_CODE_").lower()
    except ValueError:
        return str(code)


def _event(ref: EventRef) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": ref.id, "source": ref.source}
    if ref.correlation_id:
        shown["correlation_id"] = ref.correlation_id
    if ref.HasField("origin"):
        shown["origin"] = place_of(ref.origin)
    return shown


def _failure(failed: Failed) -> dict[str, Any]:
    shown: dict[str, Any] = {"code": code_name(failed.code), "message": failed.message}
    match failed.WhichOneof("disposition"):
        case "retry_after_ms":
            shown |= {"then": "retry", "retry_after_ms": failed.retry_after_ms}
        case "park":
            shown["then"] = "park"
        case "dead_letter":
            shown |= {"then": "dead_letter", "reason": failed.dead_letter.reason}
    return shown


def _mutation(mutation: Mutation) -> dict[str, Any]:
    match mutation.WhichOneof("change"):
        case "set":
            return {"name": mutation.name, **data_of("set", mutation.set)}
        case "append":
            return {"name": mutation.name, **data_of("append", mutation.append)}
        case _:
            return {"name": mutation.name, "delete": True}


def _output(output: Output) -> dict[str, Any]:
    return {"type": output.type, **data_of("data", output.data)}


def _message(message: Message) -> dict[str, Any]:
    to = address_of(message.agent_type, message.key)
    return {"to": to, "type": message.type, **data_of("data", message.data)}


def _timer(timer: TimerChange) -> dict[str, Any]:
    match timer.WhichOneof("change"):
        case "after_ms":
            return {"name": timer.name, "after_ms": timer.after_ms}
        case "at_us":
            return {"name": timer.name, "at": rfc3339(timer.at_us)}
        case _:
            return {"name": timer.name, "cancel": True}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        field.name: value
        for field, value in usage.ListFields()  # only what was told
    }
