"""One shard's state while it is at work: changes are gathered and written once per record.

Entries of an instance are named `<length of its address>/<address>/<name of the item>`: no address
and item can be taken for others, whatever they contain. The control record has the empty name.

Besides them, the state `due` names the instances that may want a wake-up. Without it a restored
Gate would have to read every instance that ever was to find those that wait. A name stays for a
while when its instance no longer waits: busy ones would be struck off and entered with every turn.
"""

from __future__ import annotations

from heapq import heappop, heappush

from headgate.core import codec
from headgate.core.budgets import NO_BUDGETS
from headgate.core.entries import Entries
from headgate.core.identity import partition_of
from headgate.v1.turn_pb2 import StoredControl

REMEMBERED_INSTANCES = 20_000
"""Control records kept as objects, oldest used forgotten first: a read from RocksDB and a parse
less for each input of a busy instance. About 1 KB each. Nobody else writes them.
"""

REMEMBERED_BYTES = 32_000_000
"""Items kept as they were written: the state that goes with each request need not be read from
RocksDB. Mailboxes, values, lists, timers, senders' numbers; the dedup index is too large and too
seldom hit.
"""

_ENTRY_BYTES = 200
"""What a remembered item costs besides name and value. Counted by its value alone, millions of
empty ones were free.
"""

IDLE_NAMES = 10_000
"""Names in `due` of instances that do not wait, oldest struck off first. Each is looked at once
after a restore.
"""

WAKES_AT_ONCE = 1_000
"""Instances that one alarm wakes, 50 to 200 ms of work. After a restore all that wait are due:
woken in one go, a million would hold up checkpoints for minutes and make one request of gigabytes.
"""

_REMEMBERED_KINDS = frozenset("mvlst")


