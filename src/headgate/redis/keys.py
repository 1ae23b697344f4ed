"""What the keys in Redis are called.

All that belongs to one partition has one hash tag, so that in a Redis Cluster it lies in one slot
and one script may change it as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

VALUE, LENGTH, ITEM = "=", "#", "@"
"""What a field of an instance's hash begins with: `=NAME` is a value, `#NAME` the length of a list
and `@NAME/0` its first item. Fields that begin otherwise are Headgate's: turn, at_us, ...
"""


def feed_key(prefix: str) -> str:
    """Return the key of the hash that says which topic is fed in, and of how many partitions."""
    return f"{{{prefix}}}:feed"


def refused_key(prefix: str) -> str:
    """Return the key of the stream of entries that could not become events."""
    return f"{{{prefix}}}:refused"


def places_key(prefix: str) -> str:
    """Return the key of the hash of each stream's and group's last entry that was taken."""
    return f"{{{prefix}}}:taken"


@dataclass(frozen=True)
class PartitionKeys:
    """The keys of one partition.

    >>> PartitionKeys("headgate", 3).state("order/17")
    '{headgate/3}:state:order/17'
    """

    prefix: str
    partition: int

    @property
    def position(self) -> str:
        """Hash: next_offset, closed_us, newest_us."""
        return self._of("position")

    @property
    def changes(self) -> str:
        """Stream: one entry for each turn."""
        return self._of("changes")

    @property
    def outputs(self) -> str:
        """Stream: one entry for each output."""
        return self._of("outputs")

    @property
    def past(self) -> str:
        """Stream: what the fields had been that a turn changed."""
        return self._of("past")

    @property
    def marks(self) -> str:
        """Sorted set: offsets of closed moments, and how new the turns before each are."""
        return self._of("marks")

    @property
    def instances(self) -> str:
        """Sorted set of all addresses, in their order."""
        return self._of("instances")

    def state(self, address: str) -> str:
        """Hash: the newest state of an instance."""
        return self._of(f"state:{address}")

    def fixed(self) -> list[str]:
        """Those that every script is given, in its order."""
        return [
            self.position,
            self.changes,
            self.outputs,
            self.past,
            self.marks,
            self.instances,
        ]

    def _of(self, name: str) -> str:
        return f"{{{self.prefix}/{self.partition}}}:{name}"
