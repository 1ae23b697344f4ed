"""Keyed state as bytes, without PyFlink's pickling around it.

In thread mode a state handle wraps a Java state object. PyFlink pickles values on the way; ours
are protobuf bytes already, so the wrapper's Java object is used directly: Python's bytes are
Java's byte[]. The declared type stays PICKLED_BYTE_ARRAY, the one type that thread mode
supports for state, and is a plain byte[] in the snapshot.
"""

from __future__ import annotations

from typing import Any

from pyflink.common.typeinfo import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor


class StoredItems:
    """The `items` state of the current key, read by name: `headgate.core.model.Items`."""

    __slots__ = ("_state",)

    def __init__(self, context: RuntimeContext) -> None:
        descriptor = MapStateDescriptor("items", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        self._state: Any = context.get_map_state(descriptor)._state

    def get(self, name: str) -> bytes | None:
        """Return an item's bytes."""
        found = self._state.get(name)
        return None if found is None else bytes(found)

    def put(self, name: str, value: bytes | None) -> None:
        """Store or remove an item."""
        if value is None:
            self._state.remove(name)
        else:
            self._state.put(name, value)


class StoredValue:
    """The `control` state of the current key."""

    __slots__ = ("_state",)

    def __init__(self, context: RuntimeContext) -> None:
        descriptor = ValueStateDescriptor("control", Types.PICKLED_BYTE_ARRAY())
        self._state: Any = context.get_state(descriptor)._state

    def get(self) -> bytes | None:
        """Return the bytes, None if nothing is stored."""
        found = self._state.value()
        return None if found is None else bytes(found)

    def put(self, value: bytes) -> None:
        """Store the bytes."""
        self._state.update(value)
