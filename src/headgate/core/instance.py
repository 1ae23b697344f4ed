"""A working copy of one instance: reads through to storage, remembers what changes.

Items are named so that none is found by iterating: ``m<seq>`` mailbox, ``v<name>`` values,
``l<name>/<chunk>`` lists, ``f<fingerprint>`` dedup index, ``w<n>`` dedup window, ``a<n>`` applied
before arrival, ``s<sender>`` the last number of a sender's messages, ``t<name>`` the event of a
timer. The control record says which sequence numbers and names there are; of senders it does not.

What is small and changes with nearly every step is kept in the control record, which is written
anyway: the event that comes to an empty mailbox, and small values. A write to RocksDB costs more
than such a record grows by.
"""

from __future__ import annotations

from headgate.core import codec
from headgate.core.identity import genesis_base
from headgate.core.model import Snapshot, Transition
from headgate.v1.agent_pb2 import Event, Mutation
from headgate.v1.turn_pb2 import StoredChunk, StoredControl

CHUNK_ITEMS = 16
"""Items in one stored run of a list: an append rewrites at most this many, a window of 100 reads
7."""


KEPT_EVENT_BYTES = 2_048
KEPT_VALUE_BYTES = 512
KEPT_ITEMS = 8
"""What the control record may keep, 6 KB at most: every step writes it whole."""


class Instance:
    """The state of one instance during one step. Owns ``control``; puts are in ``transition``."""

    __slots__ = ("_items", "address", "control", "transition")

    def __init__(self, snapshot: Snapshot) -> None:
        self.address = snapshot.address
        self._items = snapshot.items
        self.transition = Transition()
        if snapshot.control is None:
            self.control = StoredControl(
                schema_version=codec.CONTROL_VERSION, base=genesis_base(snapshot.address)
            )
        else:
            self.control = snapshot.control

    # ------------------------------------------------------------------------------- raw items

    def get(self, name: str) -> bytes | None:
        """Read an item, this step's changes included."""
        kept = self.control.kept
        if name in kept:
            return kept[name]
        puts = self.transition.puts
        return puts[name] if name in puts else self._items.get(name)

    def put(self, name: str, value: bytes | None) -> None:
        """Change an item; None removes it."""
        self.transition.puts[name] = value

    # --------------------------------------------------------------------------------- mailbox

    @property
    def mailbox_size(self) -> int:
        """Number of events that no turn has taken."""
        return self.control.mailbox_tail - self.control.mailbox_head

    def push(self, raw: bytes) -> None:
        """Add an event, serialized, at the mailbox's end."""
        control = self.control
        name = f"m{control.mailbox_tail}"
        if control.mailbox_head == control.mailbox_tail and len(raw) <= KEPT_EVENT_BYTES:
            control.kept[name] = raw
        else:
            self.put(name, raw)
        control.mailbox_tail += 1

    def stored_event(self, seq: int) -> bytes:
        """Return the bytes of the event at a sequence number of the mailbox."""
        raw = self.get(f"m{seq}")
        if raw is None:
            msg = f"{self.address}: mailbox entry {seq} is missing from state"
            raise codec.StateVersionError(msg)
        return raw

    def peek(self, seq: int) -> Event:
        """Return the event at a sequence number of the mailbox."""
        return Event.FromString(self.stored_event(seq))

    def take(self, seq: int) -> None:
        """Remove one event, from wherever it stands; those before it move up by one."""
        control = self.control
        for to in range(seq, control.mailbox_head, -1):
            self.put(f"m{to}", self.get(f"m{to - 1}"))
        self._remove(f"m{control.mailbox_head}")
        control.mailbox_head += 1

    def take_by(self, fingerprint: bytes) -> bool:
        """Remove the event of that fingerprint, wherever it stands; False if there is none."""
        for seq in range(self.control.mailbox_head, self.control.mailbox_tail):
            if self.peek(seq).fingerprint == fingerprint:
                self.take(seq)
                return True
        return False

    def _remove(self, name: str) -> None:
        kept = self.control.kept
        if name in kept:
            del kept[name]
        else:
            self.put(name, None)

    # ---------------------------------------------------------------------------- agent's state

    def mutate(self, mutation: Mutation) -> None:
        """Apply one mutation."""
        name = mutation.name
        match mutation.WhichOneof("change"):
            case "set":
                self._set(name, mutation.set)
            case "append":
                self._append(name, mutation.append)
            case "delete":
                self._delete(name)

    def _set(self, name: str, value: bytes) -> None:
        control, item = self.control, f"v{name}"
        kept, values = control.kept, control.values
        is_kept = item in kept
        if len(value) <= KEPT_VALUE_BYTES and (is_kept or len(kept) < KEPT_ITEMS):
            if not is_kept and name in values:
                self.put(item, None)
            kept[item] = value
        else:
            if is_kept:
                del kept[item]
            self.put(item, value)
        values[name] = len(value)

    def _append(self, name: str, item: bytes) -> None:
        log = self.control.logs[name]
        number, place = divmod(log.length, CHUNK_ITEMS)
        chunk = StoredChunk.FromString((self.get(f"l{name}/{number}") or b"") if place else b"")
        chunk.items.append(item)
        self.put(f"l{name}/{number}", chunk.SerializeToString())
        log.length += 1
        log.bytes += len(item)

    def _delete(self, name: str) -> None:
        control = self.control
        if name in control.values:
            del control.values[name]
            self._remove(f"v{name}")
        if name in control.logs:
            for number in range(-(-control.logs[name].length // CHUNK_ITEMS)):
                self.put(f"l{name}/{number}", None)
            del control.logs[name]

    def forget_state(self) -> None:
        """Remove all values and lists; base, turn and time stay as the tombstone."""
        for name in {*self.control.values, *self.control.logs}:
            self._delete(name)

    def log_tail(self, name: str, window: int) -> list[bytes]:
        """Return at most ``window`` newest items of a list, oldest first."""
        length = self.control.logs[name].length
        first = max(0, length - window)
        items: list[bytes] = []
        for number in range(first // CHUNK_ITEMS, -(-length // CHUNK_ITEMS)):
            items.extend(StoredChunk.FromString(self.get(f"l{name}/{number}") or b"").items)
        return items[len(items) - (length - first) :]
