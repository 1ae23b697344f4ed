"""State that is sealed on its way into Flink."""

from __future__ import annotations

import pytest

from headgate.config import loads
from headgate.core.codec import StateVersionError
from headgate.flink.sealed_entries import CLEAR_KINDS, BrokenStateError, SealedEntries
from headgate.sealing.envelope import is_sealed
from headgate.sealing.errors import MissingKeyError
from headgate.sealing.places import Seals, encryption_of
from tests.flink.test_gate import Stored
from tests.unit.sealing.keyrings import Ring

NAMES = [f"8/order/17/{item}" for item in ("", "m1", "vstatus", "lnotes/0", "tlater", "zwhatever")]


def test_items_are_sealed_but_for_numbers_and_hashes() -> None:
    stored = Stored()
    entries = SealedEntries(stored, Ring().sealer())
    clear = [f"8/order/17/{kind}1" for kind in sorted(CLEAR_KINDS)]
    # A sender's address may look like anything.
    clear.append("10/order/v/17/s4/v/17/vx")
    entries.put_all({name: b"secret" for name in NAMES + clear})
    assert all(is_sealed(stored.get(name) or b"") for name in NAMES)
    assert all(stored.get(name) == b"secret" for name in clear)
    assert [entries.get(name) for name in NAMES + clear] == [b"secret"] * 11
    entries.put_all({NAMES[0]: None})
    assert entries.get(NAMES[0]) is None
    assert set(entries.names()) == {*NAMES[1:], *clear}


def test_what_was_clear_is_read_and_sealed_when_it_is_written_again() -> None:
    stored = Stored({name: b"clear" for name in NAMES})
    entries = SealedEntries(stored, Ring().sealer())
    assert [entries.get(name) for name in NAMES] == [b"clear"] * len(NAMES)
    entries.put_all({NAMES[0]: b"clear"})
    assert is_sealed(stored.get(NAMES[0]) or b"")


def test_a_value_of_another_instance_is_refused() -> None:
    stored = Stored()
    entries = SealedEntries(stored, Ring().sealer())
    entries.put_all({"8/order/17/vlimit": b"10", "8/order/18/vlimit": b"1000000"})
    stored.put_all({"8/order/17/vlimit": stored.get("8/order/18/vlimit")})
    with pytest.raises(StateVersionError, match="moved here from another place"):
        entries.get("8/order/17/vlimit")


def test_without_keys_sealed_state_stops_whoever_reads_it() -> None:
    """An instance of which a part is taken for nothing would go on as another."""
    stored, ring = Stored(), Ring()
    SealedEntries(stored, ring.sealer()).put_all({NAMES[1]: b"secret"})
    with pytest.raises(MissingKeyError, match="'k1'"):
        SealedEntries(stored, None).get(NAMES[1])
    plain = SealedEntries(stored, None)
    plain.put_all({NAMES[2]: b"clear"})
    assert stored.get(NAMES[2]) == plain.get(NAMES[2]) == b"clear"


def test_what_is_clear_is_refused_where_the_configuration_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From headgate.toml to the entry: who can write the disk could put clear bytes there."""
    monkeypatch.setenv("SHOP_KEYS", Ring().text)
    text = "[encryption]\nkeys = 'env:SHOP_KEYS'\naccept_clear = {}\n"
    stored = Stored({NAMES[0]: b"clear"})
    for accepts in ("true", "false"):
        sealer = Seals.of(encryption_of(loads(text.format(accepts)))).sealer
        entries = SealedEntries(stored, sealer)
        if accepts == "true":
            assert entries.get(NAMES[0]) == b"clear"
        else:
            with pytest.raises(BrokenStateError, match="accept_clear is false"):
                entries.get(NAMES[0])
    # What is stored clear in any case is no user's data.
    stored.put_all({"8/order/17/w1": b"a hash"})
    assert entries.get("8/order/17/w1") == b"a hash"
