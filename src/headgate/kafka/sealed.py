"""Records of Headgate's own topics are opened where a consumer hands them out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from headgate.sealing.envelope import is_sealed
from headgate.sealing.errors import BrokenSealError, MissingKeyError
from headgate.sealing.known import seals_at
from headgate.sealing.places import Seals

if TYPE_CHECKING:
    from kafka import KafkaConsumer

log = logging.getLogger(__name__)


def open_records(consumer: KafkaConsumer, bootstrap: object, *, shows_sealed: bool) -> None:
    """Let a consumer's `poll` open what is sealed. See `connect.open_consumer`."""
    seals = seals_at(bootstrap)
    is_clear = seals.sealer is None
    stock = consumer.poll

    def poll(*given: Any, **named: Any) -> dict[Any, list[Any]]:
        polled: dict[Any, list[Any]] = stock(*given, **named)
        for records in polled.values():
            for number, record in enumerate(records):
                if record.value is None or (is_clear and not is_sealed(record.value)):
                    continue
                place = Place(record.topic, record.partition, record.offset, record.key or b"")
                try:
                    value = opened_at(place, seals, record.value, shows_sealed=shows_sealed)
                except MissingKeyError:
                    # Whoever polls again must not be told that what was here is behind it.
                    for each, begun in polled.items():
                        consumer.seek(each, begun[0].offset)
                    raise
                if value is not record.value:
                    records[number] = record._replace(value=value)
        return polled

    consumer.poll = poll


class Place(NamedTuple):
    """Where a record stands, and the key that its seal is bound to."""

    topic: str
    partition: int
    offset: int
    key: bytes


def opened_at(place: Place, seals: Seals, value: bytes, *, shows_sealed: bool = False) -> bytes:
    """Return the value of a record, opened.

    One whose seal is broken is returned as it is: to whoever reads it, it is a record that nobody
    can read, like any other that somebody else has put there.

    Raises:
        MissingKeyError: the key is not there, and sealed is not to be shown.
    """
    try:
        return seals.open(place.topic, place.key, value)
    except BrokenSealError as error:
        log.warning("%s/%d@%d: %s", place.topic, place.partition, place.offset, error)
        return value if is_sealed(value) else _NOTHING
    except MissingKeyError:
        if shows_sealed:
            return value
        raise


_NOTHING = b"\x00not sealed"
"""For a record that is not sealed and should be: it must not be read, and is no message."""
