"""Lists of keys: from files, from the environment, from somebody's own provider."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from headgate.config import loads
from headgate.sealing.errors import KeysError
from headgate.sealing.keys import Key, KeysFrom, keys_in
from headgate.sealing.known import know, seals_at
from headgate.sealing.places import SEALED_TOPICS, check_keys, encryption_of
from tests.unit.sealing.keyrings import line

SECRET = b64encode(b"s" * 32).decode()


def provider() -> Provided:
    """Make a provider, as `encryption.provider` names it."""
    return Provided()


class Provided:
    """Somebody's own."""

    def current(self) -> Key:
        return Key("own", b"o" * 32)

    def find(self, key_id: str) -> Key | None:
        return self.current() if key_id == "own" else None


def test_the_last_key_of_a_file_is_the_current_one(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# of 2026\nold : {SECRET}\n\n{line('new')}", encoding="utf-8")
    found = KeysFrom("file", str(file)).open()
    assert found.current().id == "new"
    assert found.find("old") == Key("old", b"s" * 32)
    assert found.find("other") is None
    # Replaced while the process runs.
    file.write_text(line("newest"), encoding="utf-8")
    assert found.current().id == "newest"


def test_a_variable_and_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEYS", f"a:{SECRET}")
    assert KeysFrom("env", "SHOP_KEYS").open().current().id == "a"
    assert KeysFrom("provider", f"{__name__}:provider").open().current().id == "own"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (KeysFrom("file", "/no/such/file"), "encryption.keys file:/no/such/file: cannot be read"),
        (KeysFrom("env", "NO_SUCH"), "the variable NO_SUCH is not set in this process"),
        (
            KeysFrom("provider", "no.such:keys"),
            "encryption.keys provider:no.such:keys: ModuleNotFound",
        ),
    ],
)
def test_where_there_are_none_it_says_so(keys: KeysFrom, said: str) -> None:
    with pytest.raises(KeysError, match=said):
        keys.open().current()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no key among the keys"),
        ("k1", "line 1 of the keys is no key"),
        (f"k1 {SECRET}", "line 1 of the keys is no key"),
        (f"k1:{SECRET}\nk2:###", "line 2 of the keys is no key"),
        (f"k1:{SECRET}\nk1:{SECRET}", "line 2 of the keys: 'k1' is there twice"),
        ("k1:c2hvcnQ=", "key 'k1' has 5 bytes; AES-256 needs 32"),
        (f"k 1:{SECRET}", "a key's id has 1 to 64 letters"),
    ],
)
def test_what_is_no_list_of_keys_is_explained(text: str, said: str) -> None:
    with pytest.raises(KeysError, match=said) as error:
        keys_in(text)
    assert SECRET not in str(error.value)


def test_a_key_is_not_shown() -> None:
    assert "ssss" not in repr(Key("k1", b"s" * 32))


def test_which_topics_are_sealed() -> None:
    config = loads("[encryption]\nkeys = 'env:SHOP_KEYS'")
    encryption = encryption_of(config)
    assert encryption is not None
    names = config.topic_names
    assert set(encryption.topics) == {getattr(names, each) for each in SEALED_TOPICS}
    # A topic that is new is decided upon here.
    clear = {"registry", "outbox", "settled", "pressure", "spending"}
    assert set(names._fields) == clear | set(SEALED_TOPICS)
    assert encryption_of(loads("")) is None


def test_a_process_knows_what_its_configuration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    config = loads("[encryption]\nkeys = 'env:SHOP_KEYS'")
    with pytest.raises(KeysError):
        check_keys(config)
    monkeypatch.setenv("SHOP_KEYS", line("k1"))
    check_keys(config)
    know("here:1", config)
    assert seals_at("here:1").sealer is not None
    assert seals_at("elsewhere:1").sealer is None
    know("here:1", loads(""))
    assert seals_at("here:1").sealer is None
