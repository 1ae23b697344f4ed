"""The machine: one instance, one input, one transition.

The rules it keeps, in prose (numbers are those of the protocol in ``docs/protocol.md``):

- A turn happened if and only if its outcome is the first in the journal that names the instance's
  current base (3). ``apply`` decides that and nothing else does.
- Applying looks at state made by the journal and at the outcome alone; dispatching may look at the
  clock, the registry and the mailbox, because what it sends only comes true through the journal (1,
  3).
- An event is taken once: known while it waits, known while the window remembers it, known if an
  outcome took it before it came (4).
- A message is taken once: by its sender's last turn and index. A timer is, by the turn that takes
  its event (9).
- One turn is in flight at a time. What arrives meanwhile joins the mailbox (5).
- Whenever something is in flight, or waits that nothing is in flight for, a wake-up is pending (6).
  Nothing is in flight and nothing pending only for an empty mailbox or a parked instance.
- Turn numbers and times only grow, and no base is ever used twice: reset keeps all three (3, 10).
- An input that changes nothing leaves nothing to store: ``Transition.control`` is None.
"""

from __future__ import annotations

from typing import assert_never

from headgate.core import dedup, messages
from headgate.core.apply import apply
from headgate.core.codec import compact
from headgate.core.dispatch import dispatch
from headgate.core.full import has_room, refuse
from headgate.core.instance import Instance
from headgate.core.model import (
    ControlArrived,
    EventArrived,
    Input,
    MessageArrived,
    OutcomeRead,
    Snapshot,
    Surroundings,
    TimerFired,
    Transition,
)
from headgate.v1.agent_pb2 import Event

COMPACTED_EVERY_TURNS = 16
"""How often a control record that the host keeps as an object is made anew (``codec.compact``)."""


def step(snapshot: Snapshot, given: Input, around: Surroundings) -> Transition:
    """Advance one instance by one input. Total and deterministic; ``snapshot.control`` is consumed.

    Raises:
        StateVersionError: stored items contradict the control record (never for any input).
    """
    instance = Instance(snapshot)
    match given:
        case EventArrived():
            _arrived(instance, given.event, around, is_new=dedup.is_new(instance, given.event))
        case MessageArrived():
            message = given.message
            _arrived(instance, message.event, around, is_new=messages.is_new(instance, message))
        case OutcomeRead():
            _read(instance, given, around)
        case ControlArrived():
            _wished(instance, given, around)
        case TimerFired():
            instance.transition.note = "woken"
            instance.control.wake_ms = 0
            dispatch(instance, around)
            _store(instance)
        case _ as never:
            assert_never(never)
    return instance.transition


def _store(instance: Instance) -> None:
    """Hand the control record over to be stored, and settle the one timer that the host keeps."""
    control, transition = instance.control, instance.transition
    transition.control = control
    pending, wanted = control.wake_ms, transition.wake_ms
    if pending == wanted or (wanted and pending and pending < wanted):
        # A timer that is due earlier stays: it fires, finds nothing due and is set again. So a busy
        # instance costs one timer a second, not one a turn.
        return
    transition.delete_timer_ms, transition.set_timer_ms = pending, wanted
    control.wake_ms = wanted


def _arrived(instance: Instance, event: Event, around: Surroundings, *, is_new: bool) -> None:
    if is_new:
        policy = around.spec.policy if around.spec is not None else None
        if policy and not has_room(instance.mailbox_size, policy):
            refuse(instance, event, policy)
            _store(instance)
            return
        instance.transition.note = "joined"
        instance.push(event.SerializeToString())
        if not instance.control.HasField("in_flight"):
            dispatch(instance, around)
        else:
            instance.transition.wake_ms = instance.control.wake_ms
    else:
        instance.transition.note = "duplicate"
        instance.transition.wake_ms = instance.control.wake_ms
    _store(instance)


def _read(instance: Instance, given: OutcomeRead, around: Surroundings) -> None:
    if not apply(instance, given):
        instance.transition.note = "too_late"
        instance.transition.wake_ms = instance.control.wake_ms
        return
    instance.transition.note = "applied"
    dispatch(instance, around)
    if instance.control.turn % COMPACTED_EVERY_TURNS == 0:
        instance.control = compact(instance.control)
    _store(instance)


def _wished(instance: Instance, given: ControlArrived, around: Surroundings) -> None:
    control = instance.control
    wish = given.control
    waiting = {pending.control_id for pending in control.pending_controls}
    if wish.control_id in control.controls or wish.control_id in waiting:
        instance.transition.note = "duplicate"
        instance.transition.wake_ms = control.wake_ms
        return
    instance.transition.note = "wished"
    control.pending_controls.append(wish)
    dispatch(instance, around)
    _store(instance)
