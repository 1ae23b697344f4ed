"""Which instances are parked, told by the outcomes that park them and let them go on.

A function of the outcome alone: whoever replays it says the same, whatever else is known.
"""

from __future__ import annotations

from headgate.v1.turn_pb2 import Controlled, Outcome, ParkedInstance

PARKED_VERSION = 1

_GO_ON = frozenset((Controlled.RESUME, Controlled.SKIP, Controlled.RESET, Controlled.EXPIRE))


def parking_of(outcome: Outcome, *, turn: int, at_us: int) -> bytes | None:
    """Return what an applied outcome says: ParkedInstance bytes, b"" for "it goes on", None for
    nothing.
    """
    match outcome.WhichOneof("verdict"):
        case "failed" if outcome.failed.park:
            failed = outcome.failed
            made = ParkedInstance(code=failed.code, message=failed.message)
        case "controlled" if outcome.controlled.verb == Controlled.PARK:
            made = ParkedInstance(message=outcome.controlled.reason)
        case "controlled" if outcome.controlled.verb in _GO_ON:
            return b""
        case _:
            return None
    made.turn, made.at_us, made.schema_version = turn, at_us, PARKED_VERSION
    return made.SerializeToString()
