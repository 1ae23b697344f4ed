"""Gate with keys: what it writes is sealed, what was changed harms one instance, and a key that is
missing stops it before anything is passed over.
"""

from __future__ import annotations

import pickle
from base64 import b64decode
from typing import Any

import pytest

from headgate.bootstrap import Bootstrap
from headgate.config import loads
from headgate.core.identity import genesis_base
from headgate.flink.gate import Gate, GateSettings
from headgate.flink.sealed_entries import CLEAR_KINDS, SealedEntries
from headgate.sealing.envelope import is_sealed
from headgate.sealing.errors import MissingKeyError
from headgate.sealing.places import Seals, encryption_of
from headgate.v1.turn_pb2 import DeadLetter, JournalRecord, Outcome
from tests.flink.test_gate import (
    KEYS,
    TOPICS,
    Context,
    Stored,
    event_for,
    fresh_gate,
    make_ready,
    name_of,
    requests_of,
    shard_of,
    written,
)
from tests.unit.sealing.keyrings import Ring, line

SENTINEL = b'"Quokka-0815-Emu"'
PLACES = (TOPICS.journal, TOPICS.history, TOPICS.dead_letters, TOPICS.inbox, TOPICS.answers)


def sealed_gate(stored: Stored, due: Stored, ring: Ring) -> Any:
    """A Gate's new life on what is stored."""
    gate = fresh_gate(stored, due)
    gate._seals = ring.seals(*PLACES)
    gate._entries = SealedEntries(stored, gate._seals.sealer)
    gate._begin_life(0, 1)
    gate._outputs.give()
    return gate


def ready(gate: Any, ring: Ring) -> None:
    gate._seals.topics = {}
    make_ready(gate)
    gate._seals.topics = {each: each for each in PLACES}


def send(gate: Any, address: str, number: int = 0) -> list[Any]:
    given = event_for(address, number)
    given.event.data = SENTINEL
    return list(gate.process_element1(given.SerializeToString(), Context()))


def outcome(address: str, *, base: bytes | None = None) -> Outcome:
    made = Outcome(
        agent_type="order",
        key=address.partition("/")[2],
        base=base or genesis_base(address),
        turn=1,
        outcome_id=b"o" * 16,
    )
    made.completed.SetInParent()
    change = made.mutations.add()
    change.name, change.set = "said", 100 * SENTINEL
    return made


def journaled(gate: Any, ring: Ring, made: Outcome, *, flip: bool = False) -> list[Any]:
    number = shard_of(f"order/{made.key}")
    raw = JournalRecord(outcome=made).SerializeToString()
    value = bytearray(ring.seals(TOPICS.journal).seal(TOPICS.journal, KEYS[number].encode(), raw))
    value[-1] ^= flip
    return list(gate.process_element2((KEYS[number], bytes(value), number, 17, 2_000), Context()))


def test_a_payload_is_nowhere_in_what_gate_keeps_and_writes() -> None:
    stored, ring = Stored(), Ring()
    gate = sealed_gate(stored, Stored(), ring)
    ready(gate, ring)
    [request] = requests_of(send(gate, "order/1"))
    assert request.call.request.events[0].data == SENTINEL
    send(gate, "order/1", 1)
    out = journaled(gate, ring, outcome("order/1"))
    [history] = written(out, TOPICS.history)
    assert is_sealed(history)
    for name, value in stored.items():
        item = name.removeprefix(name_of("order/1"))
        assert is_sealed(value) == (item[:1] not in CLEAR_KINDS), name
        assert SENTINEL not in value
    # Whoever comes next goes on with it.
    again = sealed_gate(stored, Stored(), ring)
    control = again._enter(shard_of("order/1")).control_of("order/1")
    assert control is not None
    assert control.turn == 1


def test_a_changed_record_of_the_journal_is_set_aside_and_the_event_waits() -> None:
    stored, ring = Stored(), Ring()
    gate = sealed_gate(stored, Stored(), ring)
    ready(gate, ring)
    send(gate, "order/1")
    [(topic, key, value)] = journaled(gate, ring, outcome("order/1"), flip=True)
    letter = DeadLetter.FromString(ring.seals(topic).open(topic, key, value))
    assert letter.reason == "bad_journal_record"
    assert "changed since" in letter.message
    assert SENTINEL not in letter.record_value
    journaled(gate, ring, outcome("order/1"))
    control = gate._enter(shard_of("order/1")).control_of("order/1")
    assert (control.turn, control.mailbox_tail) == (1, 1)


def test_state_of_another_instance_sets_one_aside_and_no_other() -> None:
    stored, due, ring = Stored(), Stored(), Ring()
    gate = sealed_gate(stored, due, ring)
    ready(gate, ring)
    for address in ("order/1", "order/2"):
        send(gate, address)
    stored[name_of("order/1")] = stored[name_of("order/2")]
    gate = sealed_gate(stored, due, ring)
    ready(gate, ring)
    [(topic, key, value)] = send(gate, "order/1", 1)
    letter = DeadLetter.FromString(ring.seals(topic).open(topic, key, value))
    assert (letter.reason, letter.address) == ("state_broken", "order/1")
    assert "moved here from another place" in letter.message
    assert "restore a checkpoint from before it" in letter.message
    assert send(gate, "order/2", 1) == []
    control = gate._enter(shard_of("order/2")).control_of("order/2")
    assert control.mailbox_tail == 2


def test_a_missing_key_passes_nothing_over() -> None:
    """Neither an outcome nor an event for an instance whose key is gone becomes a dead letter."""
    stored, due, ring = Stored(), Stored(), Ring()
    gate = sealed_gate(stored, due, ring)
    ready(gate, ring)
    send(gate, "order/1")
    k1, before = ring.text, dict(stored)
    sealed = ring.seals(TOPICS.journal).seal(
        TOPICS.journal,
        KEYS[shard_of("order/1")].encode(),
        JournalRecord(outcome=outcome("order/1")).SerializeToString(),
    )
    row = (KEYS[shard_of("order/1")], sealed, shard_of("order/1"), 17, 2_000)

    ring.text = line("k2")
    gate = sealed_gate(stored, due, ring)
    ready(gate, ring)
    with pytest.raises(MissingKeyError, match="state of '7/order/1/' is sealed with key 'k1'"):
        send(gate, "order/1", 1)
    with pytest.raises(MissingKeyError, match=r"journal of 'shard-.' is sealed with key 'k1'"):
        gate.process_element2(row, Context())
    assert dict(stored) == before

    ring.text = k1 + ring.text
    gate = sealed_gate(stored, due, ring)
    ready(gate, ring)
    send(gate, "order/1", 1)
    gate.process_element2(row, Context())
    control = gate._enter(shard_of("order/1")).control_of("order/1")
    assert (control.turn, control.mailbox_head, control.mailbox_tail) == (1, 0, 2)


def test_no_key_travels_with_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flink keeps the graph with its operators in high availability's storage, and shows of it."""
    text = line("k1")
    monkeypatch.setenv("SHOP_KEYS", text)
    encryption = encryption_of(loads("[encryption]\nkeys = 'env:SHOP_KEYS'"))
    made: Any = Gate(
        GateSettings(Bootstrap("127.0.0.1:9"), "registry", TOPICS, KEYS, encryption=encryption)
    )
    raw = pickle.dumps(made)
    secret = text.partition(":")[2].strip()
    assert secret.encode() not in raw
    assert b64decode(secret) not in raw
    back = pickle.loads(raw)  # noqa: S301 - made above
    assert is_sealed(Seals.of(back._settings.encryption).seal("headgate.inbox", b"", b"x"))
