"""How an instance is, for people who ask. Reads, and changes nothing."""

from __future__ import annotations

from headgate.core.instance import Instance
from headgate.core.model import Snapshot
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import InstanceReport

STATE_BYTES = 256 * 1024
"""Of values and lists. An answer must fit a record; whoever needs it all reads the history."""

REPORT_BYTES = 640 * 1024
"""Most of a report. Of one that is larger the names are left out, of which there may be many."""

SHOWN_EVENTS = 20
SHOWN_ITEMS = 20


def report(snapshot: Snapshot, now_ms: int) -> InstanceReport:
    """Return what is stored of an instance.

    Raises:
        StateVersionError: stored items contradict the control record.
    """
    made = InstanceReport(address=snapshot.address, now_ms=now_ms)
    if snapshot.control is None:
        return made
    made.control.CopyFrom(snapshot.control)
    # Small items live in it; what they are is told below.
    made.control.kept.clear()
    instance = Instance(snapshot)
    room = _add_values(instance, made, STATE_BYTES)
    _add_lists(instance, made, room)
    head, tail = instance.control.mailbox_head, instance.control.mailbox_tail
    for seq in range(head, min(tail, head + SHOWN_EVENTS)):
        event = made.waiting.add()
        event.CopyFrom(_without_data(instance.peek(seq)))
    if made.ByteSize() > REPORT_BYTES:
        made.truncated = True
        for part in ("values", "logs", "timers", "progress"):
            made.control.ClearField(part)
    return made


def _add_values(instance: Instance, made: InstanceReport, room: int) -> int:
    for name in sorted(instance.control.values):
        size = len(name) + instance.control.values[name]
        if size > room:
            made.truncated = True
            continue
        room -= size
        made.state.values[name] = instance.get(f"v{name}") or b""
    return room


def _add_lists(instance: Instance, made: InstanceReport, room: int) -> None:
    for name in sorted(instance.control.logs):
        room -= len(name)
        if room < 0:
            made.truncated = True
            break
        window = made.state.logs[name]
        window.length = instance.control.logs[name].length
        items = instance.log_tail(name, SHOWN_ITEMS)
        while items and sum(map(len, items)) > room:
            made.truncated = True
            del items[0]
        room -= sum(map(len, items))
        window.items.extend(items)


def _without_data(event: Event) -> Event:
    for part in ("data", "extensions", "dataschema", "traceparent"):
        event.ClearField(part)
    return event
