"""State that nobody has used for long: an idle instance asks for its own end.

It is journaled as a turn like any decision. An event that comes meanwhile makes a request on the
same base: whichever stands first in the journal happened, and the other is tried on the new base.
"""

from __future__ import annotations

from headgate.core.identity import digest, split_address
from headgate.core.instance import Instance
from headgate.core.model import Decide
from headgate.core.patience import LEAST_MS
from headgate.v1.turn_pb2 import Controlled, Outcome

AGAIN_MS = LEAST_MS
"""How soon to ask again: as any decision."""


def expire_when_idle(instance: Instance, ttl_ms: int, now_ms: int) -> None:
    """Wait until an instance with nothing to do has been idle for long enough, then ask."""
    control = instance.control
    if not control.values and not control.logs:
        # Nothing is left to lose: it is never woken for this again.
        return
    due_ms = -(-control.at_us // 1_000) + ttl_ms
    if now_ms < due_ms:
        instance.transition.wake_ms = due_ms
        return
    agent_type, key = split_address(instance.address)
    name = digest("expiry", instance.address, control.base)
    outcome = Outcome(
        agent_type=agent_type,
        key=key,
        base=control.base,
        turn=control.turn + 1,
        # The same however often it is asked for.
        outcome_id=name,
        controlled=Controlled(
            verb=Controlled.EXPIRE,
            control_id=f"expiry-{name.hex()}",
            reason=f"idle for {ttl_ms} ms",
        ),
    )
    instance.transition.effects.append(Decide(outcome))
    instance.transition.wake_ms = now_ms + AGAIN_MS
