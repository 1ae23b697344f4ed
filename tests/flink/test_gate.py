"""Gate without a cluster: stored state of a newer version is refused, and harms nobody else."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from pyflink.datastream import OutputTag

from headgate.bootstrap import Bootstrap
from headgate.core.batch import pack_records
from headgate.core.calls import calls_made
from headgate.core.codec import CONTROL_VERSION
from headgate.core.identity import genesis_base, partition_of
from headgate.flink.alarms import ALARM_STEP_MS
from headgate.flink.exposed import Exposed
from headgate.flink.gate import STIR_MS, Gate, GateSettings
from headgate.flink.outputs import Output, Topics
from headgate.flink.rows import REQUESTED
from headgate.kafka.inspect import shard_keys
from headgate.kafka.table import Shown
from headgate.sim.ledger import Entries
from headgate.v1.agent_pb2 import Event, Origin
from headgate.v1.turn_pb2 import (
    AgentSpec,
    DeadLetter,
    GateInput,
    HistoryRecord,
    Inspect,
    InstanceReport,
    InvokeRequest,
    JournalRecord,
    Outcome,
    StoredControl,
    Tick,
)

ORIGIN = Origin(topic="events", partition=2, offset=40, timestamp_ms=1_000)
NEWER = StoredControl(schema_version=CONTROL_VERSION + 1).SerializeToString()
KEYS = ("shard-a", "shard-b")
TOPICS = Topics(
    "journal",
    "outbox",
    "history",
    "dead-letters",
    "parked",
    "inbox",
    "answers",
    "pressure",
    "replies",
)


class Stored(Entries):
    """A map state of one key of Flink's."""


class JavaGroup:
    """A metric group of Flink's: what was added, by name and labels."""

    def __init__(self, values: dict[tuple[str, ...], int] | None = None) -> None:
        self.values = {} if values is None else values
        self._labels: tuple[str, ...] = ()

    def addGroup(self, label: str, value: str) -> JavaGroup:  # noqa: N802 - Java's name
        made = JavaGroup(self.values)
        made._labels = (*self._labels, f"{label}={value}")
        return made

    def counter(self, name: str) -> Any:
        key = name, *self._labels
        assert key not in self.values, "Flink shows a second one of a name to nobody"
        self.values[key] = 0

        def inc(by: int) -> None:
            self.values[key] += by

        return SimpleNamespace(inc=inc)


class Context:
    """Flink's context: keeps timers, and says which shard's key is the current one."""

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.timers: list[int] = []

    def timer_service(self) -> Any:
        return SimpleNamespace(register_processing_time_timer=self.timers.append)

    def get_current_key(self) -> str:
        return self.key


def name_of(address: str) -> str:
    return f"{len(address)}/{address}/"


def fresh_gate(entries: Stored, due: Stored, parked: Stored | None = None) -> Any:
    """A Gate with nothing of Flink's around it, as it is after a start."""
    made: Any = Gate(GateSettings(Bootstrap("127.0.0.1:9"), "registry", TOPICS, KEYS))
    made._entries, made._due = entries, due
    made._parked_counts = Stored() if parked is None else parked
    made._exposed = Exposed(JavaGroup())
    made._begin_life(0, 1)
    spec = AgentSpec(type="order", endpoints=["127.0.0.1:9"])
    made._table = SimpleNamespace(shown=Shown({"order": spec}, position=7), is_complete=True)
    return made


def make_ready(gate: Any) -> list[Output]:
    """Let the start ticks of both shards come through."""
    nonce = gate._readiness.nonce
    out: list[Output] = []
    for partition, key in enumerate(KEYS):
        tick = Tick(nonce=nonce, start=True, partition=partition, partitions=len(KEYS))
        raw = JournalRecord(tick=tick).SerializeToString()
        out += gate.process_element2((key, raw, partition, 0, 1_000), Context())
    return out


@pytest.fixture
def gate() -> Any:
    """A Gate that has greeted Invoke, with one instance from the future."""
    made = fresh_gate(Stored({name_of("order/newer"): NEWER}), Stored())
    made._outputs.give()
    return made


def shard_of(address: str) -> int:
    return partition_of(address.encode(), len(KEYS))


def event_for(address: str, number: int = 0) -> GateInput:
    event = Event(id="e", source="s", type="t", data=b"1", origin=ORIGIN, fingerprint=b"f" * 16)
    event.origin.offset += number
    event.fingerprint = number.to_bytes(16, "big")
    return GateInput(address=address, shard=shard_of(address), event=event)


