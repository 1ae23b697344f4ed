"""From what a person typed to the record that a topic's format asks for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from headgate.cli.typed import json_of
from headgate.config import LimitsConfig, TopicConfig
from headgate.core.decode import Record, TopicRule, decode
from headgate.errors import HeadgateError
from headgate.kafka.cloudevent import CONTENT_TYPE, structured
from headgate.v1.turn_pb2 import DeadLetter

SOURCE = "headgate:send"

KEY_HINT = '; give --key, or say where the data has it: `key = "json:/order_id"` in [[topics]]'


class EventError(HeadgateError):
    """What was given cannot become an event of the topic.

    Operator action: correct the data or the options as the message says.
    """


@dataclass(frozen=True, slots=True)
class Draft:
    """What the options say about every event."""

    topic: TopicConfig
    limits: LimitsConfig
    key: str | None = None
    event_type: str | None = None
    event_id: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record, ready to be published; `event_id` is empty where the format has none."""

    key: str
    value: bytes
    headers: dict[str, bytes]
    event_id: str


def prepare(raw: str, draft: Draft) -> Prepared:
    """Return the record of one event; raises EventError where the job could not read it.

    The job's own decoder has the last word, so what is published here is not dead-lettered there.
    """
    headers: dict[str, bytes] = {}
    if draft.topic.format == "cloudevents":
        value = _cloudevent(json_of(raw), draft)
        headers = dict([CONTENT_TYPE])
    else:
        _refuse_attributes(draft)
        if draft.topic.format == "json":
            _refuse_envelope(raw, draft)
        value = raw.encode()
    record = Record(
        topic=draft.topic.name,
        partition=0,
        offset=0,
        timestamp_ms=time.time_ns() // 1_000_000,
        key=None if draft.key is None else draft.key.encode(),
        value=value,
        headers=headers,
    )
    rule = TopicRule(
        format=draft.topic.format,
        key=draft.topic.key,
        type=draft.topic.event_type,
        max_bytes=draft.limits.max_record,
    )
    read = decode(record, rule)
    if isinstance(read, DeadLetter):
        where = f"{record.topic}/{record.partition}@{record.offset}: "
        is_bare = read.reason == "no_key" and draft.topic.key == "record"
        hint = KEY_HINT if is_bare else ""
        message = read.message.removeprefix(where) + hint
        raise EventError(message)
    key = read.key
    if draft.key is not None and draft.key != key:
        message = (
            f"--key is {draft.key!r}, but topic {draft.topic.name} takes the key from "
            f"{draft.topic.key}, and that is {key!r} here; leave --key out or make them equal"
        )
        raise EventError(message)
    return Prepared(key, value, headers, read.event.id if read.event.has_id else "")


def documents(text: str) -> Iterator[str]:
    """Split text into its JSON documents, whether each has a line or several.

    >>> list(documents('{"a": 1}' + chr(10) + '[2]'))
    ['{"a": 1}', '[2]']
    """
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            _, end = decoder.raw_decode(text, at)
        except ValueError as error:
            line = text.count("\n", 0, at) + 1
            message = f"line {line}: not JSON: {error}"
            raise EventError(message) from error
        yield text[at:end]
        at = end


def _cloudevent(document: Any, draft: Draft) -> bytes:
    attributes = {"id": draft.event_id, "source": draft.source, "type": draft.event_type}
    subject, extensions = _placed_key(draft)
    if isinstance(document, dict) and "specversion" in document:
        # A whole CloudEvent passes as it is; options win over its attributes.
        given = {name: value for name, value in attributes.items() if value is not None}
        given |= extensions | ({"subject": subject} if subject else {})
        return json.dumps(document | given, ensure_ascii=False, separators=(",", ":")).encode()
    return structured(
        document,
        event_type=draft.event_type or draft.topic.event_type,
        source=draft.source or SOURCE,
        event_id=draft.event_id or "",
        subject=subject,
        extensions=extensions,
    )


def _placed_key(draft: Draft) -> tuple[str, dict[str, str]]:
    """Return --key as subject or extension, where the topic reads it from there."""
    source = draft.topic.key_source
    if draft.key is None:
        return "", {}
    if source.kind == "subject":
        return draft.key, {}
    if source.kind == "extension":
        return "", {source.path[0]: draft.key}
    return "", {}


def _refuse_attributes(draft: Draft) -> None:
    named = {"--id": draft.event_id, "--source": draft.source, "--type": draft.event_type}
    given = [name for name, value in named.items() if value is not None]
    if given:
        message = (
            f"{', '.join(given)}: topic {draft.topic.name} has format {draft.topic.format}, whose "
            "records carry no CloudEvents attributes; leave it out"
        )
        raise EventError(message)


def _refuse_envelope(raw: str, draft: Draft) -> None:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        # The job's decoder says what is wrong with it.
        return
    if isinstance(document, dict) and {"specversion", "id", "source", "type"} <= document.keys():
        message = (
            f"a whole CloudEvent: topic {draft.topic.name} has format json, and all of it would be "
            'the data of another. Send its data alone, or give the topic format = "cloudevents"'
        )
        raise EventError(message)
