"""Log: an appended list in an agent's state, of which only the newest items travel."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import Any, Generic, TypeVar, overload

from headgate.sdk.codec import Codec

T = TypeVar("T")


class Log(Generic[T]):
    """A list that only grows: each append is one small write, however long the list is.

    `len()` counts the whole list. Iteration and indexing see the window: the newest items, which
    is all that travels with a turn.

    >>> notes = Log(["a", "b"])
    >>> notes.append("c")
    >>> notes[-1], len(notes), notes.truncated
    ('c', 3, False)
    """

    __slots__ = ("_changes", "_codec", "_items", "_length", "_name", "_settled", "_stored")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items: list[T] | None = list(items)
        self._stored: Sequence[bytes] = ()
        self._length = len(self._items)
        self._codec: Codec | None = None
        self._name = ""
        self._changes: list[bytes | None] = []  # None: the list was cleared
        self._settled = 0

    @classmethod
    def _load(cls, codec: Codec, name: str, length: int, stored: Sequence[bytes]) -> "Log[T]":
        """Make a log over stored items; they are decoded when first looked at."""
        made: Log[T] = cls()
        made._codec = codec
        made._name = name
        made._length = length
        if stored:
            made._stored = stored
            made._items = None
        return made

    def append(self, item: T) -> None:
        """Append one item; it is encoded now, so later changes of it are not seen.

        >>> notes = Log(["a"])
        >>> notes.append("b")
        >>> list(notes)
        ['a', 'b']
        """
        if self._codec is not None:
            self._changes.append(self._codec.to_bytes(item, f"{self._name}[]"))
        self._window().append(item)
        self._length += 1

    def clear(self) -> None:
        """Remove the whole list, also what is outside the window.

        >>> notes = Log(["a"])
        >>> notes.clear()
        >>> len(notes)
        0
        """
        self._changes.append(None)
        self._items = []
        self._length = 0

    @property
    def truncated(self) -> bool:
        """Whether the list has items older than the window.

        >>> Log(["a"]).truncated
        False
        """
        return self._length > len(self._window())

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return self._length > 0

    def __iter__(self) -> Iterator[T]:
        return iter(self._window())

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        window = self._window()
        hidden = self._length - len(window)
        if isinstance(index, slice):
            wanted = range(*index.indices(self._length))
            return [window[place - hidden] for place in wanted if place >= hidden]
        place = index + self._length if index < 0 else index
        if not 0 <= place < self._length:
            message = f"index {index} of a log of {self._length} items"
            raise IndexError(message)
        if place < hidden:
            message = f"index {index} is older than the newest {len(window)} items that travel"
            raise IndexError(message)
        return window[place - hidden]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Log):
            return self._length == other._length and self._window() == other._window()
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Log({self._window()!r}, length={self._length})"

    def _window(self) -> list[T]:
        if self._items is None:
            codec, name = self._codec, self._name
            if codec is None:
                return []
            first = self._length - len(self._stored)
            self._items = [
                codec.from_bytes(item, f"{name}[{first + place}]")
                for place, item in enumerate(self._stored)
            ]
        return self._items

    def _settle(self) -> None:
        """Keep the changes so far; later ones count only once settled too."""
        self._settled = len(self._changes)


def log() -> Any:
    """Declare a Log field of a state dataclass.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Order:
    ...     notes: Log[str] = log()
    """
    return field(default_factory=Log)