def journal(
    gate: Any, *outcomes: Outcome, shard: int, context: Any = None, tells: bool = True
) -> list[Output]:
    """Hand the Gate one record with these outcomes, whose writer tells of their calls or not."""
    made = calls_made(outcomes) if tells else None
    raw = pack_records([JournalRecord(outcome=each).SerializeToString() for each in outcomes], made)
    row = (KEYS[shard], raw, shard, 17, 2_000)
    return list(gate.process_element2(row, context or Context()))


def give(gate: Any, address: str, *, is_outcome: bool = False, number: int = 0) -> list[Output]:
    """Hand the Gate an event, or an outcome."""
    if is_outcome:
        key = address.partition("/")[2]
        outcome = Outcome(agent_type="order", key=key, base=b"b" * 16)
        return journal(gate, outcome, shard=shard_of(address))
    raw = event_for(address, number).SerializeToString()
    return list(gate.process_element1(raw, Context()))


def letter_of(out: list[Output]) -> DeadLetter:
    [(topic, _, value)] = out
    assert topic == "dead-letters"
    return DeadLetter.FromString(value)


def written(out: list[Any], topic: str) -> list[bytes]:
    """What Gate's main output has for a topic."""
    return [each[2] for each in out if each[0] == topic]


def rows_of(out: list[Any], tag: OutputTag) -> list[bytes]:
    """What is on one of its side outputs."""
    sided = [each[1] for each in out if each[0] is tag]
    return [each if isinstance(each, bytes) else each._values[1] for each in sided]


def requests_of(out: list[Any]) -> list[InvokeRequest]:
    """What Invoke is sent, batches taken apart."""
    found = []
    for value in rows_of(out, REQUESTED):
        request = InvokeRequest.FromString(value)
        parts = request.batch.requests if request.HasField("batch") else [value]
        found += [InvokeRequest.FromString(part) for part in parts]
    return found


def test_an_event_for_state_of_a_newer_version_is_set_aside(gate: Any) -> None:
    letter = letter_of(give(gate, "order/newer"))
    assert letter.reason == "state_version"
    assert f"schema version {CONTROL_VERSION + 1}" in letter.message
    assert (letter.address, letter.event_id) == ("order/newer", "e")
    assert letter.origin == ORIGIN
    assert letter.id == "events/2/40"
    kept = gate._entries[name_of("order/newer")]
    assert kept == NEWER, "the state waits for a version that reads it"


def test_an_outcome_for_state_of_a_newer_version_is_set_aside(gate: Any) -> None:
    letter = letter_of(give(gate, "order/newer", is_outcome=True))
    assert letter.reason == "state_version"
    place = (letter.origin.topic, letter.origin.partition, letter.origin.offset)
    assert place == ("journal", shard_of("order/newer"), 17)
    assert JournalRecord.FromString(letter.record_value).outcome.key == "newer"


def test_an_instance_whose_stored_mailbox_is_damaged_is_set_aside(gate: Any) -> None:
    """The step breaks off when it has changed the control record already."""
    give(gate, "order/1")
    give(gate, "order/1", number=1)
    before = gate._entries[name_of("order/1")]
    del gate._entries[name_of("order/1") + "m1"]
    gate._shards.clear()
    letter = letter_of(journal(gate, completed("1"), shard=shard_of("order/1")))
    assert letter.reason == "state_version"
    assert "mailbox entry 1 is missing" in letter.message
    # A change to the shard writes what it knows: nothing of the broken step.
    same = (f"order/{n}" for n in range(2, 20) if shard_of(f"order/{n}") == shard_of("order/1"))
    give(gate, next(same), number=7)
    assert gate._entries[name_of("order/1")] == before
    # Nor is it what the instance's next input meets.
    give(gate, "order/1", number=2)
    after = StoredControl.FromString(gate._entries[name_of("order/1")])
    assert (after.turn, after.mailbox_head, after.mailbox_tail) == (0, 0, 3)


def test_other_instances_go_on_beside_it(gate: Any) -> None:
    give(gate, "order/newer")
    assert give(gate, "order/other") == []
    assert StoredControl.FromString(gate._entries[name_of("order/other")]).mailbox_tail == 1


def test_a_wake_up_of_such_an_instance_is_harmless(gate: Any) -> None:
    shard = shard_of("order/newer")
    gate._due["order/newer"] = b""
    assert gate.on_timer(2**40, Context(KEYS[shard])) == []


def test_a_tick_closes_the_moment_before_it_in_its_partition(gate: Any) -> None:
    number = 1
    tick = JournalRecord(tick=Tick(nonce=b"another", partition=number, partitions=2))
    row = (KEYS[number], tick.SerializeToString(), number, 7, 5_000)
    [(topic, key, value)] = [
        each for each in gate.process_element2(row, Context()) if each[0] == TOPICS.history
    ]
    closed = HistoryRecord.FromString(value).closed
    assert (closed.partition, closed.until_us) == (number, 4_999_999)
    assert partition_of(key, len(KEYS)) == number
    assert topic == TOPICS.history


