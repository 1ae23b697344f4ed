"""Random histories of a few instances, and what a plain fold makes of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from headgate.core.messages import message_id
from headgate.history.store import Read
from headgate.sdk.testing import Stored
from headgate.testing.folding import stored_of
from headgate.v1.turn_pb2 import Controlled, HistoryRecord

START_US = 1_700_000_000_000_000
PARTITIONS = 3
NAMES = ("alpha", "beta", "gamma")


@dataclass
class Telling:
    """Turns in the order of their time; `records[partition]` in the order of the topic."""

    seed: int
    instances: int = 6
    records: dict[int, list[HistoryRecord]] = field(
        default_factory=lambda: {number: [] for number in range(PARTITIONS)}
    )
    turns: list[HistoryRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - to be repeated
        self._now = START_US
        self._turn: dict[str, int] = {}
        # Messages that nobody has taken: id, sender, receiver.
        self._posted: list[tuple[str, str, str]] = []

    def go_on(self, count: int) -> None:
        """Tell so many turns more, and close the moment of the last."""
        for _ in range(count):
            self._tell()
        for number, records in self.records.items():
            closed = HistoryRecord()
            closed.closed.partition, closed.closed.until_us = number, self._now
            records.append(closed)

    def at(self, at_us: int) -> dict[str, Stored]:
        """What a fold makes of all turns until a moment, by address."""
        by_address: dict[str, list[HistoryRecord]] = {}
        for turn in self.turns:
            if turn.at_us <= at_us:
                by_address.setdefault(f"thing/{turn.outcome.key}", []).append(turn)
        return {address: stored_of(turns) for address, turns in by_address.items()}

    def in_flight(self, at_us: int) -> set[str]:
        """The ids of messages that were sent and not taken by a moment."""
        sent: set[str] = set()
        taken: set[str] = set()
        for turn in self.turns:
            if turn.at_us > at_us:
                continue
            address = f"thing/{turn.outcome.key}"
            for index in range(len(turn.outcome.messages)):
                sent.add(message_id(address, turn.outcome.turn, index))
            taken |= {ref.id for ref in turn.outcome.taken}
        return sent - taken

    def reads(self, partition: int, begin: int, end: int) -> Read:
        """Records of a partition as they are read; each stands at its own index."""
        values = [each.SerializeToString() for each in self.records[partition][begin:end]]
        return Read(partition, values, begin + len(values))

    def place_of(self, key: str) -> int:
        """The partition of an instance: spread evenly, as a few are not by their hash."""
        return int(key) % PARTITIONS

    def _tell(self) -> None:
        rnd = self._random
        self._now += rnd.randrange(1, 1_000_000)
        key = str(rnd.randrange(self.instances))
        address = f"thing/{key}"
        self._turn[key] = turn = self._turn.get(key, 0) + 1
        record = HistoryRecord(at_us=self._now)
        outcome = record.outcome
        outcome.agent_type, outcome.key, outcome.turn = "thing", key, turn
        waiting = [each for each in self._posted if each[2] == address]
        if waiting and rnd.random() < 0.6:
            message = waiting[0]
            self._posted.remove(message)
            outcome.taken.add(id=message[0], source=f"headgate:{message[1]}")
        elif rnd.random() < 0.5:
            # Late by up to a day, as events are that devices sent when they were back.
            outcome.taken.add(
                id=f"e{len(self.turns)}", source="test", time_us=self._now - rnd.randrange(10**11)
            )
        if rnd.random() < 0.05:
            outcome.controlled.verb = rnd.choice((Controlled.RESET, Controlled.EXPIRE))
        elif rnd.random() < 0.05:
            outcome.failed.park = True
            outcome.failed.message = "no"
        else:
            outcome.completed.SetInParent()
            self._change(record)
        self.turns.append(record)
        self.records[self.place_of(key)].append(record)

    def _change(self, record: HistoryRecord) -> None:
        rnd, outcome = self._random, record.outcome
        for _ in range(rnd.randrange(4)):
            mutation = outcome.mutations.add(name=rnd.choice(NAMES))
            match rnd.randrange(7):
                case 0:
                    mutation.delete = True
                case 1 | 2 | 3:
                    mutation.append = b"%d" % rnd.randrange(100)
                case _:
                    mutation.set = b"%d" % rnd.randrange(100)
        for _ in range(rnd.choice((0, 0, 1, 2))):
            outcome.outputs.add(type="thing.said", data=b"%d" % rnd.randrange(100))
        for index in range(rnd.choice((0, 0, 1, 2))):
            to = str(rnd.randrange(self.instances))
            outcome.messages.add(agent_type="thing", key=to, type="thing.told", data=b"{}")
            sender = f"thing/{outcome.key}"
            posted = message_id(sender, outcome.turn, index)
            self._posted.append((posted, sender, f"thing/{to}"))
