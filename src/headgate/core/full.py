"""A mailbox that is full: what comes beyond its limit is a dead letter, not a turn; or, by policy,
it joins, and intake holds back what comes next until there is room.

No outcome says so, for the events of an overload must not end the turn in flight by a new base. So
a replay may decide otherwise, where the mailbox has room when the event comes the second time; what
was written of the first time was aborted with its transaction.
"""

from __future__ import annotations

from headgate.core.asked import reply_refused
from headgate.core.dedup import forget_by, remember
from headgate.core.instance import Instance
from headgate.core.letters import letter_for_event
from headgate.core.model import DeadLettered
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import Policy, StoredControl

REASON = "mailbox_full"


def has_room(size: int, policy: Policy) -> bool:
    """Tell whether a mailbox of that size takes one more event."""
    return policy.holds_back or not policy.mailbox_limit or size < policy.mailbox_limit


def holds_back(control: StoredControl, policy: Policy, *, was_full: bool) -> bool:
    """Tell whether an instance's mailbox is so full that what comes next is to be held back.

    It has room again when half of it is empty: a mailbox that turns take by the dozen would be
    full and not full many times a second.

    A parked instance waits for a person. Nobody knows for how long, and those whose events come by
    the same way would wait with it; so its mailbox grows as one without a limit does.
    """
    if not policy.holds_back or not policy.mailbox_limit or control.parked:
        return False
    waiting = control.mailbox_tail - control.mailbox_head
    return waiting > policy.mailbox_limit // 2 if was_full else waiting >= policy.mailbox_limit


def refuse(instance: Instance, event: Event, policy: Policy) -> None:
    """Give an event up that has just been noted as new. A repeat of it is known for a window."""
    control, transition = instance.control, instance.transition
    transition.note = "refused"
    transition.wake_ms = control.wake_ms
    if event.has_id:
        remember(instance, [event.fingerprint])
        # With each: an overload refuses more between two turns than a turn would forget.
        forget_by(instance, policy)
    letter = letter_for_event(
        event,
        instance.address,
        reason=REASON,
        message=f"{policy.mailbox_limit} events wait for {instance.address} already, all that its "
        "policy's mailbox_limit allows; replay this one when they are taken",
    )
    origin = event.origin
    # No turn gives it an id and a time.
    letter.id = f"{instance.address}/{origin.topic}/{origin.partition}/{origin.offset}"
    letter.at_ms = origin.timestamp_ms
    transition.effects.append(DeadLettered(letter))
    reply_refused(instance, event, letter)
