"""Names and places that every process must compute alike: hashes, addresses, partitions."""

from __future__ import annotations

from hashlib import blake2b

from headgate.v1.agent_pb2 import Origin

BASE_BYTES = 16
_GENESIS = b"headgate genesis\x00"


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


def event_fingerprint(source: str, event_id: str) -> bytes:
    """Return the identity of an event that carries its own id."""
    return digest("event", source, event_id)


def record_fingerprint(origin: Origin) -> bytes:
    """Return the identity of an event without an id: the record it came in."""
    return digest("record", origin.topic, origin.partition, origin.offset, origin.timestamp_ms)


def idempotency_key(address: str, base: bytes, attempt: int, fingerprints: list[bytes]) -> str:
    """Return the key of one call: the same for re-sends, another for every attempt."""
    return digest("call", address, base, attempt, *fingerprints).hex()


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key as Kafka's default partitioner does (murmur2)."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (seed 0x9747b28c) as an unsigned 32-bit number."""
    length = len(data)
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * m) & mask
        k ^= k >> 24
        k = (k * m) & mask
        h = ((h * m) & mask) ^ k
    tail = data[whole:]
    if tail:
        h ^= int.from_bytes(tail, "little")
        h = (h * m) & mask
    h ^= h >> 13
    h = (h * m) & mask
    return h ^ (h >> 15)
