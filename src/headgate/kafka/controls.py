"""Operators' controls: written to the inbox, awaited in the history.

The journal shows a control sooner, but an outcome there may be on a base that has passed, and then
the control is tried on the next one. What stands in the history was applied.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import ExitStack
from typing import Any

from google.protobuf.message import DecodeError

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.kafka.follow import Following
from headgate.kafka.publish import Publisher
from headgate.v1.turn_pb2 import Control, Controlled, HistoryRecord, InboxRecord

CONNECT_SECONDS = 15.0

VERBS = {
    "resume": Controlled.RESUME,
    "skip": Controlled.SKIP,
    "cancel": Controlled.CANCEL,
    "reset": Controlled.RESET,
    "park": Controlled.PARK,
}


def send_control(
    bootstrap: Bootstrap,
    config: Config,
    address: str,
    verb: str,
    *,
    reason: str = "",
    wait_seconds: float = 0.0,
) -> tuple[str, HistoryRecord | None]:
    """Send a control to an instance; return its id and, once applied, the turn that it made.

    verb: a key of VERBS.
    wait_seconds: how long to wait for that turn; 0 does not wait. None comes back where it was not
        applied in time: it is on its way all the same.

    Raises:
        HeadgateError: the inbox was not written, or the history cannot be read.
    """
    names = config.topic_names
    control = Control(control_id=str(uuid.uuid4()), verb=VERBS[verb], reason=reason)
    found = _Awaited(control.control_id)
    with ExitStack() as opened:
        if wait_seconds:
            # Before the control is written: its turn must not come before its reader.
            history = Following(bootstrap, [names.history], found.look)
            opened.enter_context(history).await_ready(CONNECT_SECONDS)
        publisher = opened.enter_context(Publisher(bootstrap))
        record = InboxRecord(control=control)
        publisher.send(names.inbox, address, record.SerializeToString()).wait()
        return control.control_id, found.wait(wait_seconds)


class _Awaited:
    """Looks for the turn of one control among the history's records."""

    def __init__(self, control_id: str) -> None:
        self._control_id = control_id
        self._found: HistoryRecord | None = None
        self._is_there = threading.Event()

    def look(self, record: Any) -> None:
        try:
            read = HistoryRecord.FromString(record.value or b"")
        except DecodeError:
            return
        if read.outcome.controlled.control_id == self._control_id:
            self._found = read
            self._is_there.set()

    def wait(self, seconds: float) -> HistoryRecord | None:
        self._is_there.wait(seconds)
        return self._found
