"""Records of Headgate's topics as plain dicts, for people and for JSON.

Every dict has `_record` (where it stands); CloudEvents attributes can have no such name. A record
that cannot be read has `_unreadable` (why) and its value as it came.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from google.protobuf.message import DecodeError

from headgate.core.decode import Record
from headgate.core.render import rfc3339
from headgate.kafka.outcomes import code_name, data_of, outcome_view, place_of
from headgate.sealing.envelope import is_sealed, told
from headgate.v1.turn_pb2 import DeadLetter, HistoryRecord, JournalRecord, SettledLetter, Tick

Kind = Literal["outbox", "history", "journal", "dead-letters"]
View = dict[str, Any]


class _UnreadableError(Exception):
    pass


def view(kind: Kind, record: Record) -> View:
    """Return what a record says; total: one that cannot be read, or is sealed with a key that is
    not here, is shown as such.
    """
    place = _record_view(record)
    if kind != "outbox" and is_sealed(record.value or b""):
        # The bytes are nothing to look at.
        return {"_record": place, "_unreadable": told(record.value or b"")}
    try:
        if record.value is None:
            message = "it has no value"
            raise _UnreadableError(message)  # noqa: TRY301
        return {"_record": place, **_READERS[kind](record.value)}
    except (_UnreadableError, DecodeError, ValueError, OverflowError, RecursionError) as error:
        why = str(error) or type(error).__name__
        return {"_record": place, "_unreadable": why, **data_of("value", record.value or b"")}


def is_mark(seen: View) -> bool:
    """Tell whether a view is of no turn: a journal's tick, a moment that the history closes."""
    return "tick" in seen or "closed" in seen


def _record_view(record: Record) -> View:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": _time_ms(record.timestamp_ms),
        "key": (record.key or b"").decode(errors="backslashreplace"),
    }


def _outbox(value: bytes) -> View:
    event = json.loads(value)
    if not isinstance(event, dict) or "specversion" not in event:
        message = "it is no CloudEvent"
        raise _UnreadableError(message)
    return {str(name): content for name, content in event.items()}


def _history(value: bytes) -> View:
    record = HistoryRecord.FromString(value)
    if record.HasField("closed"):
        until = rfc3339(record.closed.until_us)
        return {"closed": {"partition": record.closed.partition, "until": until}}
    if not record.outcome.agent_type:
        message = "it holds no outcome"
        raise _UnreadableError(message)
    return {
        **outcome_view(record.outcome),
        "at": rfc3339(record.at_us),
        "base_after": record.base_after.hex(),
        "journal": {
            "partition": record.journal_partition,
            "offset": record.journal_offset,
            "timestamp": _time_ms(record.journal_ms),
        },
    }


def _journal(value: bytes) -> View:
    record = JournalRecord.FromString(value)
    match record.WhichOneof("kind"):
        case "outcome" if record.outcome.agent_type:
            return outcome_view(record.outcome)
        case "tick":
            return {"tick": _tick(record.tick)}
        case _:
            message = "it is neither an outcome nor a tick"
            raise _UnreadableError(message)


def _tick(tick: Tick) -> View:
    return {
        "nonce": tick.nonce.hex(),
        "start": tick.start,
        "written": rfc3339(tick.written_us),
        "partition": tick.partition,
        "partitions": tick.partitions,
    }


def _dead_letter(value: bytes) -> View:
    letter = DeadLetter.FromString(value)
    if not letter.reason:
        message = "it holds no dead letter"
        raise _UnreadableError(message)
    return letter_view(letter)


def settled_view(settled: SettledLetter) -> View:
    """Return what became of a dead letter."""
    fate = SettledLetter.Fate.Name(settled.fate).lower()
    return {"fate": fate, "at": _time_ms(settled.at_ms), "why": settled.reason}


def letter_view(letter: DeadLetter) -> View:
    """Return what a dead letter says."""
    shown: View = {
        "id": letter.id,
        "reason": letter.reason,
        "message": letter.message,
        "address": letter.address,
        "at": _time_ms(letter.at_ms),
        "event_id": letter.event_id,
        "event_type": letter.event_type,
        "attempts": letter.attempts,
        "truncated": letter.truncated,
        **data_of("record_key", letter.record_key, is_text=True),
        **data_of("record_value", letter.record_value),
    }
    if letter.code:
        shown["code"] = code_name(letter.code)
    if letter.HasField("origin"):
        shown["origin"] = place_of(letter.origin)
    if letter.record_headers:
        shown["record_headers"] = {
            name: content.decode(errors="backslashreplace")
            for name, content in sorted(letter.record_headers.items())
        }
    return shown


def _time_ms(ms: int) -> str:
    return rfc3339(ms * 1_000) if ms > 0 else ""


_READERS: dict[Kind, Callable[[bytes], View]] = {
    "outbox": _outbox,
    "history": _history,
    "journal": _journal,
    "dead-letters": _dead_letter,
}
