"""What goes into Flink's map state, and out of it, by one call each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from headgate.flink.storage import StoredEntries


class JavaMap:
    """A double of Flink's map state behind PyFlink's bridge, which takes a cluster to have."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.crossings = 0

    def get(self, name: str) -> bytes | None:
        return self.stored.get(name)

    def putAll(self, entries: dict[str, bytes]) -> None:  # noqa: N802 - Java's name
        self.crossings += 1
        self.stored.update(entries)

    def remove(self, name: str) -> None:
        self.crossings += 1
        del self.stored[name]

    def keys(self) -> list[str]:
        return list(self.stored)


def entries_of(java: JavaMap) -> StoredEntries:
    context: Any = SimpleNamespace(get_map_state=lambda _: SimpleNamespace(_state=java))
    return StoredEntries(context, "items")


def test_what_is_none_is_removed_beside_what_is_stored() -> None:
    java = JavaMap()
    entries = entries_of(java)
    entries.put_all({"a": b"1", "b": b"2", "c": b""})
    assert (java.stored, java.crossings) == ({"a": b"1", "b": b"2", "c": b""}, 1)
    entries.put_all({"a": None, "b": b"3"})
    assert java.stored == {"b": b"3", "c": b""}
    entries.put_all({"b": None})
    assert java.stored == {"c": b""}
    assert (entries.get("c"), entries.get("a"), list(entries.names())) == (b"", None, ["c"])
    before = java.crossings
    entries.put_all({})
    assert java.crossings == before
