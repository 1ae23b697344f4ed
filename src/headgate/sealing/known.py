"""What this process knows of the seals of a broker's topics.

Commands and services read and write Kafka at fifty places. Whether topics are sealed is said once,
where a process learns of its configuration, and asked where clients are made: no place can be
forgotten.
"""

from __future__ import annotations

from typing import Any

from headgate.sealing.places import Seals, encryption_of

_UNSEALED = Seals()
_known: dict[str, Seals] = {}


def know(bootstrap: object, config: Any) -> None:
    """Note how a configuration has the topics at a broker sealed. ``bootstrap`` is a
    `headgate.bootstrap.Bootstrap`, or its addresses.

    Raises:
        KeysError: there is no such provider of keys.
    """
    encryption = encryption_of(config)
    if encryption is None:
        _known.pop(str(bootstrap), None)
    else:
        _known[str(bootstrap)] = Seals.of(encryption)


def seals_at(bootstrap: object) -> Seals:
    """Return the seals of a broker's topics."""
    return _known.get(str(bootstrap), _UNSEALED)
