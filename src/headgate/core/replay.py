"""One outcome replayed by itself: what the job wrote, or would have written, when it applied it.

The records that a turn makes depend on the instance's base, turn and time before it and on the
outcome, and on nothing else (rule 3). So whoever knows these three can make them again, byte for
byte, without mailbox, values or lists.
"""

from __future__ import annotations

from dataclasses import dataclass

from headgate.core import codec
from headgate.core.identity import genesis_base
from headgate.core.machine import step
from headgate.core.model import (
    DeadLettered,
    Emit,
    OutcomeRead,
    RecordHistory,
    Snapshot,
    Surroundings,
)
from headgate.v1.turn_pb2 import StoredControl


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an instance stands in its chain of turns. ``at_us`` is the time of its last turn."""

    base: bytes
    turn: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What an applied outcome made: where the instance stands now, and its records' values."""

    standing: Standing
    outputs: tuple[bytes, ...]
    history: bytes
    letters: tuple[bytes, ...]


class _NothingStored:
    def get(self, _: str, /) -> bytes | None:
        return None


def genesis(address: str) -> Standing:
    """Return where an instance stands that has taken no turn yet."""
    return Standing(genesis_base(address), turn=0, at_us=0)


def replay(address: str, standing: Standing, read: OutcomeRead) -> Replayed | None:
    """Apply an outcome to an instance that stands there; None if its base is another."""
    control = StoredControl(
        schema_version=codec.CONTROL_VERSION,
        base=standing.base,
        turn=standing.turn,
        at_us=standing.at_us,
    )
    # Nobody waits in this mailbox, so nothing is dispatched whatever the surroundings are.
    around = Surroundings(now_ms=0, spec=None, registry_complete=False)
    made = step(Snapshot(address, control, _NothingStored()), read, around)
    if made.note != "applied" or made.control is None:
        return None
    after = made.control
    [history] = [each.value for each in made.effects if isinstance(each, RecordHistory)]
    return Replayed(
        standing=Standing(after.base, after.turn, after.at_us),
        outputs=tuple(each.value for each in made.effects if isinstance(each, Emit)),
        history=history,
        letters=tuple(
            each.letter.SerializeToString()
            for each in made.effects
            if isinstance(each, DeadLettered)
        ),
    )
