"""Hashes and partitions as every process computes them; stored state through versions."""

from __future__ import annotations

import pytest

from headgate.core.codec import (
    CONTROL_VERSION,
    StateVersionError,
    compact,
    decode_control,
    encode_control,
)
from headgate.core.identity import (
    digest,
    event_fingerprint,
    idempotency_key,
    murmur2,
    partition_of,
    record_fingerprint,
)
from headgate.core.readiness import Readiness
from headgate.v1.agent_pb2 import Origin
from headgate.v1.turn_pb2 import StoredControl, Tick

# From Kafka's own UtilsTest.testMurmur2, as signed 32-bit numbers.
KAFKA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize("text", KAFKA)
def test_murmur2_is_kafkas(text: str) -> None:
    """Producers of any language must put an address where Headgate looks for it."""
    assert murmur2(text.encode()) == KAFKA[text] & 0xFFFFFFFF
    assert partition_of(text.encode(), 7) == (KAFKA[text] & 0x7FFFFFFF) % 7


def test_digests_know_where_parts_end() -> None:
    """Two lists of parts that read alike when joined are still two."""
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a", b"b", 1) == digest("a", b"b", 1)


def test_fingerprints_and_keys_know_where_parts_end() -> None:
    """The same for those that hash one text: no two lists of parts make one."""
    hashes = [
        event_fingerprint("ab", "c"),
        event_fingerprint("a", "bc"),
        event_fingerprint("a", "b c"),
        record_fingerprint(Origin(topic="1 t", partition=1, offset=1, timestamp_ms=1)),
        record_fingerprint(Origin(topic="t", partition=1, offset=1, timestamp_ms=11)),
        record_fingerprint(Origin(topic="t", partition=11, offset=1, timestamp_ms=1)),
        idempotency_key("a/1", bytes(16), 1, [bytes(16)]),
        idempotency_key("a/1", bytes(16), 2, [bytes(16)]),
        idempotency_key("a/1", bytes(16), 1, [bytes(16), bytes(16)]),
        idempotency_key("a/1", b"1" * 16, 1, [bytes(16)]),
        idempotency_key("a/11", bytes(16), 1, [bytes(16)]),
    ]
    assert len(set(hashes)) == len(hashes)


def test_control_records_come_back() -> None:
    """What was written is read."""
    control = StoredControl(schema_version=CONTROL_VERSION, turn=7)
    assert decode_control(encode_control(control), "a/1") == control


@pytest.mark.parametrize("raw", [StoredControl(schema_version=99).SerializeToString(), b"\xff"])
def test_a_newer_version_is_refused(raw: bytes) -> None:
    """Never guessed at; the error names the instance."""
    with pytest.raises(StateVersionError, match="a/1"):
        decode_control(raw, "a/1")


def test_upcasters_chain() -> None:
    """Version 1 is lifted to 2, then to 3; a gap in the chain is an error."""

    def to_2(control: StoredControl) -> StoredControl:
        control.turn += 1
        return control

    def to_3(control: StoredControl) -> StoredControl:
        control.turn *= 10
        return control

    raw = StoredControl(schema_version=1, turn=1).SerializeToString()
    made = decode_control(raw, "a/1", version=3, upcasters={1: to_2, 2: to_3})
    assert (made.schema_version, made.turn) == (3, 20)
    with pytest.raises(StateVersionError, match="schema version 2"):
        decode_control(raw, "a/1", version=3, upcasters={1: to_2})


def test_gate_is_ready_when_every_partition_has_said_so() -> None:
    """Start ticks of its own nonce only; the one that completes them is told apart."""
    readiness = Readiness(b"mine")

    def tick(partition: int, *, nonce: bytes = b"mine", start: bool = True) -> bool:
        return readiness.see(Tick(nonce=nonce, start=start, partition=partition, partitions=2))

    assert not tick(0)
    assert not tick(0)
    assert not tick(1, nonce=b"other")
    assert not tick(1, start=False)
    assert not readiness.is_ready
    assert tick(1)
    assert readiness.is_ready
    assert not tick(1)


def test_a_compact_record_is_the_same_and_another() -> None:
    """Equal in what it says; not the object whose memory only grows."""
    control = StoredControl(turn=7, base=b"b" * 16, in_flight={"attempt": 2}, values={"n": 1})
    made = compact(control)
    assert made == control
    assert made is not control
