"""Instances in every condition that stored state can show: played once by each released version.

What it wrote is kept as a fixture, `stored/control-VERSION.json`, and never edited.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from headgate.core.codec import CONTROL_VERSION
from headgate.core.identity import partition_of
from headgate.sdk import Agent, Event, Log, Park, Turn, log
from headgate.sim.driver import settle
from headgate.sim.face import PARTITIONS, HeadgateSim
from headgate.sim.store import Cell, Store
from headgate.v1.agent_pb2 import Event as StoredEvent
from headgate.v1.turn_pb2 import StoredAhead, StoredChunk, StoredControl, StoredWindowEntry

FOLDER = Path(__file__).with_name("stored")
# What an item's bytes are, by the first letter of its name; all others are bytes of no form.
FORMS: dict[str, Any] = {
    "m": StoredEvent,
    "t": StoredEvent,
    "a": StoredAhead,
    "l": StoredChunk,
    "w": StoredWindowEntry,
}
AHEAD, FLIES = "desk/ahead", "desk/flies"


@dataclass
class Desk:
    """State in each way that it is stored: small, large, appended."""

    small: str = ""
    large: str = ""
    notes: Log[str] = log()  # noqa: RUF009 - a marker of the SDK's, as its users write it


def desk() -> Agent[Desk]:
    """Make an agent that does whatever state tells of."""
    agent = Agent("desk", Desk)

    @agent.on("desk.noted")
    def noted(turn: Turn[Desk], event: Event) -> None:
        turn.state.small = event.data["text"]
        turn.state.large = event.data["text"] * 200
        for number in range(event.data.get("notes", 1)):
            turn.state.notes.append(f"{event.data['text']} {number}")
        turn.emit("desk.told", {"notes": len(turn.state.notes)})

    @agent.on("desk.asked")
    def asked(turn: Turn[Desk], event: Event) -> None:
        turn.set_timer("remind", timedelta(days=2), event.data)
        turn.send("desk/told", "desk.noted", {"text": turn.key})

    @agent.on("desk.parked")
    def parked(turn: Turn[Desk], event: Event) -> None:
        message = "somebody has to look"
        raise Park(message)

    @agent.on_timer("remind")
    def remind(turn: Turn[Desk], event: Event) -> None:
        turn.emit("desk.reminded", event.data)

    return agent


def played() -> HeadgateSim:
    """Play it, to a moment at which nothing is at rest."""
    sim = HeadgateSim()
    sim.attach(desk())
    sim.send("desk/many", "desk.noted", {"text": "many", "notes": 40})
    sim.send("desk/asks", "desk.asked", {"what": "refund"})
    sim.send("desk/parked", "desk.noted", {"text": "first"})
    sim.send("desk/parked", "desk.parked")
    sim.send("desk/many", "desk.noted", {"text": "more"})
    sim.run()
    for text in ("second", "third", "fourth"):
        sim.send("desk/parked", "desk.noted", {"text": text})
    sim.run()
    # An outcome that stands in the journal, and whose event has not been read again.
    sim.send(AHEAD, "desk.noted", {"text": "ahead"})
    settle(sim.world, through_timers=False)
    sim.crash()
    sim.world.complete_registry()
    sim.world.answer_hello()
    for partition, records in enumerate(sim.world.journal.partitions):
        for _ in range(len(records) - sim.world.read_journal.offsets[partition]):
            sim.world.read_outcome(partition)
    # A call that nobody has answered yet; its event is in another partition.
    assert partition_of(b"ahead", PARTITIONS) != partition_of(b"flies", PARTITIONS)
    sim.send(FLIES, "desk.noted", {"text": "flies"})
    assert sim.world.read_event(partition_of(b"flies", PARTITIONS))
    return sim


def stored_in(sim: HeadgateSim) -> dict[str, dict[str, str]]:
    """Return what is stored of each instance: items by name, the control record as ""."""
    return {
        address: {
            name: b64encode(raw).decode() for name, raw in {"": cell.control, **cell.items}.items()
        }
        for address, cell in sorted(sim.world.gate.store.cells.items())
    }


def parsed(stored: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return it in a form that is equal where it means the same: maps have no order in bytes."""
    found: dict[str, Any] = {}
    for address, items in stored.items():
        for name, text in items.items():
            raw = b64decode(text)
            form = StoredControl if not name else FORMS.get(name[0])
            found[f"{address} {name}"] = raw if form is None else form.FromString(raw)
    return found


def restore(sim: HeadgateSim, stored: dict[str, dict[str, str]]) -> None:
    """Let the world go on from this state, and everything else as it is."""
    sim.world.checkpoint()
    newest = sim.world.checkpoints[-1]
    store = Store()
    store.timers = set(newest.store.timers)
    for address, items in stored.items():
        raw = {name: b64decode(text) for name, text in items.items()}
        store.cells[address] = Cell(raw.pop(""), raw)
    newest.store.cells = store.cells
    sim.crash()


def fixture(version: int) -> dict[str, dict[str, str]]:
    """Return what a version wrote."""
    text = (FOLDER / f"control-{version}.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def write() -> None:
    """Keep what this version writes: `python -m tests.unit.core.stored`, once for each version."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"control-{CONTROL_VERSION}.json"
    with file.open("x", encoding="utf-8") as out:
        json.dump(stored_in(played()), out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    write()
