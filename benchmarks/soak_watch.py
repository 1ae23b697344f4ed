"""What a soak sees of the outputs, judged as it comes: nothing is read twice, or kept whole."""

import json
import time
from array import array
from typing import Any

from benchmarks.sequences import SHOWN, Sequences
from headgate.config import Config
from headgate.core.identity import address_of
from headgate.kafka.follow import Following
from headgate.v1.turn_pb2 import HistoryRecord

READY_SECONDS = 60.0


class Watching:
    """Judges committed records of outbox, history and dead letters as they come."""

    def __init__(self, config: Config, keys: int) -> None:
        """Start reading; event n of the load went to key n modulo ``keys``."""
        self._keys = keys
        names = config.topic_names
        self._outbox, self._history = names.outbox, names.history
        self.outputs = Sequences()
        """By address, the events that were answered: the nth event of a key says n."""
        self.turns = Sequences()
        """By address, the turns."""
        self.taken = Sequences(is_ordered=False)
        """By partition of the topic of events, the offsets that turns took; in no order."""
        self.wrong_states: list[str] = []
        self.letters = 0
        self.misordered = 0
        self.decided_ms = array("q")
        self.latency_ms = array("q")
        self.moved = time.monotonic()
        self._last: dict[str, int] = {}
        topics = [names.outbox, names.history, names.dead_letters]
        self._following = Following(config.kafka.bootstrap, topics, self._note, start="start")
        self._following.await_ready(READY_SECONDS)

    @property
    def duplicated(self) -> int:
        """Outputs, events in turns, and turns that have come more than once."""
        return self.outputs.duplicated + self.taken.duplicated + self.turns.duplicated

    @property
    def reordered(self) -> int:
        """Outputs, events in turns, and turns that have come after later ones."""
        return self.outputs.reordered + self.misordered + self.turns.reordered

    @property
    def findings(self) -> list[str]:
        """The first things that are wrong, in words."""
        found = [each for part in (self.outputs, self.taken, self.turns) for each in part.findings]
        return [*found, *self.wrong_states]

    def close(self) -> None:
        """Stop."""
        self._following.close()

    def _note(self, record: Any) -> None:
        if record.topic == self._outbox:
            self._note_output(json.loads(record.value))
        elif record.topic == self._history:
            found = HistoryRecord.FromString(record.value)
            if not found.HasField("outcome"):
                return
            self._note_turn(found)
        else:
            self.letters += 1
        self.moved = time.monotonic()

    def _note_output(self, output: dict[str, Any]) -> None:
        address = str(output["source"]).removeprefix("headgate:")
        number, count = output["data"]["echo"]["n"] // self._keys, output["data"]["count"]
        self.outputs.see(address, number)
        if count != number + 1 and len(self.wrong_states) < SHOWN:
            self.wrong_states.append(f"{address} counted {count} at event {number}")

    def _note_turn(self, record: HistoryRecord) -> None:
        outcome = record.outcome
        address = address_of(outcome.agent_type, outcome.key)
        self.turns.see(address, outcome.turn - 1)
        self.decided_ms.append(record.journal_ms)
        for ref in outcome.taken:
            self.taken.see(ref.origin.partition, ref.origin.offset)
            self.misordered += ref.origin.offset < self._last.get(address, -1)
            self._last[address] = ref.origin.offset
            self.latency_ms.append(record.journal_ms - ref.origin.timestamp_ms)
