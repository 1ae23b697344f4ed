"""From entries of a Redis stream to records of the inbox. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from headgate.config.redis import RedisStreamConfig
from headgate.core.bounds import LATEST_US
from headgate.core.replayed import ENTRY
from headgate.v1.turn_pb2 import InboxRecord


@dataclass(frozen=True, slots=True)
class Published:
    """A record of the inbox: its key, by which it finds its partition, and its value."""

    key: bytes
    value: bytes


def entry_name(stream: str, entry_id: str) -> str:
    """Return the identity of an entry: it is taken once, however often it is published.

    >>> entry_name("orders", "1-0")
    'redis:orders/1-0'
    """
    return f"{ENTRY}{stream}/{entry_id}"


def entry_ms(entry_id: str) -> int:
    """Return the time in an entry's id, milliseconds; up to 2**64, where somebody chose it so."""
    return int(entry_id.partition("-")[0])


def published(config: RedisStreamConfig, entry_id: str, fields: Mapping[bytes, bytes]) -> Published:
    """Return what the inbox is given of an entry, which the job reads by its topic's rule."""
    rest = dict(fields)
    key = rest.pop(config.key_field.encode(), b"")
    value = rest.pop(config.value_field.encode(), None)
    record = InboxRecord()
    given = record.replayed
    given.letter_id = entry_name(config.name, entry_id)
    given.topic = config.topic
    given.key = key
    given.timestamp_ms = min(entry_ms(entry_id), LATEST_US // 1_000)
    if value is None:
        given.value = _object(rest)
    else:
        given.value = value
        for name, raw in rest.items():
            given.headers[name.decode(errors="replace")] = raw
    # One writer, one order: entries of the same key stand in one partition. Those that have their
    # key in the value are in the order of the stream as well.
    return Published(key or config.name.encode(), record.SerializeToString())


def _object(fields: Mapping[bytes, bytes]) -> bytes:
    """Return the fields as a JSON object of texts."""
    shown = {
        name.decode(errors="replace"): raw.decode(errors="replace") for name, raw in fields.items()
    }
    return json.dumps(shown, ensure_ascii=False).encode()
