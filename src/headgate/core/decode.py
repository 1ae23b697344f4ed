"""From a Kafka record to an event: CloudEvents in both modes, JSON, bytes. Total: what cannot be
read becomes a dead letter that names the field and what to do.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from headgate.core.identity import event_fingerprint, record_fingerprint
from headgate.core.letters import letter_for_record
from headgate.core.own_types import OWN_TYPES
from headgate.core.render import is_json
from headgate.v1.agent_pb2 import Event, Origin
from headgate.v1.turn_pb2 import DeadLetter

STRUCTURED = "application/cloudevents+json"
MAX_KEY_CHARS = 1_024
MAX_ATTRIBUTE_CHARS = 1_024
"""Longest attribute of those that an outcome's records copy from its events. Without a bound one
event could make outputs that no sink can write, and the job would restart for ever."""
_COPIED = frozenset(("id", "source", "type", "subject", "correlationid", "traceparent"))

_MEDIA = {"json": "application/json", "bytes": "application/octet-stream"}

_PARSE = json.JSONDecoder().decode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX = "ce_"
_ATTRIBUTES = frozenset(
    ("id", "source", "specversion", "type", "subject", "time", "datacontenttype", "dataschema")
)


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as it was read."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]

    def origin(self) -> Origin:
        """Return where it stands."""
        return Origin(
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            timestamp_ms=self.timestamp_ms,
        )


@dataclass(frozen=True, slots=True)
class TopicRule:
    """How the records of one topic are read. Who gets their events is the routes' affair.

    ``key`` is ``record`` (the Kafka key), ``subject``, ``extension:NAME`` or ``json:/POINTER``.
    """

    format: Literal["cloudevents", "json", "bytes"]
    key: str
    type: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """An event, and the key of the instances it is for."""

    key: str
    event: Event


class _UnreadableError(Exception):
    def __init__(self, *, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def decode(record: Record, rule: TopicRule) -> Decoded | DeadLetter:
    """Read a record by its topic's rule."""
    try:
        return _decode(record, rule)
    except _UnreadableError as bad:
        where = f"{record.topic}/{record.partition}@{record.offset}"
        return letter_for_record(
            reason=bad.reason,
            message=f"{where}: {bad}",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            key=record.key,
            value=record.value,
            headers={name: value or b"" for name, value in record.headers.items()},
        )


def _decode(record: Record, rule: TopicRule) -> Decoded:
    value = record.value or b""
    headers = sum(len(name) + len(content or b"") for name, content in record.headers.items())
    if len(value) + headers > rule.max_bytes:
        msg = (
            f"value and headers have {len(value)} and {headers} bytes, limits.max_record allows "
            f"{rule.max_bytes}; send less"
        )
        raise _UnreadableError(reason="too_large", message=msg)
    topic, partition, offset = record.topic, record.partition, record.offset
    document: Any = None
    if rule.format == "cloudevents":
        event = _cloudevent(record, value)
        event.fingerprint = event_fingerprint(event.source, event.id)
        if not event.correlation_id:
            event.correlation_id = event.id
    else:
        if rule.format == "json":
            document = _json(value, "value")
        event_id = f"{topic}/{partition}/{offset}"
        event = Event(
            id=event_id,
            source=f"kafka:{topic}",
            type=rule.type,
            datacontenttype=_MEDIA[rule.format],
            data=value,
            correlation_id=event_id,
        )
    origin = event.origin
    origin.topic, origin.partition = topic, partition
    origin.offset, origin.timestamp_ms = offset, record.timestamp_ms
    if not event.has_id:
        event.fingerprint = record_fingerprint(origin)
    return Decoded(_key(record, rule, event, document), event)


def _cloudevent(record: Record, value: bytes) -> Event:
    headers = record.headers
    media = _text(headers.get("content-type"), "header content-type")
    if f"{_PREFIX}specversion" in headers and not media.startswith(STRUCTURED):
        attributes: dict[str, Any] = {
            name[len(_PREFIX) :]: _text(raw, f"header {name}")
            for name, raw in headers.items()
            if name.startswith(_PREFIX)
        }
        if media:
            attributes["datacontenttype"] = media
        return _event(attributes, value)
    envelope = _json(value, "value")
    if not isinstance(envelope, dict) or "specversion" not in envelope:
        msg = (
            "value is no CloudEvent: no specversion in it and no ce_specversion header; send "
            "CloudEvents, or set the topic's format to json"
        )
        raise _UnreadableError(reason="not_cloudevents", message=msg)
    data = envelope.pop("data", None)
    packed = envelope.pop("data_base64", None)
    if packed is not None:
        try:
            body = b64decode(packed, validate=True)
        except (ValueError, TypeError) as error:
            raise _UnreadableError(
                reason="bad_data", message=f"data_base64 is not base64: {error}"
            ) from error
    elif data is None:
        body = b""
    elif isinstance(data, str) and not is_json(str(envelope.get("datacontenttype", ""))):
        body = data.encode(errors="replace")
    else:
        body = _dump(data)
    return _event(envelope, body)


