"""Gate without a cluster: stored state of a newer version is refused, and harms nobody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from headgate.core.codec import CONTROL_VERSION
from headgate.flink.gate import DEAD_LETTERS, Gate, GateSettings
from headgate.flink.rows import KIND_EVENT
from headgate.v1.agent_pb2 import Event, Origin
from headgate.v1.turn_pb2 import DeadLetter, JournalRecord, Outcome, StoredControl

ORIGIN = Origin(topic="events", partition=2, offset=40, timestamp_ms=1_000)
NEWER = StoredControl(schema_version=CONTROL_VERSION + 1).SerializeToString()


class Stored(dict[str, bytes]):
    """Keyed state of one instance after another; Flink chooses by the current key."""

    current = ""

    def get(self, *_: Any) -> Any:
        return super().get(self.current)

    def put(self, *given: Any) -> None:
        self[self.current] = given[-1]


class Timers:
    """Ignores timers."""

    def timer_service(self) -> Any:
        return SimpleNamespace(
            delete_processing_time_timer=lambda _: None,
            register_processing_time_timer=lambda _: None,
        )


@pytest.fixture
def gate() -> Any:
    """A Gate with nothing of Flink's around it, and one instance from the future."""
    made: Any = Gate(GateSettings("127.0.0.1:9", "registry", "journal", ("@tick/0",)))
    made._control, made._items = Stored(), Stored()
    made._control["order/newer"] = NEWER
    made._tick_key = "@tick/0"
    made._begin_life()
    made._has_greeted = True
    made._registry = SimpleNamespace(get=lambda _: None, is_complete=False)
    return made


def give(gate: Any, address: str, *, journal: bool = False) -> Any:
    """Hand the Gate an event, or an outcome."""
    gate._control.current = gate._items.current = address
    if journal:
        outcome = Outcome(agent_type="order", key=address.partition("/")[2], base=b"b" * 16)
        raw = JournalRecord(outcome=outcome).SerializeToString()
        return gate.process_element2((address, raw, 3, 17, 2_000), Timers())
    event = Event(id="e", source="s", type="t", data=b"1", origin=ORIGIN, fingerprint=b"f" * 16)
    return gate.process_element1((address, KIND_EVENT, event.SerializeToString()), Timers())


def letter_of(out: list[Any]) -> DeadLetter:
    [(tag, row)] = out
    assert tag == DEAD_LETTERS
    return DeadLetter.FromString(row._values[1])


def test_an_event_for_state_of_a_newer_version_is_set_aside(gate: Any) -> None:
    letter = letter_of(give(gate, "order/newer"))
    assert letter.reason == "state_version"
    assert f"schema version {CONTROL_VERSION + 1}" in letter.message
    assert (letter.address, letter.event_id) == ("order/newer", "e")
    assert letter.origin == ORIGIN
    assert letter.id == "events/2/40"
    assert gate._control["order/newer"] == NEWER, "the state waits for a version that reads it"


def test_an_outcome_for_state_of_a_newer_version_is_set_aside(gate: Any) -> None:
    letter = letter_of(give(gate, "order/newer", journal=True))
    assert letter.reason == "state_version"
    assert (letter.origin.topic, letter.origin.partition, letter.origin.offset) == (
        "journal", 3, 17,
    )  # fmt: skip
    assert JournalRecord.FromString(letter.record_value).outcome.key == "newer"


def test_other_instances_go_on_beside_it(gate: Any) -> None:
    give(gate, "order/newer")
    assert give(gate, "order/other") == []
    assert StoredControl.FromString(gate._control["order/other"]).mailbox_tail == 1


def test_a_wake_up_of_such_an_instance_is_harmless(gate: Any) -> None:
    gate._control.current = "order/newer"
    context = Timers()
    context.get_current_key = lambda: "order/newer"  # type: ignore[attr-defined]
    assert gate.on_timer(0, context) == []