def test_requests_wait_until_all_shards_have_been_read_to_their_start_ticks(gate: Any) -> None:
    assert give(gate, "order/1") == []
    [request] = requests_of(make_ready(gate))
    assert (request.call.request.key, request.call.partition) == ("1", shard_of("order/1"))
    [later] = requests_of(give(gate, "order/2"))
    assert later.call.request.key == "2"


def test_an_outcome_of_an_earlier_life_answers_what_is_held_back(gate: Any) -> None:
    give(gate, "order/1")
    journal(gate, completed("1"), shard=shard_of("order/1"))
    assert requests_of(make_ready(gate)) == []


def completed(key: str, outcome_id: bytes = b"o" * 16, base: bytes = b"") -> Outcome:
    """A first turn that took the event of `event_for`, or a later one."""
    event = event_for(f"order/{key}").event
    made = Outcome(
        agent_type="order",
        key=key,
        base=base or genesis_base(f"order/{key}"),
        turn=1,
        outcome_id=outcome_id,
    )
    made.completed.SetInParent()
    taken = made.taken.add(fingerprint=event.fingerprint, id=event.id)
    taken.origin.CopyFrom(event.origin)
    return made


def test_outcomes_that_share_a_record_each_apply_and_the_second_on_one_base_does_not(
    gate: Any,
) -> None:
    keys = [str(n) for n in range(20) if shard_of(f"order/{n}") == 0][:3]
    for key in keys:
        give(gate, f"order/{key}")
    late = completed(keys[0], outcome_id=b"z" * 16)
    out = journal(gate, *(completed(key) for key in keys), late, shard=0)
    told = [HistoryRecord.FromString(value) for value in written(out, "history")]
    assert [record.outcome.key for record in told] == keys
    assert {record.outcome.outcome_id for record in told} == {b"o" * 16}
    for key in keys:
        control = StoredControl.FromString(gate._entries[name_of(f"order/{key}")])
        assert (control.turn, control.mailbox_head, control.mailbox_tail) == (1, 1, 1)


def test_an_outcome_in_another_shards_record_is_set_aside(gate: Any) -> None:
    address = next(f"order/{n}" for n in range(20) if shard_of(f"order/{n}") == 1)
    letter = letter_of(journal(gate, completed(address.partition("/")[2]), shard=0))
    assert letter.reason == "bad_journal_record"
    assert f"it names {address}" in letter.message
    assert name_of(address) not in gate._entries


def test_a_record_with_a_foreign_key_is_set_aside(gate: Any) -> None:
    row = ("order/1", JournalRecord(outcome=completed("1")).SerializeToString(), 0, 4, 2_000)
    letter = letter_of(gate.process_element2(row, Context("order/1")))
    assert letter.reason == "bad_journal_record"
    assert letter.record_key == b"order/1"
    assert letter.message.startswith("journal/0@4: ")


def test_an_instance_that_waits_is_woken_by_the_next_life_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries, due, context = Stored(), Stored(), Context()
    first = fresh_gate(entries, due)
    first._outputs.give()
    make_ready(first)
    raw = event_for("order/1").SerializeToString()
    assert requests_of(first.process_element1(raw, context))
    assert list(due) == ["order/1"]
    assert context.timers, "Flink wakes the shard"

    second = fresh_gate(entries, due)
    second._outputs.give()
    make_ready(second)
    later_ns = time.time_ns() + 3_600 * 10**9
    clock = SimpleNamespace(time_ns=lambda: later_ns, monotonic=time.monotonic)
    monkeypatch.setattr("headgate.flink.gate.time", clock)
    out = second.on_timer(context.timers[0], Context(KEYS[shard_of("order/1")]))
    [request] = requests_of(out)
    assert request.call.request.key == "1", "what the first life's Invoke may have lost"
    assert list(due) == ["order/1"], "it still waits"


def test_an_instance_whose_request_is_held_rests_without_a_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries, context = Stored(), Context()
    gate = fresh_gate(entries, Stored())
    gate._outputs.give()
    make_ready(gate)
    gate.process_element1(event_for("order/1").SerializeToString(), context)
    before = dict(entries)
    now_ns = time.time_ns() + 2 * 10**9
    clock = SimpleNamespace(time_ns=lambda: now_ns, monotonic=time.monotonic)
    monkeypatch.setattr("headgate.flink.gate.time", clock)
    shard = Context(KEYS[shard_of("order/1")])
    assert gate.on_timer(context.timers[0], shard) == []
    assert dict(entries) == before
    assert shard.timers[0] > now_ns // 10**6, "it is looked at again"
    # Invoke has dropped something: now it may be this one.
    tick = Tick(nonce=gate._readiness.nonce, drops=1, partition=0, partitions=2)
    row = (KEYS[0], JournalRecord(tick=tick).SerializeToString(), 0, 9, 3_000)
    gate.process_element2(row, Context())
    now_ns = shard.timers[0] * 10**6
    assert len(requests_of(gate.on_timer(shard.timers[0], shard))) == 1