class Shard:
    """The instances of one shard. Its key must be Flink's current key when it is used."""

    def __init__(self, number: int, key: str, entries: Entries, due: Entries) -> None:
        self.number = number
        self.key = key
        self._entries = entries
        self._due = due
        self._changes: dict[str, bytes | None] = {}
        self._changed: dict[str, StoredControl] = {}
        self._known: dict[str, StoredControl] = {}
        self._remembered: dict[str, bytes] = {}
        self._remembered_bytes = 0
        # When each instance wants to be woken, milliseconds; the heap has older wishes too.
        self._wakes: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._idle: dict[str, None] = {}
        self._due_changes: dict[str, bytes | None] = {}
        # The agent types that were paused, and the budgets, when somebody last looked.
        self.paused: frozenset[str] = frozenset()
        self.budgets = NO_BUDGETS
        for address in due.names():
            self._wish(address, 0)

    # ------------------------------------------------------------------------------- instances

    def control_of(self, address: str) -> StoredControl | None:
        """Return the control record of an instance, None if it has none.

        Raises:
            StateVersionError: it cannot be read by this version.
        """
        control = self._known.pop(address, None) or self._changed.get(address)
        if control is None:
            raw = self._entries.get(_prefix(address))
            if raw is None:
                return None
            control = codec.decode_control(raw, address)
        self._know(address, control)
        return control

    def forget(self, address: str) -> None:
        """Forget what is known of an instance and not written: a step broke off amid changes."""
        self._known.pop(address, None)
        self._changed.pop(address, None)

    def is_of(self, address: str, shards: int) -> bool:
        """Tell whether an address belongs here. One that is at work does, or it would not be."""
        return address in self._known or partition_of(address.encode(), shards) == self.number

    def items_of(self, address: str) -> Items:
        """Return the items of an instance."""
        return Items(self, _prefix(address))

    def keep(
        self, address: str, control: StoredControl | None, puts: dict[str, bytes | None]
    ) -> None:
        """Take over what a step has changed."""
        if puts:
            prefix = _prefix(address)
            for name, value in puts.items():
                self._changes[prefix + name] = value
                if name[0] in _REMEMBERED_KINDS:
                    self._remember(prefix + name, value)
        if control is not None:
            self._changed[address] = control
            self._know(address, control)

    def _know(self, address: str, control: StoredControl) -> None:
        self._known[address] = control
        # New instances come here and nowhere else: a backlog of nothing but them must not fill the
        # memory either.
        while len(self._known) > REMEMBERED_INSTANCES:
            del self._known[next(iter(self._known))]

    def get(self, full: str) -> bytes | None:
        """Read an entry by its full name, the changes of this record included."""
        if full in self._changes:
            return self._changes[full]
        found = self._remembered.get(full)
        return self._entries.get(full) if found is None else found

    def write(self) -> None:
        """Write what has changed since the last time."""
        changes = self._changes
        for address, control in self._changed.items():
            changes[_prefix(address)] = codec.encode_control(control)
        if changes:
            self._entries.put_all(changes)
            self._changes = {}
            self._changed = {}
        if self._due_changes:
            self._due.put_all(self._due_changes)
            self._due_changes = {}

    def _remember(self, full: str, value: bytes | None) -> None:
        before = self._remembered.pop(full, None)
        if before is not None:
            self._remembered_bytes -= _ENTRY_BYTES + len(full) + len(before)
        if value is None:
            return
        self._remembered[full] = value
        self._remembered_bytes += _ENTRY_BYTES + len(full) + len(value)
        while self._remembered_bytes > REMEMBERED_BYTES:
            oldest = next(iter(self._remembered))
            dropped = self._remembered.pop(oldest)
            self._remembered_bytes -= _ENTRY_BYTES + len(oldest) + len(dropped)

    # ------------------------------------------------------------------------------- wake-ups

    def wake_at(self, address: str, due_ms: int) -> None:
        """Note when an instance wants to be woken."""
        if address not in self._wakes:
            if address in self._idle:
                del self._idle[address]
            else:
                self._due_changes[address] = b""
        self._wish(address, due_ms)

    def wake_by(self, address: str, due_ms: int) -> None:
        """Note that an instance wants to be woken by then; an earlier wish stands."""
        if self._wakes.get(address, due_ms + 1) > due_ms:
            self.wake_at(address, due_ms)

    def next_wake_ms(self) -> int:
        """Return when the next instance wants to be woken, 0 if none does."""
        while self._heap:
            due_ms, address = self._heap[0]
            if self._wakes.get(address) == due_ms:
                return due_ms or 1
            heappop(self._heap)
        return 0

    def waiting(self) -> list[str]:
        """Return the instances that want to be woken some time."""
        return list(self._wakes)

    def waiting_of(self, agent_types: frozenset[str]) -> list[str]:
        """Return the instances of these types that want to be woken some time."""
        if not agent_types:
            return []
        return [each for each in self._wakes if each.partition("/")[0] in agent_types]

    def take_due(self, now_ms: int) -> list[str]:
        """Return instances whose time has come, WAKES_AT_ONCE at most, and forget their wishes."""
        due: list[str] = []
        while self._heap and self._heap[0][0] <= now_ms and len(due) < WAKES_AT_ONCE:
            due_ms, address = heappop(self._heap)
            if self._wakes.get(address) == due_ms:
                del self._wakes[address]
                self._idle[address] = None
                due.append(address)
        while len(self._idle) > IDLE_NAMES:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            self._due_changes[oldest] = None
        return due

    def _wish(self, address: str, due_ms: int) -> None:
        if self._wakes.get(address) != due_ms:
            self._wakes[address] = due_ms
            heappush(self._heap, (due_ms, address))


class Items:
    """The stored items of one instance: `headgate.core.model.Items`."""

    __slots__ = ("_prefix", "_shard")

    def __init__(self, shard: Shard, prefix: str) -> None:
        self._shard = shard
        self._prefix = prefix

    def get(self, name: str) -> bytes | None:
        """Return the item of that name, or None."""
        return self._shard.get(self._prefix + name)


def _prefix(address: str) -> str:
    return f"{len(address)}/{address}/"
