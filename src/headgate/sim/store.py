"""Keyed state and timers of a simulated Gate, and their snapshots."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.core.codec import decode_control, encode_control
from headgate.core.model import Snapshot, Transition
from headgate.v1.turn_pb2 import StoredControl


@dataclass(slots=True)
class Cell:
    """What is stored of one instance. Bytes only, as in Flink: nothing is shared with a step."""

    control: bytes
    items: dict[str, bytes] = field(default_factory=dict)


class Store:
    """Keyed state by address, and the timers that are registered."""

    def __init__(self) -> None:
        self.cells: dict[str, Cell] = {}
        self.timers: set[tuple[int, str]] = set()

    def control(self, address: str) -> StoredControl | None:
        """Return an instance's control record, None if nothing is stored."""
        cell = self.cells.get(address)
        return decode_control(cell.control, address) if cell is not None else None

    def items(self, address: str) -> dict[str, bytes]:
        """Return an instance's items by name, those that the control record keeps too."""
        cell, control = self.cells.get(address), self.control(address)
        if cell is None or control is None:
            return {}
        twice = sorted(set(control.kept) & set(cell.items))
        if twice:
            msg = f"{address}: {twice} are stored in two places"
            raise AssertionError(msg)
        return {**cell.items, **control.kept}

    def snapshot_of(self, address: str) -> Snapshot:
        """Return what a step is given."""
        cell = self.cells.get(address)
        return Snapshot(address, self.control(address), {} if cell is None else cell.items)

    def keep(self, address: str, transition: Transition) -> None:
        """Store what a step changed, timers included."""
        if transition.control is not None:
            encoded = encode_control(transition.control)
            cell = self.cells.get(address)
            if cell is None:
                cell = self.cells[address] = Cell(encoded)
            cell.control = encoded
            for name, value in transition.puts.items():
                if value is None:
                    cell.items.pop(name, None)
                else:
                    cell.items[name] = value
        if transition.delete_timer_ms:
            self.timers.discard((transition.delete_timer_ms, address))
        if transition.set_timer_ms:
            self.timers.add((transition.set_timer_ms, address))

    def copy(self) -> Store:
        """Return a snapshot that later steps do not touch."""
        other = Store()
        other.cells = {a: Cell(c.control, dict(c.items)) for a, c in self.cells.items()}
        other.timers = set(self.timers)
        return other
