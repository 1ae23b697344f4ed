"""Keyed state that is sealed on its way into Flink, and with it into checkpoints and savepoints.

Names stay as they are: Flink finds entries by them, and they bind each seal to its instance and
item. So do the entries that hold no user's data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headgate.core.codec import StateVersionError
from headgate.core.entries import Entries
from headgate.sealing.envelope import is_sealed
from headgate.sealing.errors import BrokenSealError
from headgate.sealing.places import place_of
from headgate.sealing.sealer import Sealer, keyless

CLEAR_KINDS = frozenset("fwas")
"""Items that stay clear: the dedup index, its window, what was applied before it came, and senders'
last numbers. Hashes, places and numbers. Whatever is not named here is sealed.
"""


class BrokenStateError(StateVersionError):
    """An instance's stored state was changed, or brought there from another place.

    Operator action: restore a checkpoint from before it, then replay the dead letters
    `state_broken`; or `headgate control reset` the instance.
    """


class SealedEntries:
    """The entries of Gate's instances, `<length>/<address>/<item>`, sealed one by one."""

    __slots__ = ("_entries", "_sealer")

    def __init__(self, entries: Entries, sealer: Sealer | None) -> None:
        """sealer: None where no keys are configured; what is sealed is refused then."""
        self._entries = entries
        self._sealer = sealer

    def get(self, name: str) -> bytes | None:
        """Return an entry's bytes.

        Raises:
            BrokenStateError: it is not what was stored there.
            MissingKeyError: the key that it is sealed with is not there.
        """
        found = self._entries.get(name)
        if found is None:
            return None
        if self._sealer is None:
            if is_sealed(found):
                raise keyless(found, _place(name))
            return found
        if _kind_of(name) in CLEAR_KINDS:
            return found
        try:
            return self._sealer.open(found, _place(name))
        except BrokenSealError as error:
            raise BrokenStateError(str(error)) from error

    def put_all(self, entries: Mapping[str, bytes | None]) -> None:
        """Store or remove (None) entries.

        Raises:
            KeysError: there is no key to seal with.
        """
        sealer = self._sealer
        if sealer is None:
            self._entries.put_all(entries)
            return
        self._entries.put_all(
            {
                name: value
                if value is None or _kind_of(name) in CLEAR_KINDS
                else sealer.seal(value, _place(name))
                for name, value in entries.items()
            }
        )

    def names(self) -> Iterator[str]:
        """Return the names of all entries."""
        return self._entries.names()


def _place(name: str) -> bytes:
    return place_of("state", name.encode())


def _kind_of(name: str) -> str:
    """Return the kind of an item by its entry's name, "" for the control record.

    >>> _kind_of("8/order/17/mailbox"), _kind_of("8/order/17/"), _kind_of("10/order/17/f/s1")
    ('m', '', 's')
    """
    length, _, rest = name.partition("/")
    begin = int(length) + 1
    return rest[begin : begin + 1]
