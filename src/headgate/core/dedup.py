"""Which events are new. Rules 3 and 4 of the protocol.

An event with an id is known from its arrival until the window forgets it: the window keeps what each
turn took, at most ``count`` ids and ``ms`` long. An event without an id is the record it came in, which
Flink never hands over twice to the same state; it needs no window. What an outcome took before it
arrived here (a replay runs behind the journal) is ``ahead``: it is remembered, id or not, until it
arrives or its partition has passed it, and the window cannot forget it meanwhile.
"""

from __future__ import annotations

from headgate.core.instance import Instance
from headgate.v1.agent_pb2 import Event, Origin
from headgate.v1.turn_pb2 import EventRef, StoredAhead, StoredSeen, StoredWindowEntry

DEFAULT_WINDOW_COUNT = 1_000
DEFAULT_WINDOW_MS = 600_000
_EVICT_AT_MOST = 4
"""Window entries dropped by one turn: more than one turn adds, so the window shrinks, in even steps."""

_HERE = StoredSeen(place=StoredSeen.HERE).SerializeToString()
_AHEAD = StoredSeen(place=StoredSeen.AHEAD).SerializeToString()


def _place(origin: Origin) -> str:
    return f"{origin.topic}/{origin.partition}"


def is_new(instance: Instance, event: Event) -> bool:
    """Note an event's arrival; False if a turn has taken it or it waits in the mailbox."""
    control = instance.control
    name = "f" + event.fingerprint.hex()
    known = None
    if event.has_id or control.ahead_tail > control.ahead_head:
        known = instance.get(name)
    if event.HasField("origin"):
        control.progress[_place(event.origin)] = event.origin.offset
    if known is None:
        if event.has_id:
            instance.put(name, _HERE)
    elif known == _AHEAD:
        _settle(instance, event.fingerprint, has_id=event.has_id)
    if control.ahead_tail > control.ahead_head:
        _pass_by(instance)
    return known is None


def _settle(instance: Instance, fingerprint: bytes, *, has_id: bool) -> None:
    """What was ahead has arrived, or never will: with an id it moves to the window."""
    name = "f" + fingerprint.hex()
    if has_id:
        instance.put(name, _HERE)
        remember(instance, [fingerprint])
    else:
        instance.put(name, None)


def _pass_by(instance: Instance) -> None:
    """Drop heads of the ahead list that have arrived or that their partition has passed."""
    control = instance.control
    while control.ahead_head < control.ahead_tail:
        raw = instance.get(f"a{control.ahead_head}")
        entry = StoredAhead.FromString(raw or b"")
        if instance.get("f" + entry.fingerprint.hex()) == _AHEAD:
            if control.progress.get(_place(entry.origin), -1) < entry.origin.offset:
                return
            _settle(instance, entry.fingerprint, has_id=entry.has_id)
        instance.put(f"a{control.ahead_head}", None)
        control.ahead_head += 1


def mark_ahead(instance: Instance, ref: EventRef) -> bool:
    """Note that an outcome took an event that is not in the mailbox; False if that was known."""
    name = "f" + ref.fingerprint.hex()
    if instance.get(name) is not None:
        return False
    control = instance.control
    instance.put(name, _AHEAD)
    entry = StoredAhead(fingerprint=ref.fingerprint, has_id=ref.has_id, origin=ref.origin)
    instance.put(f"a{control.ahead_tail}", entry.SerializeToString())
    control.ahead_tail += 1
    return True


def may_be_in_mailbox(instance: Instance, ref: EventRef) -> bool:
    """Tell whether searching the mailbox for an event is worth it: it has arrived, as far as known."""
    if ref.has_id:
        return instance.get("f" + ref.fingerprint.hex()) is not None
    return instance.control.progress.get(_place(ref.origin), -1) >= ref.origin.offset


def remember(instance: Instance, fingerprints: list[bytes]) -> None:
    """Add ids that a turn took to the window."""
    control = instance.control
    entry = StoredWindowEntry(at_us=control.at_us, fingerprints=fingerprints)
    instance.put(f"w{control.window_next}", entry.SerializeToString())
    control.window_next += 1
    control.window_ids += len(fingerprints)


def forget(instance: Instance, count: int, ms: int) -> None:
    """Let the window forget what is over ``count`` ids or older than ``ms``."""
    control = instance.control
    for _ in range(_EVICT_AT_MOST):
        if control.window_oldest == control.window_next:
            return
        name = f"w{control.window_oldest}"
        if control.window_ids <= count:
            # Under the count only age can evict, and that is looked at now and then: reading the
            # oldest entry with every turn would cost as much as the turn's own writes.
            if control.turn % 64:
                return
            oldest = StoredWindowEntry.FromString(instance.get(name) or b"")
            if control.at_us - oldest.at_us <= ms * 1000:
                return
        else:
            oldest = StoredWindowEntry.FromString(instance.get(name) or b"")
        for fingerprint in oldest.fingerprints:
            instance.put("f" + fingerprint.hex(), None)
        instance.put(name, None)
        control.window_oldest += 1
        control.window_ids -= len(oldest.fingerprints)
