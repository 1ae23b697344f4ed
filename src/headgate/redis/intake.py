"""A Redis stream as a source of events: read in a consumer group, published to the inbox, and
acknowledged once Kafka has it.

Whoever dies in between leaves entries pending. The next one looks in the inbox whether they stand
there, and publishes those that do not: each is taken once, however long nobody ran.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.config.redis import RedisStreamConfig
from headgate.kafka.errors import BrokerUnreachableError, PublishError
from headgate.kafka.publish import Publisher
from headgate.kafka.topics import message_bytes
from headgate.redis.connect import open_redis, reaching
from headgate.redis.entries import entry_ms, entry_name, published
from headgate.redis.errors import FeedError, RedisUnreachableError
from headgate.redis.keys import places_key, refused_key
from headgate.redis.pending import names_in_inbox, since

log = logging.getLogger(__name__)

COUNT = 500
BLOCK_MS = 200
RETRY_SECONDS = 1.0

IDLE_MS = 60_000
"""Whoever has said nothing of an entry for so long is dead. Publishing takes at most half of it: a
slow one must not be taken for dead while what it has published is on its way."""

DELIVERY_SECONDS = IDLE_MS / 2_000
ADOPT_SECONDS = 10.0
RECORD_BYTES = 1_024
"""What a record of Kafka has besides its value: its key, which may be cut for this, and a head."""
KEY_CHARS = 128

Entry = tuple[str, Mapping[bytes, bytes]]


class Intake:
    """Publishes what one stream has, in the thread that calls `run`."""

    def __init__(
        self, bootstrap: Bootstrap, config: Config, stream: RedisStreamConfig, consumer: str
    ) -> None:
        """Describe it. consumer: a name within the group that nobody else has at the same time; the
        same as before, and what that one left is taken up at once.
        """
        self._bootstrap = bootstrap
        self._inbox = config.topic_names.inbox
        self._redis = config.redis
        # What the topic takes; the rest is the record's own.
        self._most_bytes = message_bytes(config) - RECORD_BYTES
        self._stream = stream
        self._consumer = consumer
        self._places = places_key(config.redis.prefix)
        self._place = f"{stream.name}/{stream.group}"
        self._stopping = Event()
        self._is_waiting = False

    def run(self, on_working: Callable[[], None] = lambda: None) -> None:
        """Read until `stop`. `on_working` is called each time that it begins to.

        Raises:
            FeedError: the key is no stream.
        """
        from kafka.errors import KafkaError

        while not self._stopping.is_set():
            try:
                self._read(on_working)
            except (
                BrokerUnreachableError,
                PublishError,
                RedisUnreachableError,
                KafkaError,
                OSError,
            ) as error:
                if not self._is_waiting:
                    log.warning("%s waits: %s", self._stream.name, error)
                self._is_waiting = True
                self._stopping.wait(RETRY_SECONDS)

    def stop(self) -> None:
        """Let `run` return; what is not acknowledged is pending."""
        self._stopping.set()

    def _read(self, on_working: Callable[[], None]) -> None:
        client = open_redis(self._redis.url, cluster=self._redis.cluster)
        with Publisher(
            self._bootstrap,
            linger_ms=2,
            delivery_seconds=DELIVERY_SECONDS,
            max_record=self._most_bytes + RECORD_BYTES,
        ) as publisher:
            with reaching(self._redis.url):
                self._join(client)
                for entries in self._own(client):
                    self._publish_missing(client, publisher, entries)
            on_working()
            self._is_waiting = False
            while not self._stopping.is_set():
                with reaching(self._redis.url):
                    for entries in self._abandoned(client):
                        self._publish_missing(client, publisher, entries)
                    for _ in range(int(ADOPT_SECONDS * 1_000 / BLOCK_MS)):
                        if self._stopping.is_set():
                            return
                        self._take(client, publisher, self._new(client))

    def _join(self, client: Any) -> None:
        from redis import ResponseError

        name = self._stream.name
        # One that somebody has removed goes on where it was.
        begin = client.hget(self._places, self._place) or b"0"
        try:
            client.xgroup_create(name, self._stream.group, id=begin, mkstream=True)
        except ResponseError as error:
            if "WRONGTYPE" in str(error):
                message = f"redis.streams: the key {name!r} holds no stream; name one that does"
                raise FeedError(message) from error
            if "BUSYGROUP" not in str(error):
                raise

    def _own(self, client: Any) -> Iterator[Sequence[Entry]]:
        """What was handed to this name before, and never acknowledged."""
        after = "0"
        while True:
            entries = self._handed(client, after)
            if not entries:
                return
            yield entries
            after = entries[-1][0]

    def _abandoned(self, client: Any) -> Iterator[Sequence[Entry]]:
        """What was handed to others that have said nothing for long."""
        at = "0-0"
        while True:
            at_raw, found, *_ = client.xautoclaim(
                self._stream.name, self._stream.group, self._consumer, IDLE_MS, at, count=COUNT
            )
            if found:
                yield _entries(found)
            at = at_raw.decode()
            if at == "0-0":
                return

    def _new(self, client: Any) -> list[Entry]:
        return self._handed(client, ">")

    def _handed(self, client: Any, after: str) -> list[Entry]:
        read = client.xreadgroup(
            self._stream.group,
            self._consumer,
            {self._stream.name: after},
            count=COUNT,
            block=BLOCK_MS if after == ">" else None,
        )
        found = [entry for entries in _streams(read) for entry in _entries(entries)]
        self._forget_gone(client, [name for name, fields in found if not fields])
        return found

    def _forget_gone(self, client: Any, names: Sequence[str]) -> None:
        """Acknowledge what was trimmed before it was read: nobody has it any more."""
        if names:
            log.error("%s: trimmed before they were read: %s", self._stream.name, ", ".join(names))
            client.xack(self._stream.name, self._stream.group, *names)

    def _publish_missing(self, client: Any, publisher: Publisher, entries: Sequence[Entry]) -> None:
        names = {entry_name(self._stream.name, name): name for name, _ in entries}
        now_ms = time.time_ns() // 1_000_000
        since_ms = since((entry_ms(name) for name, _ in entries), now_ms)
        there = names_in_inbox(self._bootstrap, self._inbox, set(names), since_ms)
        done = {names[name] for name in there}
        log.warning(
            "%s: %d entries were left pending, %d of them are published already",
            self._stream.name,
            len(entries),
            len(done),
        )
        self._publish(client, publisher, [entry for entry in entries if entry[0] not in done])
        if done:
            client.xack(self._stream.name, self._stream.group, *done)

    def _take(self, client: Any, publisher: Publisher, entries: Sequence[Entry]) -> None:
        self._publish(client, publisher, entries)
        if entries:
            client.hset(self._places, self._place, entries[-1][0])

    def _publish(self, client: Any, publisher: Publisher, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        sent = []
        for name, fields in entries:
            if not fields:
                continue
            made = published(self._stream, name, fields)
            if len(made.value) > self._most_bytes:
                self._refuse(client, name, fields, f"it has {len(made.value)} bytes")
                continue
            # The partition's alone: the job reads the key that stands in the record.
            key = made.key.decode(errors="replace")[:KEY_CHARS]
            sent.append(publisher.send(self._inbox, key, made.value))
        for delivery in sent:
            delivery.wait()
        client.xack(self._stream.name, self._stream.group, *(name for name, _ in entries))

    def _refuse(self, client: Any, name: str, fields: Mapping[bytes, bytes], why: str) -> None:
        """Set aside what no record holds: it would stand in the way of all that comes after it."""
        kept = refused_key(self._redis.prefix)
        reason = f"{why}, a record of the inbox has {self._most_bytes} at most"
        said: dict[Any, Any] = {"stream": self._stream.name, "entry": name, "reason": reason}
        log.error("%s of %s is set aside in %s: %s", name, self._stream.name, kept, reason)
        client.xadd(kept, {**said, **{b"field:" + key: raw for key, raw in fields.items()}})


def _streams(read: Any) -> list[Any]:
    """Return the entries of each stream: RESP3 answers with a map of lists, RESP2 with pairs."""
    if not read:
        return []
    if isinstance(read, dict):
        return [
            found[0] if found and isinstance(found[0], list) else found for found in read.values()
        ]
    return [found for _, found in read]


def _entries(found: Sequence[Any]) -> list[Entry]:
    # An entry that was trimmed while it was pending has no fields.
    return [(name.decode(), fields or {}) for name, fields in found]
