"""Keyed state as bytes, without PyFlink's pickling around it.

In thread mode a state handle wraps a Java state object. PyFlink pickles values on the way; ours
are protobuf bytes already, so the wrapper's Java object is used directly: Python's bytes are
Java's byte[]. The declared type stays PICKLED_BYTE_ARRAY, the one type that thread mode
supports for state, and is a plain byte[] in the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyflink.common.typeinfo import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import MapStateDescriptor


class StoredEntries:
    """A map state of Flink's, read and written by name: the entries of the current key. Every call
    crosses into Java: 4 to 9 us.
    """

    __slots__ = ("_get", "_keys", "_put", "_remove")

    def __init__(self, context: RuntimeContext, name: str) -> None:
        descriptor = MapStateDescriptor(name, Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        state: Any = context.get_map_state(descriptor)._state
        # Each look at a Java object's attribute asks Java for the method again.
        self._get, self._put, self._remove, self._keys = (
            state.get,
            state.putAll,
            state.remove,
            state.keys,
        )

    def get(self, name: str) -> bytes | None:
        """Return an entry's bytes."""
        found = self._get(name)
        return None if found is None else bytes(found)

    def put_all(self, entries: Mapping[str, bytes | None]) -> None:
        """Store or remove (None) entries."""
        stored = {name: value for name, value in entries.items() if value is not None}
        if stored:
            # One crossing and one batch of RocksDB's for all of them.
            self._put(stored)
        if len(stored) < len(entries):
            for name, value in entries.items():
                if value is None:
                    self._remove(name)

    def names(self) -> Iterator[str]:
        """Return the names of all entries."""
        for name in self._keys():
            yield str(name)
