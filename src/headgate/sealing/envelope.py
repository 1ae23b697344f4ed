"""The form of sealed bytes. Pure.

    magic (4) | length of the key's id (1) | id | salt (16) | CRC of all that (4) | nonce (12) |
    ciphertext | tag (16)

No protobuf message, JSON text or CloudEvent begins as the magic does: field number 0 is illegal. So
clear and sealed bytes are told apart as they are, and state from before encryption is read on.
The CRC is for accidents alone: a bit that flipped in the id must not pass for a missing key.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

MAGIC = b"\x00hg\x01"
SALT_BYTES, NONCE_BYTES, TAG_BYTES, CRC_BYTES = 16, 12, 16, 4
MOST_ID_BYTES = 64


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of sealed bytes says."""

    key_id: str
    salt: bytes


def is_sealed(raw: bytes) -> bool:
    """Tell whether bytes say that they are sealed."""
    return raw.startswith(MAGIC)


def head_of(key_id: str, salt: bytes) -> bytes:
    """Return the head of what is sealed with a key.

    >>> len(head_of("k1", bytes(16)))
    27
    """
    name = key_id.encode()
    said = MAGIC + bytes([len(name)]) + name + salt
    return said + crc32(said).to_bytes(CRC_BYTES, "big")


def end_of_head(raw: bytes) -> int:
    """Return where the head of sealed bytes ends, if they are what they say."""
    name = raw[len(MAGIC)] if len(raw) > len(MAGIC) else 0
    return len(MAGIC) + 1 + name + SALT_BYTES + CRC_BYTES


def take_apart(raw: bytes) -> Head | None:
    """Return what the head of sealed bytes says, None if they are cut or it was changed."""
    head_end = end_of_head(raw)
    said_end = head_end - CRC_BYTES
    id_end = said_end - SALT_BYTES
    if len(raw) < head_end + NONCE_BYTES + TAG_BYTES:
        return None
    if crc32(raw[:said_end]).to_bytes(CRC_BYTES, "big") != raw[said_end:head_end]:
        return None
    name = raw[len(MAGIC) + 1 : id_end].decode(errors="replace")
    return Head(key_id=name, salt=raw[id_end:said_end])


def told(raw: bytes) -> str:
    """Return for people what is known of sealed bytes without a key."""
    parts = take_apart(raw)
    return f"sealed with key {parts.key_id!r}" if parts else "sealed, and its head is broken"