def show(gate: Any, *, position: int, paused: bool | None = None) -> None:
    """Let Gate's table show the agent, or nobody (``paused`` is None)."""
    spec = AgentSpec(type="order", endpoints=["127.0.0.1:9"], paused=bool(paused))
    specs = {} if paused is None else {"order": spec}
    gate._table.shown = Shown(specs, position, frozenset(["order"] if paused else []))


def busy(gate: Any, agent_type: str) -> int:
    """Ask all shards how many instances of a type have work to do."""
    found = 0
    for key in shard_keys(agent_type, len(KEYS)):
        question = Inspect(request_id="q", agent_type=agent_type)
        given = GateInput(address=key, shard=shard_of(key), inspect=question)
        [asked] = requests_of(gate.process_element1(given.SerializeToString(), Context()))
        assert (asked.note.topic, asked.note.key) == ("answers", b"q")
        found += InstanceReport.FromString(asked.note.value).busy_instances
    return found


def test_it_tells_how_many_instances_of_a_type_have_work(gate: Any) -> None:
    """Of all shards: in flight, or waiting for their agent; not parked, and not another type's."""
    make_ready(gate)
    show(gate, position=8, paused=True)
    for number in range(5):
        give(gate, f"order/{number}")
    give(gate, "other/1")
    assert busy(gate, "order") == 5
    assert busy(gate, "another") == 0
    shard = gate._shards[shard_of("order/1")]
    control = shard.control_of("order/1")
    control.parked = True
    assert busy(gate, "order") == 4
    control.parked = False
    control.mailbox_head = control.mailbox_tail
    assert busy(gate, "order") == 4, "one that only waits for a timer"


def test_an_agent_that_only_intake_knows_yet_is_waited_for(gate: Any) -> None:
    make_ready(gate)
    show(gate, position=7)
    given = event_for("order/1")
    given.registry_position = 8
    context = Context()
    assert gate.process_element1(given.SerializeToString(), context) == []
    show(gate, position=8, paused=False)
    gate._now_ms = context.timers[0]
    shard = Context(KEYS[shard_of("order/1")])
    [request] = requests_of(gate.on_timer(context.timers[0] + 1_000, shard))
    assert request.call.endpoint == "127.0.0.1:9"


def test_an_agent_that_is_detached_is_not_waited_for(gate: Any) -> None:
    make_ready(gate)
    show(gate, position=8)
    given = event_for("order/1")
    given.registry_position = 8
    [request] = requests_of(gate.process_element1(given.SerializeToString(), Context()))
    assert request.call.endpoint == "", "Invoke journals that nobody serves the type"


def test_what_waits_for_a_paused_agent_goes_on_with_the_next_tick(gate: Any) -> None:
    make_ready(gate)
    show(gate, position=8, paused=True)
    number = shard_of("order/1")

    def tick() -> list[InvokeRequest]:
        raw = JournalRecord(tick=Tick(nonce=b"another", partition=number, partitions=2))
        row = (KEYS[number], raw.SerializeToString(), number, 9, 3_000)
        return requests_of(gate.process_element2(row, Context()))

    assert tick() == []
    assert give(gate, "order/1") == []
    assert tick() == []
    show(gate, position=9, paused=False)
    [request] = tick()
    assert request.call.request.key == "1"
    assert tick() == []


def test_a_restored_gate_greets_invoke_though_nobody_sends_it_anything() -> None:
    entries, due, context = Stored(), Stored(), Context(KEYS[0])
    first = fresh_gate(entries, due)
    tick = JournalRecord(tick=Tick(nonce=first._readiness.nonce, partition=0, partitions=2))
    first.process_element2((KEYS[0], tick.SerializeToString(), 0, 0, 1_000), context)
    # Flink keeps the timer, and the next life has nothing to read.
    (timer,) = context.timers
    assert timer <= time.time_ns() // 10**6 + STIR_MS + ALARM_STEP_MS
    second = fresh_gate(entries, due)
    out = second.on_timer(timer, context)
    assert [each.WhichOneof("kind") for each in requests_of(out)] == ["hello"]
    assert second._exposed._group.values, "and shows itself"
    assert len(context.timers) == 2, "and goes on doing so"
