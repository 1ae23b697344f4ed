"""How many instances of a shard are parked, by agent type: kept beside their state.

Nothing wakes a parked instance, so a restored Gate sees none of them until somebody asks for it:
a number in memory would say after every failover that nobody is parked. This one is written with
the record that changed it, and rescaled, restored and rolled back with the instances.
"""

from __future__ import annotations

from headgate.core.entries import Entries


class ParkedCount:
    """One shard's numbers. Its key must be Flink's current key when it is made or written."""

    def __init__(self, entries: Entries) -> None:
        """Read what is stored. Older state has no numbers: they begin at nought."""
        self._entries = entries
        self._changed: set[str] = set()
        self.of_type = {name: int(entries.get(name) or b"0") for name in entries.names()}

    def change(self, agent_type: str, by: int) -> None:
        """Note that an instance was parked (1), or goes on (-1)."""
        # One that was parked before there were numbers is not in them.
        self.of_type[agent_type] = max(0, self.of_type.get(agent_type, 0) + by)
        self._changed.add(agent_type)

    def write(self) -> None:
        """Store what has changed."""
        if self._changed:
            counts = {name: self.of_type[name] for name in self._changed}
            self._entries.put_all({n: str(c).encode() if c else None for n, c in counts.items()})
            self._changed.clear()
