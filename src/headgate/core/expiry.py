"""State that nobody has used for long: an idle instance wishes for its own end.

The wish is one like an operator's: it is journaled as a turn, and while it is under way no call is
made, which would be on a base that is about to pass. It is bound to the base that it was made on:
where a replay finds turns that this state did not know of, the instance was not idle at all.
"""

from __future__ import annotations

from headgate.core.identity import digest
from headgate.core.instance import Instance
from headgate.v1.turn_pb2 import Control, Controlled

_PREFIX = "expiry-"


def wish_to_expire(instance: Instance, ttl_ms: int, now_ms: int) -> Control | None:
    """Return the wish of an instance that nothing waits for; None if it is not time for it.

    Sets ``wake_ms`` to that time. An instance without values and lists has nothing to lose, and is
    never woken for it.
    """
    control = instance.control
    if not control.values and not control.logs:
        return None
    due_ms = -(-control.at_us // 1_000) + ttl_ms
    if now_ms < due_ms:
        instance.transition.wake_ms = due_ms
        return None
    return Control(
        control_id=_name(instance), verb=Controlled.EXPIRE, reason=f"idle for {ttl_ms} ms"
    )


def is_outdated(instance: Instance, wish: Control) -> bool:
    """Tell whether a wish to expire was made on another base than the current one."""
    return wish.control_id.startswith(_PREFIX) and wish.control_id != _name(instance)


def _name(instance: Instance) -> str:
    return _PREFIX + digest("expiry", instance.address, instance.control.base).hex()
