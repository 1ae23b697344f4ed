"""Durable timers: set and cancelled by turns, turned into events by Gate's clock.

Which timers are set is made by the journal. That one is due is Gate's to say, like the arrival of
an event; it only comes true through the turn that takes the event, and that outcome takes the timer
with it. So a replay that finds the outcome before its clock finds the timer fires nothing twice.
"""

from __future__ import annotations

from headgate.core.identity import digest
from headgate.core.instance import Instance
from headgate.core.own_types import TIMER
from headgate.core.reference import cause_of
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import Outcome, StoredControl


def change(instance: Instance, outcome: Outcome) -> None:
    """Set and cancel what an outcome says that has just been applied."""
    control = instance.control
    for index, asked in enumerate(outcome.timers[:]):
        name = asked.name
        _cancel(instance, name)
        kind = asked.WhichOneof("change")
        if kind == "cancel":
            continue
        event = event_of(
            outcome,
            index,
            address=instance.address,
            turn=control.turn,
            base=control.base,
            at_us=control.at_us,
        )
        timer = control.timers[name]
        timer.due_us, timer.fingerprint = event.time_us, event.fingerprint
        instance.put(f"t{name}", event.SerializeToString())


def event_of(
    outcome: Outcome, index: int, *, address: str, turn: int, base: bytes, at_us: int
) -> Event:
    """Return the event that a timer becomes, which an outcome has set.

    index: of the timer in the outcome. turn, base, at_us: the instance's, made by that outcome.
    """
    asked = outcome.timers[index]
    due_us = (
        asked.at_us if asked.WhichOneof("change") == "at_us" else at_us + asked.after_ms * 1_000
    )
    event_id = f"{address}/{turn}/t{index}"
    state = outcome.tracestate
    return Event(
        id=event_id,
        source=f"headgate:{address}",
        type=TIMER,
        subject=asked.name,
        time_us=due_us,
        # Set for a past moment, it still was not there before the turn that set it.
        at_us=max(due_us, at_us),
        datacontenttype=asked.datacontenttype,
        data=asked.data,
        traceparent=outcome.traceparent,
        extensions={"tracestate": state} if state else None,
        correlation_id=cause_of(asked.cause, outcome) or event_id,
        fingerprint=digest("timer", base, index),
    )


def cancel_all(instance: Instance) -> None:
    """Cancel every timer, those among them whose events wait."""
    for name in list(instance.control.timers):
        _cancel(instance, name)


def _cancel(instance: Instance, name: str) -> None:
    control = instance.control
    if name not in control.timers:
        return
    if control.timers[name].fired:
        instance.take_by(control.timers[name].fingerprint)
    _remove(instance, name)


def _remove(instance: Instance, name: str) -> None:
    del instance.control.timers[name]
    instance.put(f"t{name}", None)


def taken(instance: Instance, fingerprints: list[bytes]) -> None:
    """End the timers whose events a turn has taken, whether they had fired here or not."""
    timers = instance.control.timers
    for name in [name for name in timers if timers[name].fingerprint in fingerprints]:
        _remove(instance, name)


def fire(instance: Instance, now_ms: int) -> None:
    """Turn timers that are due into events that wait, the earliest first."""
    timers = instance.control.timers
    # The instance's own time may be ahead of the host's clock: by its journal's, by its cause.
    now_us = max(now_ms * 1_000, instance.control.at_us)
    due = [
        (timers[name].due_us, name)
        for name in timers
        if not timers[name].fired and timers[name].due_us <= now_us
    ]
    for _, name in sorted(due):
        instance.push(instance.get(f"t{name}") or b"")
        timers[name].fired = True


def next_due_ms(control: StoredControl) -> int:
    """Return when the next timer is due that has not fired, milliseconds; 0 if none is set."""
    due = [timer.due_us for timer in control.timers.values() if not timer.fired]
    return -(-min(due) // 1_000) if due else 0