def _event(attributes: dict[str, Any], data: bytes) -> Event:
    if str(attributes.get("specversion")) != "1.0":
        found = attributes.get("specversion")
        raise _UnreadableError(
            reason="bad_attribute", message=f"specversion is {found!r}; this reads 1.0"
        )
    for name in ("id", "source", "type"):
        if not isinstance(attributes.get(name), str) or not attributes[name]:
            raise _UnreadableError(
                reason="bad_attribute",
                message=f"CloudEvents attribute {name!r} is missing or empty",
            )
    if attributes["type"] in OWN_TYPES:
        message = (
            f"CloudEvents attribute 'type' is {attributes['type']!r}, which Headgate alone gives; "
            "send signals with `headgate signal`, or choose another type"
        )
        raise _UnreadableError(reason="bad_attribute", message=message)
    for name, value in attributes.items():
        _check_attribute(name, value)
    event = Event(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=str(attributes.get("subject") or ""),
        datacontenttype=str(attributes.get("datacontenttype") or "application/json"),
        dataschema=str(attributes.get("dataschema") or ""),
        data=data,
        has_id=True,
    )
    time = attributes.get("time")
    if time:
        event.time_us = _time_us(str(time))
    for name, value in attributes.items():
        if name in _ATTRIBUTES or value is None:
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        if name == "traceparent":
            event.traceparent = text
        elif name == "correlationid":
            event.correlation_id = text
        else:
            event.extensions[name] = text
    return event


def _check_attribute(name: str, value: Any) -> None:
    text = f"{name}{value}"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"CloudEvents attribute {name!r} holds half a surrogate pair: no text can"
        raise _UnreadableError(reason="bad_attribute", message=message) from error
    length = len(text) - len(name)
    if name in _COPIED and length > MAX_ATTRIBUTE_CHARS:
        message = (
            f"CloudEvents attribute {name!r} has {length} characters, at most "
            f"{MAX_ATTRIBUTE_CHARS} are allowed; put long values into data"
        )
        raise _UnreadableError(reason="bad_attribute", message=message)


def time_us_of(text: str) -> int:
    """Return a timestamp of RFC 3339 in microseconds since the epoch; raises ValueError.

    >>> time_us_of("2023-11-14T22:13:20Z")
    1700000000000000
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        msg = "it has no zone"
        raise ValueError(msg)
    return (at - _EPOCH) // timedelta(microseconds=1)


def _time_us(text: str) -> int:
    try:
        return time_us_of(text)
    except ValueError as error:
        msg = f"CloudEvents attribute 'time' {text!r} is not RFC 3339: {error}"
        raise _UnreadableError(reason="bad_attribute", message=msg) from error


def _key(record: Record, rule: TopicRule, event: Event, document: Any) -> str:
    """Find the key; ``document`` is the event's data where that has been parsed, else None."""
    if rule.key == "record":
        # Decoded just now, it can hold no half of a surrogate pair.
        return _checked_key(_text(record.key, "the record's key"), rule)
    kind, _, name = rule.key.partition(":")
    if kind == "subject":
        found: Any = event.subject
    elif kind == "extension":
        found = event.extensions.get(name, "")
    else:
        if document is None:
            document = _json(event.data, "data")
        found = _pointer(document, name)
    key = found if isinstance(found, str) else json.dumps(found) if found is not None else ""
    try:
        key.encode()
    except UnicodeEncodeError as error:
        message = "the key holds half a surrogate pair: no text can"
        raise _UnreadableError(reason="no_key", message=message) from error
    return _checked_key(key, rule)


def _checked_key(key: str, rule: TopicRule) -> str:
    if not key:
        raise _UnreadableError(
            reason="no_key",
            message=f"no key: {rule.key} is missing or empty; every event needs one",
        )
    if len(key) > MAX_KEY_CHARS:
        raise _UnreadableError(
            reason="no_key", message=f"key has {len(key)} characters, at most {MAX_KEY_CHARS}"
        )
    return key


def _dump(data: Any) -> bytes:
    try:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(reason="bad_data", message=f"data is not JSON: {error}") from error


def _pointer(document: Any, pointer: str) -> Any:
    """Follow an RFC 6901 pointer; None where it leads nowhere or to no scalar."""
    for part in pointer.lstrip("/").split("/"):
        step = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return None if isinstance(document, dict | list) else document


def _json(raw: bytes, what: str) -> Any:
    try:
        # Nearly all JSON is UTF-8, and `loads` takes as long to find that out as to parse an event.
        return _PARSE(raw.decode())
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(reason="not_json", message=f"{what} is not JSON: {error}") from error


def _text(raw: bytes | None, what: str) -> str:
    try:
        return (raw or b"").decode()
    except UnicodeDecodeError as error:
        raise _UnreadableError(
            reason="bad_attribute", message=f"{what} is not UTF-8: {error}"
        ) from error
