"""When Gate may send: not before it has read all that its predecessors journaled. Rule 7.

Gate, once open, asks Invoke for start ticks that carry a nonce of its own; Invoke writes one into
every partition of the journal. A tick that comes back in all of them has everything that was
journaled before it in front of it. Losing this would cost calls paid twice, never correctness.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.v1.turn_pb2 import Tick


@dataclass(slots=True)
class Readiness:
    """Follows the start ticks of one life of one Gate subtask."""

    nonce: bytes
    is_ready: bool = False
    _seen: set[int] = field(default_factory=set)
    _drops: int = 0
    _promises: int = 0

    @property
    def promise(self) -> bytes:
        """Names the present promise of Invoke: another one after every drop it has reported.

        A request is under it if it was sent since. A request that was sent between a drop and its
        report is not, which costs a re-send and nothing else.
        """
        return self.nonce + self._promises.to_bytes(4, "big")

    def renew(self) -> None:
        """Let no request so far be under the promise: some of them never got to Invoke."""
        self._promises += 1

    def see(self, tick: Tick) -> bool:
        """Take a tick in; True if it is the one that makes Gate ready."""
        if tick.nonce != self.nonce:
            return False
        if tick.drops > self._drops:
            self._drops = tick.drops
            self._promises += 1
        if self.is_ready or not tick.start:
            return False
        self._seen.add(tick.partition)
        self.is_ready = len(self._seen) >= tick.partitions
        return self.is_ready
