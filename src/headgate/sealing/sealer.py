"""Sealing and opening bytes: AES-256-GCM, bound to their place.

A key of the provider's seals nothing itself. Each process draws a salt, and derives a data key from
the two by HKDF. With random nonces a key of AES-GCM is good for 2^32 messages, which a busy job has
in a week; a data key lives as long as a process, and is renewed long before that.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from headgate.sealing.envelope import (
    NONCE_BYTES,
    SALT_BYTES,
    TAG_BYTES,
    end_of_head,
    head_of,
    is_sealed,
    take_apart,
    told,
)
from headgate.sealing.errors import BrokenSealError, KeysError, MissingKeyError, SealError
from headgate.sealing.keys import Key, KeyProvider

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often the provider is asked for the current key: a rotation reaches a process so soon."""

MESSAGES_PER_DATA_KEY = 2**28
"""Two of so many random nonces are the same with a chance of 2^-41."""

REMEMBERED_DATA_KEYS = 4_096
"""Data keys to read with, 1 KB each: one for each process that ever wrote what is read now."""

_INFO = b"headgate data key"


class Sealer:
    """Seals and opens with a provider's keys. Threads may share it."""

    def __init__(
        self,
        provider: KeyProvider,
        *,
        accepts_clear: bool = True,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """accepts_clear: whether bytes that are not sealed are taken as they are."""
        self._provider = provider
        self._accepts_clear = accepts_clear
        self._look_seconds = look_seconds
        self._known: dict[bytes, Any] = {}
        self._using: tuple[bytes, Any] | None = None
        self._current: Key | None = None
        self._look_at = 0.0
        self._left = 0

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Seal bytes for a place.

        Raises:
            KeysError: there is no key to seal with.
        """
        if time.monotonic() >= self._look_at or self._left <= 0 or self._using is None:
            head, cipher = self._renew()
        else:
            head, cipher = self._using
        self._left -= 1
        nonce = os.urandom(NONCE_BYTES)
        sealed: bytes = cipher.encrypt(nonce, plain, head + place)
        return head + nonce + sealed

    def open(self, raw: bytes, place: bytes) -> bytes:
        """Open what was sealed for a place.

        Raises:
            MissingKeyError: its key is not there.
            BrokenSealError: it is not what was sealed for this place.
        """
        if not is_sealed(raw):
            if self._accepts_clear:
                return raw
            message = f"{_named(place)} is not sealed, and encryption.accept_clear is false"
            raise BrokenSealError(message)
        head_end = end_of_head(raw)
        head = raw[:head_end]
        cipher = self._known.get(head)
        if cipher is None or len(raw) < head_end + NONCE_BYTES + TAG_BYTES:
            parts = take_apart(raw)
            if parts is None:
                message = f"{_named(place)}: the seal's head is cut or was changed"
                raise BrokenSealError(message)
            cipher = self._remember(head, self._key(parts.key_id, place), parts.salt)
        nonce_end = head_end + NONCE_BYTES
        try:
            opened: bytes = cipher.decrypt(raw[head_end:nonce_end], raw[nonce_end:], head + place)
        except _invalid_tag():
            message = (
                f"{_named(place)}: {told(raw)}, but changed since, moved here from another place, "
                "or that key is another one now"
            )
            raise BrokenSealError(message) from None
        return opened

    def _renew(self) -> tuple[bytes, Any]:
        try:
            current = self._provider.current()
        except Exception as error:
            if self._using is None:
                raise _as_keys_error(error) from error
            # Somebody may be writing the list just now; what was sealed can be opened.
            log.warning("the keys cannot be read, the last one is used on: %s", error)
            current = self._current or Key("none", bytes(32))
        self._look_at = time.monotonic() + self._look_seconds
        if self._using is None or self._left <= 0 or current != self._current:
            salt = os.urandom(SALT_BYTES)
            head = head_of(current.id, salt)
            self._using, self._current = (head, self._remember(head, current, salt)), current
            self._left = MESSAGES_PER_DATA_KEY
        return self._using

    def _key(self, key_id: str, place: bytes) -> Key:
        try:
            key = self._provider.find(key_id)
        except Exception as error:
            why = str(_as_keys_error(error))
        else:
            if key is not None:
                return key
            why = "it is not among the keys"
        message = (
            f"{_named(place)} is sealed with key {key_id!r}: {why}. Put the key back where "
            "[encryption] in headgate.toml names the keys; nothing is lost meanwhile"
        )
        raise MissingKeyError(message, key_id)

    def _remember(self, head: bytes, key: Key, salt: bytes) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derived = HKDF(SHA256(), length=32, salt=salt, info=_INFO).derive(key.secret)
        cipher = AESGCM(derived)
        known = self._known
        if len(known) >= REMEMBERED_DATA_KEYS:
            known.pop(next(iter(known)), None)
        known[head] = cipher
        return cipher


def _invalid_tag() -> type[Exception]:
    # Imported by who opens something, which `_remember` has made sure of.
    from cryptography.exceptions import InvalidTag

    return InvalidTag


def keyless(raw: bytes, place: bytes) -> MissingKeyError:
    """Return the error of sealed bytes where no keys are configured."""
    parts = take_apart(raw)
    key_id = parts.key_id if parts else ""
    message = (
        f"{_named(place)} is sealed with key {key_id!r}, and headgate.toml has no [encryption]: "
        "name the keys there; nothing is lost meanwhile"
    )
    return MissingKeyError(message, key_id)


def _named(place: bytes) -> str:
    kind, _, name = place.partition(b"\x00")
    return f"{kind.decode()} of {name.decode(errors='backslashreplace')!r}"


def _as_keys_error(error: Exception) -> SealError:
    if isinstance(error, SealError):
        return error
    return KeysError(f"the provider of keys failed: {type(error).__name__}: {error}")
