"""Exactly once and in order, judged while it comes, without remembering all of it."""

from collections.abc import Hashable, Mapping

SHOWN = 20


class Sequences:
    """Numbers 0, 1, 2, ... of many keys, as they arrive.

    What is remembered is bounded by what is out of order: after each key's next number only those
    that came before it. `duplicated` and `reordered` count what has come so far; what is lost is
    known at the end.

    >>> seen = Sequences()
    >>> for number in (0, 2, 1, 1, 4):
    ...     seen.see("a", number)
    >>> seen.duplicated, seen.reordered, seen.lost({"a": 6})
    (1, 1, 2)
    """

    def __init__(self, *, is_ordered: bool = True) -> None:
        """``is_ordered``: whether they are to come in order."""
        self._is_ordered = is_ordered
        self._next: dict[Hashable, int] = {}
        self._ahead: dict[Hashable, set[int]] = {}
        self._furthest: dict[Hashable, int] = {}
        self.seen = self.duplicated = self.reordered = 0
        self.findings: list[str] = []
        """The first of them, in words."""

    def see(self, key: Hashable, number: int) -> None:
        """Take the next number of a key that arrives."""
        self.seen += 1
        following = self._next.get(key, 0)
        ahead = self._ahead.get(key)
        if number < following or (ahead is not None and number in ahead):
            self.duplicated += 1
            self._note(f"duplicated: {number} of {key}")
            return
        furthest = self._furthest.get(key, -1)
        if number < furthest and self._is_ordered:
            self.reordered += 1
            self._note(f"reordered: {number} of {key} comes after {furthest}")
        self._furthest[key] = max(furthest, number)
        if number != following:
            self._ahead.setdefault(key, set()).add(number)
            return
        following += 1
        while ahead and following in ahead:
            ahead.remove(following)
            following += 1
        if ahead is not None and not ahead:
            del self._ahead[key]
        self._next[key] = following

    def arrived(self) -> int:
        """Return how many different ones have come."""
        return self.seen - self.duplicated

    def count(self, key: Hashable) -> int:
        """Return how many of a key have come without a gap."""
        return self._next.get(key, 0)

    def lost(self, counts: Mapping[Hashable, int]) -> int:
        """Return how many are missing, where each key should have so many."""
        missing = 0
        for key, count in counts.items():
            gone = count - self._next.get(key, 0) - len(self._ahead.get(key, ()))
            missing += gone
            if gone:
                self._note(f"lost: {gone} of {key}, the first is {self._next.get(key, 0)}")
        return missing

    def gaps(self) -> int:
        """Return how many keys have a gap now, which may still be filled."""
        return len(self._ahead)

    def _note(self, what: str) -> None:
        if len(self.findings) < SHOWN:
            self.findings.append(what)
