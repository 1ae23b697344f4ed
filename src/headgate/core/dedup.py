"""Which events are new. Rules 3 and 4 of the protocol.

An event with an id is known from its arrival until the window forgets it: the window keeps what
each turn took, at most ``count`` ids and ``ms`` long. An event without an id is the record it came
in, which Flink never hands over twice to the same state; it needs no window. What an outcome took
before it arrived here (a replay runs behind the journal) is ``ahead``: it is remembered, id or not,
until it arrives or its partition has passed it, and the window cannot forget it meanwhile. So every
event has an origin: the record that it came in.
"""

from __future__ import annotations

from headgate.core.instance import Instance
from headgate.v1.agent_pb2 import Event, Origin
from headgate.v1.turn_pb2 import (
    EventRef,
    Policy,
    StoredAhead,
    StoredControl,
    StoredSeen,
    StoredWindowEntry,
)

DEFAULT_WINDOW_COUNT = 1_000
DEFAULT_WINDOW_MS = 600_000
_EVICT_AT_MOST = 4
"""Window entries dropped by one turn: more than one turn adds, so the window shrinks, in even
steps."""

_HERE = StoredSeen(place=StoredSeen.HERE).SerializeToString()
_AHEAD = StoredSeen(place=StoredSeen.AHEAD).SerializeToString()


def _place(origin: Origin) -> str:
    return f"{origin.topic}/{origin.partition}"


def has_passed(control: StoredControl, origin: Origin) -> bool:
    """Tell whether a record has arrived here, or its partition has gone past it."""
    return control.progress.get(_place(origin), -1) >= origin.offset


def is_new(instance: Instance, event: Event) -> bool:
    """Note an event's arrival; False if a turn has taken it or it waits in the mailbox."""
    control, origin = instance.control, event.origin
    control.progress[_place(origin)] = origin.offset
    has_id, some_ahead = event.has_id, _some_ahead(control)
    if not (has_id or some_ahead):
        return True
    name = "f" + event.fingerprint.hex()
    known = instance.get(name)
    if known is None and has_id:
        instance.put(name, _HERE)
    if some_ahead:
        _pass_by(instance)
    return known is None


def _some_ahead(control: StoredControl) -> bool:
    return control.ahead_tail > control.ahead_head


def _pass_by(instance: Instance) -> None:
    """Drop heads of the ahead list whose records have arrived, or that their partition has
    passed."""
    control = instance.control
    while _some_ahead(control):
        entry = StoredAhead.FromString(instance.get(f"a{control.ahead_head}") or b"")
        if not has_passed(control, entry.origin):
            return
        instance.put(f"a{control.ahead_head}", None)
        control.ahead_head += 1
        name = "f" + entry.fingerprint.hex()
        if not entry.has_id:
            instance.put(name, None)
        elif instance.get(name) == _AHEAD:
            instance.put(name, _HERE)
            remember(instance, [entry.fingerprint])


def mark_ahead(instance: Instance, ref: EventRef) -> None:
    """Note that an outcome took an event from a record that is yet to arrive.

    One id may be ahead twice: where a producer's repeat came so late that it was a new event, two
    turns took two records. Each keeps its place in the list, and nothing is forgotten before the
    last arrived.
    """
    control = instance.control
    instance.put("f" + ref.fingerprint.hex(), _AHEAD)
    entry = StoredAhead(fingerprint=ref.fingerprint, has_id=ref.has_id, origin=ref.origin)
    instance.put(f"a{control.ahead_tail}", entry.SerializeToString())
    control.ahead_tail += 1


def may_be_in_mailbox(instance: Instance, ref: EventRef) -> bool:
    """Tell whether searching the mailbox for an event is worth it: it has arrived, as far as
    known."""
    if has_passed(instance.control, ref.origin):
        return True
    # Another record with the same id may have come before this one.
    return ref.has_id and instance.get("f" + ref.fingerprint.hex()) == _HERE


def note_taken(instance: Instance, fingerprint: bytes) -> None:
    """Note that an event was taken whose record came here and went: as a repeat, or forgotten
    since."""
    name = "f" + fingerprint.hex()
    if instance.get(name) is None:
        instance.put(name, _HERE)


def remember(instance: Instance, fingerprints: list[bytes]) -> None:
    """Add ids that a turn took to the window."""
    control = instance.control
    entry = StoredWindowEntry(at_us=control.at_us, fingerprints=fingerprints)
    instance.put(f"w{control.window_next}", entry.SerializeToString())
    control.window_next += 1
    control.window_ids += len(fingerprints)


def has_to_forget(control: StoredControl) -> bool:
    """Tell whether the window may hold what it can forget.

    What the last turn took stays known, were it more than the window holds. While something is
    ahead, a replay runs behind the journal: the repeats that the window is kept for are yet to be
    read.
    """
    return control.window_next - control.window_oldest > 1 and not _some_ahead(control)


def forget_by(instance: Instance, policy: Policy) -> None:
    """Let the window forget what an agent type's policy does not ask for."""
    if has_to_forget(instance.control):
        forget(
            instance,
            policy.dedup_window_count or DEFAULT_WINDOW_COUNT,
            policy.dedup_window_ms or DEFAULT_WINDOW_MS,
        )


def forget(instance: Instance, count: int, ms: int) -> None:
    """Let the window forget what is over ``count`` ids or older than ``ms``."""
    control = instance.control
    for _ in range(_EVICT_AT_MOST):
        if not has_to_forget(control):
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
