"""What is sealed, and what its seal is bound to.

A seal is bound to the kind of thing and its name: the address for records of Kafka, the full name
of the entry, which begins with the address, for state. So nothing can be moved to another instance,
to another item of the same one, or from the history into the inbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from headgate.sealing.envelope import is_sealed
from headgate.sealing.keys import KeysFrom
from headgate.sealing.sealer import Sealer, keyless

SEALED_TOPICS = (
    "journal",
    "inbox",
    "history",
    "dead_letters",
    "parked",
    "answers",
    "replies",
)
"""Headgate's own topics that hold users' data, by the names of `TopicNames`. The others: the outbox
and users' topics are users' own; registry, settled, pressure and spending hold none but what an
operator wrote."""

_SUFFIXES = {f".{name.replace('_', '-')}": name for name in SEALED_TOPICS}


@dataclass(frozen=True, slots=True)
class Encryption:
    """Where keys are and what is sealed: all that a process needs to be told, and no key.

    ``topics``: kind by the topic's name.
    """

    keys: KeysFrom
    accepts_clear: bool
    topics: Mapping[str, str]


@dataclass(slots=True)
class Seals:
    """Seals and opens records and state. Without a sealer it changes nothing, and refuses what is
    sealed.
    """

    sealer: Sealer | None = None
    topics: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, encryption: Encryption | None) -> Self:
        """Return what seals as configured.

        Raises:
            KeysError: there is no such provider.
        """
        if encryption is None:
            return cls()
        sealer = Sealer(encryption.keys.open(), accepts_clear=encryption.accepts_clear)
        return cls(sealer, encryption.topics)

    def seal(self, topic: str, key: bytes, value: bytes) -> bytes:
        """Seal the value of a record, if its topic is one whose records are. Empty stays empty: it
        stands for null.

        Raises:
            KeysError: there is no key to seal with.
        """
        kind = self.topics.get(topic)
        if self.sealer is None or kind is None or not value:
            return value
        return self.sealer.seal(value, place_of(kind, key))

    def open(self, topic: str, key: bytes, value: bytes) -> bytes:
        """Open the value of a record.

        Raises:
            MissingKeyError: its key is not there.
            BrokenSealError: it is not what was sealed for this place.
        """
        if self.sealer is None:
            # Asked first: it is all that a job without keys does for each record.
            kind = kind_of(topic) if is_sealed(value) else None
            if kind is not None:
                raise keyless(value, place_of(kind, key))
            return value
        kind = self.topics.get(topic)
        return self.sealer.open(value, place_of(kind, key)) if kind and value else value


def kind_of(topic: str) -> str | None:
    """Return what kind a topic is by its name, None if its records are not sealed.

    >>> kind_of("headgate.dead-letters"), kind_of("orders")
    ('dead_letters', None)
    """
    return _SUFFIXES.get(topic[topic.rfind(".") :])


def encryption_of(config: Any) -> Encryption | None:
    """Return what a `headgate.config.Config` says of encryption, None if it says nothing."""
    section, names = config.encryption, config.topic_names
    if section is None:
        return None
    return Encryption(
        KeysFrom(*section.source),
        section.accept_clear,
        {getattr(names, name): name for name in SEALED_TOPICS},
    )


def check_keys(config: Any) -> None:
    """Seal something, if a configuration says that it should be possible.

    Raises:
        KeysError: there is no key to seal with, or no `cryptography`.
    """
    encryption = encryption_of(config)
    if encryption is not None:
        Seals.of(encryption).seal(config.topic_names.journal, b"", b"tried")


def place_of(kind: str, key: bytes) -> bytes:
    """Return what a seal is bound to: the kind of thing, and its name."""
    return kind.encode() + b"\x00" + key
