"""How large what a turn leaves is: turns are played in memory by the job's own core, and weighed.

So sizes follow the code and need no table. Kafka's batches add some bytes per record and
compress nothing by default; RocksDB's own files are not part of it.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field

from headgate.sdk import Agent, Event, Log, Turn
from headgate.sim.face import HeadgateSim
from headgate.sizing.load import Load
from headgate.v1.turn_pb2 import Closed, HistoryRecord, JournalRecord, Tick

TURNS = 12

ADDRESS = "weighed/customer-000017"
NONCE = bytes(8)


@dataclass
class Kept:
    """The state of what is weighed: a list that grows, as chats do."""

    items: Log[str] = field(default_factory=Log)
    count: int = 0
    seed: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of one record, key included; of what RocksDB holds of one instance; and of a request.

    tick, closed: what each partition of journal and history takes every second.
    """

    event: int
    journal: int
    outbox: int
    history: int
    request: int
    stored: int
    stored_per_event: int
    tick: int
    closed: int


def weigh(load: Load) -> Weights:
    """Play turns of the load's sizes, and weigh what they leave."""
    words = random.Random(0)  # noqa: S311 - filling
    agent = Agent("weighed", Kept)
    changed = _text(words, load.changed_bytes)
    output = _text(words, load.output_bytes)
    filling = _text(words, load.state_bytes)

    @agent.on("weighed.asked")
    def answer(turn: Turn[Kept], event: Event) -> None:
        if not turn.state.seed:
            turn.state.seed = filling
        turn.state.count += 1
        # What is written each turn is counted; that it is part of state_bytes, not beside them, is
        # seen to when stored bytes are reckoned.
        turn.state.items.append(changed)
        turn.emit("weighed.answered", output)

    sim = HeadgateSim()
    sim.attach(agent)
    stored: list[int] = []
    for _ in range(TURNS):
        sim.send(ADDRESS, "weighed.asked", _text(words, load.event_bytes), source="weigh")
        sim.run()
        cell = sim.world.gate.store.cells[ADDRESS]
        parts = (len(ADDRESS) + len(n) + len(v) + 2 for n, v in cell.items.items())
        stored.append(len(cell.control) + len(ADDRESS) + 2 + sum(parts))
    sim.world.checkpoint()
    key = len(ADDRESS)
    outcomes = [
        w for p in sim.world.journal.partitions for w in p if b"weighed.answered" in w.value
    ]
    request = sim.world.calls[-1].request
    per_turn = (stored[-1] - stored[0]) / (TURNS - 1)
    item = len(changed.encode()) + 8
    tick = Tick(nonce=NONCE, written_us=1 << 51, partition=1, partitions=4, drops=1_000)
    closed = HistoryRecord(schema_version=1, closed=Closed(partition=1, until_us=1 << 51))
    return Weights(
        event=_event_bytes(sim, key),
        journal=len(outcomes[-1].value) + key,
        outbox=len(sim.world.sinks.outbox.committed[-1].value) + key,
        history=len(sim.world.sinks.history.committed[-1].value) + key,
        request=request.ByteSize() - (TURNS - 1) * item,
        stored=stored[0] - item,
        stored_per_event=max(0, round(per_turn - item)),
        tick=JournalRecord(tick=tick).ByteSize() + len("@tick/10"),
        closed=closed.ByteSize() + len("partition-1"),
    )


def _event_bytes(sim: HeadgateSim, key: int) -> int:
    events = [event for p in sim.world.events.partitions for _, event in p]
    return events[-1].ByteSize() + key


def _text(words: random.Random, length: int) -> str:
    return "".join(words.choices(string.ascii_letters, k=max(1, length)))
