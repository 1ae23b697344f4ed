"""The replies to what doors have asked: those that are awaited, and those of the last minutes."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.kafka.controls import CONNECT_SECONDS
from headgate.kafka.follow import Following
from headgate.v1.turn_pb2 import Reply

log = logging.getLogger(__name__)

KEPT_SECONDS = 600.0
"""The default dedup window: a request that is repeated later is a new one to the job as well."""

KEPT_BYTES = 256_000_000
"""Most that the kept ones hold; the oldest go first. Who comes back later than that polls in vain,
as after a day."""

Key = tuple[str, str]
"""Address and request id."""


class Replies:
    """Follows the replies. Threads may share it.

    >>> replies = Replies("127.0.0.1:9092", "headgate.replies")  # doctest: +SKIP
    >>> replies.expect("order/17", "a-request").result(timeout=10).turn  # doctest: +SKIP
    """

    def __init__(self, bootstrap: Bootstrap, topic: str) -> None:
        """Read all that the topic still holds, and what comes.

        Raises:
            HeadgateError: it cannot be read.
        """
        self._lock = threading.Lock()
        self._known: OrderedDict[Key, tuple[float, Reply]] = OrderedDict()
        self._known_bytes = 0
        self._awaited: dict[Key, list[Future[Reply]]] = {}
        # What was asked of a door that is gone may have its reply here: whoever repeats it at this
        # one gets it.
        # One that is sealed with a key that nobody has here must not hold up those behind it: it is
        # skipped as what cannot be read is, and whoever waits for it polls.
        self._following = Following(
            bootstrap, [topic], self._take, start="start", shows_sealed=True
        )
        self._following.await_ready(CONNECT_SECONDS)

    def close(self) -> None:
        """Stop following; nobody is told."""
        self._following.close()

    def expect(self, address: str, request_id: str) -> Future[Reply]:
        """Return what the reply to a request will be; cancel it when nobody waits any more."""
        key = address, request_id
        awaited: Future[Reply] = Future()
        with self._lock:
            found = self._known.get(key)
            if found:
                awaited.set_result(found[1])
                return awaited
            self._awaited.setdefault(key, []).append(awaited)
        awaited.add_done_callback(lambda done: self._forget(key, done))
        return awaited

    def _forget(self, key: Key, gone: Future[Reply]) -> None:
        with self._lock:
            left = [each for each in self._awaited.pop(key, []) if each is not gone]
            if left:
                self._awaited[key] = left

    def _take(self, record: Any) -> None:
        try:
            reply = Reply.FromString(record.value or b"")
        except DecodeError as error:
            where = f"{record.topic}/{record.partition}@{record.offset}"
            log.warning("%s is skipped: no reply of Headgate's: %s", where, error)
            return
        key = reply.address, reply.request_id
        with self._lock:
            if key in self._known:
                # A replay says the same again.
                return
            self._keep(key, reply)
            awaited = self._awaited.pop(key, [])
        for each in awaited:
            if each.set_running_or_notify_cancel():
                each.set_result(reply)

    def _keep(self, key: Key, reply: Reply) -> None:
        now = time.monotonic()
        self._known[key] = now, reply
        self._known_bytes += reply.ByteSize()
        while self._known:
            oldest = next(iter(self._known))
            since, kept = self._known[oldest]
            if since > now - KEPT_SECONDS and self._known_bytes <= KEPT_BYTES:
                return
            del self._known[oldest]
            self._known_bytes -= kept.ByteSize()
