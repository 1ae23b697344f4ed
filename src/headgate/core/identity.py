"""Names and places that every process must compute alike: hashes, addresses, partitions."""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import blake2b
from itertools import count

from headgate.v1.agent_pb2 import Origin

BASE_BYTES = 16
FINGERPRINT_BYTES = 16
_GENESIS = b"headgate genesis\x00"

REMEMBERED_PLACES = 16_384
"""Keys whose partition is remembered: murmur2 is a loop of Python, and a busy instance asks for the
same with every turn. About 3 MB when full."""


def address_of(agent_type: str, key: str) -> str:
    """Return the address of an instance.

    >>> address_of("support", "customer-17")
    'support/customer-17'
    """
    return f"{agent_type}/{key}"


def split_address(address: str) -> tuple[str, str]:
    """Return agent type and key of an address; the key may itself contain slashes.

    >>> split_address("support/eu/17")
    ('support', 'eu/17')
    """
    agent_type, _, key = address.partition("/")
    return agent_type, key


def genesis_base(address: str) -> bytes:
    """Return the base of an instance that has taken no turn yet."""
    return blake2b(_GENESIS + address.encode(), digest_size=BASE_BYTES).digest()


def next_base(base: bytes, outcome_id: bytes) -> bytes:
    """Return the base that an applied outcome makes."""
    return blake2b(base + outcome_id, digest_size=BASE_BYTES).digest()


def digest(*parts: str | bytes | int, size: int = 16) -> bytes:
    """Hash parts so that no two different lists of parts read alike."""
    h = blake2b(digest_size=size)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        h.update(len(raw).to_bytes(4, "big"))
        h.update(raw)
    return h.digest()


# The three below are made for every event or call, and so with one hash over one text each. A word
# of their own first, then what has a known end (numbers, 16 bytes), then the one part that has not:
# so they read apart as `digest` reads them.


def event_fingerprint(source: str, event_id: str) -> bytes:
    """Return the identity of an event that carries its own id."""
    text = f"event {len(source)} {source}{event_id}"
    return blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).digest()


def record_fingerprint(origin: Origin) -> bytes:
    """Return the identity of an event without an id: the record it came in."""
    text = f"record {origin.partition} {origin.offset} {origin.timestamp_ms} {origin.topic}"
    return blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).digest()


def request_id_of(base: bytes, attempt: int) -> bytes:
    """Return what names a request: the same for re-sends, another for every base and attempt."""
    return base + attempt.to_bytes(4, "big")


def idempotency_key(address: str, base: bytes, attempt: int, fingerprints: list[bytes]) -> str:
    """Return the key of one call: the same for re-sends, another for every attempt."""
    head = b"call %d %d %b" % (attempt, len(fingerprints), base)
    return blake2b(b"".join((head, *fingerprints, address.encode())), digest_size=16).hexdigest()


@lru_cache(REMEMBERED_PLACES)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key as Kafka's default partitioner does (murmur2)."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


@lru_cache(REMEMBERED_PLACES)
def key_in(partition: int, partitions: int) -> bytes:
    """Return a key of no instance that Kafka's default partitioner puts into a partition.

    >>> partition_of(key_in(3, 8), 8)
    3
    """
    tried = (b"partition-%d" % number for number in count())
    return next(key for key in tried if partition_of(key, partitions) == partition)


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (seed 0x9747b28c) as an unsigned 32-bit number."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    words, tail = divmod(len(data), 4)
    for word in struct.unpack_from(f"<{words}I", data):
        k = (word * m) & mask
        h = ((h * m) ^ ((k ^ (k >> 24)) * m)) & mask
    if tail:
        h ^= int.from_bytes(data[-tail:], "little")
        h = (h * m) & mask
    h ^= h >> 13
    h = (h * m) & mask
    return h ^ (h >> 15)
