"""What is sealed can be opened where it belongs, with its key, and as it was."""

from __future__ import annotations

import logging

import pytest

from headgate.sealing import sealer as module
from headgate.sealing.envelope import is_sealed, take_apart, told
from headgate.sealing.errors import BrokenSealError, KeysError, MissingKeyError
from headgate.sealing.keys import Key
from headgate.sealing.places import Seals
from headgate.sealing.sealer import Sealer
from tests.unit.sealing.keyrings import Ring, line

HERE = b"state\x008/order/17/vstatus"


def test_another_process_with_the_same_keys_opens_it() -> None:
    ring = Ring()
    for plain in (b"", b"secret", b"x" * 100_000, b"\x00hg\x01 begins as a seal does"):
        sealed = ring.sealer().seal(plain, HERE)
        assert is_sealed(sealed)
        assert not plain or plain not in sealed
        assert ring.sealer().open(sealed, HERE) == plain


def test_sealing_the_same_twice_makes_other_bytes() -> None:
    sealer = Ring().sealer()
    assert sealer.seal(b"secret", HERE) != sealer.seal(b"secret", HERE)


def test_every_flipped_bit_is_found() -> None:
    """In the magic it makes clear bytes of it, which a sealer that takes none refuses as well."""
    ring = Ring()
    sealed = ring.sealer().seal(b"secret", HERE)
    sealer = ring.sealer(accepts_clear=False)
    assert sealer.open(sealed, HERE) == b"secret"
    for bit in range(8 * len(sealed)):
        spoilt = bytearray(sealed)
        spoilt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BrokenSealError):
            sealer.open(bytes(spoilt), HERE)


def test_what_is_cut_is_found() -> None:
    ring = Ring()
    sealed = ring.sealer().seal(b"secret", HERE)
    for length in range(4, len(sealed)):
        with pytest.raises(BrokenSealError):
            ring.sealer().open(sealed[:length], HERE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        b"state\x008/order/18/vstatus",
        b"state\x008/order/17/vamount",
        b"state\x008/order/17/",
        b"history\x00order/17",
    ],
)
def test_it_belongs_to_its_place(elsewhere: bytes) -> None:
    ring = Ring()
    sealed = ring.sealer().seal(b"secret", HERE)
    with pytest.raises(BrokenSealError, match="moved here from another place"):
        ring.sealer().open(sealed, elsewhere)


def test_records_belong_to_their_topic_and_key() -> None:
    seals = Ring().seals("a.inbox", "a.history")
    sealed = seals.seal("a.inbox", b"order/17", b"secret")
    assert seals.open("a.inbox", b"order/17", sealed) == b"secret"
    for topic, key in (("a.inbox", b"order/18"), ("a.history", b"order/17")):
        with pytest.raises(BrokenSealError):
            seals.open(topic, key, sealed)
    # Users' own topics, and nulls.
    assert seals.seal("orders", b"17", b"theirs") == b"theirs"
    assert seals.open("orders", b"17", sealed) == sealed
    assert seals.seal("a.inbox", b"order/17", b"") == b""


def test_a_new_key_seals_and_the_old_one_opens() -> None:
    ring = Ring()
    sealer = ring.sealer()
    old = sealer.seal(b"old", HERE)
    ring.text += line("k2")
    new = sealer.seal(b"new", HERE)
    assert (told(old), told(new)) == ("sealed with key 'k1'", "sealed with key 'k2'")
    for reader in (sealer, ring.sealer()):
        assert (reader.open(old, HERE), reader.open(new, HERE)) == (b"old", b"new")


def test_a_missing_key_is_named_and_its_return_mends_it() -> None:
    ring = Ring()
    sealed = ring.sealer().seal(b"secret", HERE)
    k1, ring.text = ring.text, line("k2")
    reader = ring.sealer()
    with pytest.raises(MissingKeyError, match=r"key 'k1': it is not among the keys\. Put the key"):
        reader.open(sealed, HERE)
    ring.text = k1 + ring.text
    assert reader.open(sealed, HERE) == b"secret"


def test_without_encryption_what_is_sealed_is_not_taken_for_nothing() -> None:
    sealed = Ring().seals("a.inbox").seal("a.inbox", b"order/17", b"secret")
    with pytest.raises(MissingKeyError, match="no \\[encryption\\]") as missing:
        Seals().open("b.inbox", b"order/17", sealed)
    assert missing.value.key_id == "k1"
    assert Seals().open("a.inbox", b"order/17", b"clear") == b"clear"
    assert Seals().seal("a.inbox", b"order/17", b"clear") == b"clear"


def test_another_key_of_the_same_name_opens_nothing() -> None:
    sealed = Ring().sealer().seal(b"secret", HERE)
    with pytest.raises(BrokenSealError, match="that key is another one now"):
        Ring().sealer().open(sealed, HERE)


def test_clear_bytes_are_taken_or_refused() -> None:
    ring = Ring()
    assert ring.sealer().open(b"clear", HERE) == b"clear"
    with pytest.raises(BrokenSealError, match="accept_clear is false"):
        ring.sealer(accepts_clear=False).open(b"clear", HERE)


def test_a_list_that_is_being_written_stops_nobody_who_had_a_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ring = Ring()
    sealer = ring.sealer()
    sealer.seal(b"1", HERE)
    whole, ring.text = ring.text, "k1:cut"
    with caplog.at_level(logging.WARNING):
        sealed = sealer.seal(b"2", HERE)
    assert "the last one is used on" in caplog.text
    with pytest.raises(KeysError, match="line 1 of the keys is no key"):
        ring.sealer().seal(b"3", HERE)
    ring.text = whole
    assert ring.sealer().open(sealed, HERE) == b"2"


def test_a_data_key_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random nonces repeat sooner than one thinks."""
    monkeypatch.setattr(module, "MESSAGES_PER_DATA_KEY", 3)
    sealer = Ring().sealer()
    salts = [take_apart(sealer.seal(b"x", HERE)).salt for _ in range(7)]  # type: ignore[union-attr]
    assert [salts.count(each) for each in dict.fromkeys(salts)] == [3, 3, 1]


class Failing:
    """A provider whose service is away."""

    def current(self) -> Key:
        message = "no route to host"
        raise OSError(message)

    def find(self, key_id: str) -> Key | None:
        return self.current()


def test_a_provider_that_fails_is_named() -> None:
    sealed = Ring().sealer().seal(b"secret", HERE)
    with pytest.raises(KeysError, match="the provider of keys failed: OSError: no route"):
        Sealer(Failing()).seal(b"secret", HERE)
    with pytest.raises(MissingKeyError, match="no route to host"):
        Sealer(Failing()).open(sealed, HERE)
