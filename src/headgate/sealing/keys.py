"""Keys and where they come from: a file, an environment variable, or somebody's own provider.

A list of keys has one on a line, ``ID:BASE64`` of 32 bytes. The last one is current: new data is
sealed with it, the others are there to read what is older. ``#`` begins a comment.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast

from headgate.sealing.envelope import MOST_ID_BYTES
from headgate.sealing.errors import KeysError

SECRET_BYTES = 32
_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{MOST_ID_BYTES}}}")
HOW = 'one key on a line, ID:BASE64 of 32 bytes: echo "k1:$(openssl rand -base64 32)"'


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its name. ``secret`` is 32 random bytes, and is not shown."""

    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            message = f"a key's id has 1 to {MOST_ID_BYTES} letters, digits, . _ or -"
            raise KeysError(message)
        if len(self.secret) != SECRET_BYTES:
            message = f"key {self.id!r} has {len(self.secret)} bytes; AES-256 needs {SECRET_BYTES}"
            raise KeysError(message)


class KeyProvider(Protocol):
    """Knows keys. Asked for the current one every few seconds, for another one when data names it;
    both may block for a moment, raise what they like, and are called from several threads.
    """

    def current(self) -> Key:
        """Return the key for new data."""

    def find(self, key_id: str) -> Key | None:
        """Return the key of that name, None if there is none."""


@dataclass(frozen=True, slots=True)
class KeysFrom:
    """Where keys are. ``place``: a path, a variable's name, or ``module:function`` of a function
    without arguments that returns a `KeyProvider`.
    """

    kind: Literal["file", "env", "provider"]
    place: str

    def open(self) -> KeyProvider:
        """Return the provider.

        Raises:
            KeysError: there is none; what the file or the variable hold is looked at when asked.
        """
        match self.kind:
            case "file":
                return Listed(self._in_file)
            case "env":
                return Listed(self._in_variable)
            case "provider":
                return self._made()

    def _in_file(self) -> str:
        try:
            return Path(self.place).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            message = f"encryption.keys file:{self.place}: cannot be read: {why}"
            raise KeysError(message) from None

    def _in_variable(self) -> str:
        if text := os.environ.get(self.place):
            return text
        message = f"encryption.keys: the variable {self.place} is not set in this process"
        raise KeysError(message)

    def _made(self) -> KeyProvider:
        module, _, name = self.place.partition(":")
        try:
            make: Callable[[], KeyProvider] = getattr(import_module(module), name)
            return make()
        except Exception as error:
            message = f"encryption.keys provider:{self.place}: {type(error).__name__}: {error}"
            raise KeysError(message) from error


class Listed:
    """Keys of a list that is read anew each time: a file is replaced while the job runs."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read

    def current(self) -> Key:
        """Return the last one; raises KeysError."""
        return list(keys_in(self._read()).values())[-1]

    def find(self, key_id: str) -> Key | None:
        """Return the one of that name; raises KeysError."""
        return keys_in(self._read()).get(key_id)


def keys_in(text: str) -> Mapping[str, Key]:
    """Return the keys of a list, in its order.

    Raises:
        KeysError: it is no list of keys. The message repeats nothing of a secret.
    """
    found: dict[str, Key] = {}
    for number, line in enumerate(text.splitlines(), 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        name, colon, secret = said.partition(":")
        try:
            raw = b64decode(secret.strip(), validate=True)
        except ValueError:
            raw = b""
        if not (colon and raw):
            message = f"line {number} of the keys is no key; {HOW}"
            raise KeysError(message)
        key = Key(name.strip(), raw)
        if key.id in found:
            message = f"line {number} of the keys: {key.id!r} is there twice; give it another name"
            raise KeysError(message)
        found[key.id] = key
    if not found:
        message = f"there is no key among the keys; {HOW}"
        raise KeysError(message)
    return cast("Mapping[str, Key]", found)
