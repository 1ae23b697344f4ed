"""What differs between a turn as it was and as another revision makes it. Pure.

Rules:
- State is compared after the turn, by name: a value that is set to what it was is no difference.
- JSON is compared as JSON: neither the order of keys nor blanks make a difference, 1 and 1.0 do.
- Outputs, messages and timers are compared in their order, as diff compares lines.
- What a turn used, how long it took and what its failure says in words are not compared.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from headgate.kafka.outcomes import data_of
from headgate.replay.came import Came
from headgate.replay.parts import (
    View,
    canonical,
    message_view,
    name_of,
    output_view,
    said,
    timer_view,
)
from headgate.sdk.testing import Stored

Kind = Literal["verdict", "value", "list", "output", "message", "timer"]
Change = Literal["changed", "added", "removed"]

TAG = "tag"
_WORKFLOW = frozenset(("run", "status", TAG))
"""Values of a workflow's state. Its tag names the very answer that made it, and is random."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. ``name`` is the value's or list's (``notes[3:]``: from that item on), the
    type of an output or message, a timer's name; empty of a verdict. ``recorded`` and ``replayed``
    are what JSON can hold, None where there was none.
    """

    kind: Kind
    name: str
    change: Change
    recorded: Any = None
    replayed: Any = None

    def __str__(self) -> str:
        """Return it as a line."""
        what = f"{self.kind} {self.name}".rstrip()
        match self.change:
            case "added":
                return f"{what} added: {_short(self.replayed)}"
            case "removed":
                return f"{what} removed: {_short(self.recorded)}"
            case _:
                return f"{what}: {_short(self.recorded)} -> {_short(self.replayed)}"

    def view(self) -> View:
        """Return it as a dict for JSON."""
        shown: View = {"kind": self.kind, "name": self.name, "change": self.change}
        if self.change != "added":
            shown["recorded"] = self.recorded
        if self.change != "removed":
            shown["replayed"] = self.replayed
        return shown if self.name else {k: v for k, v in shown.items() if k != "name"}


def compare(
    recorded: Came, replayed: Came, *, key: str = "", ignored: Collection[str] = ()
) -> list[Difference]:
    """Return what differs, the verdict first.

    key: the instance's, which is the subject of an output that names none.
    ignored: names of values, lists and timers, and types of outputs and messages, to pass over.
    """
    found: list[Difference] = []
    if recorded.verdict != replayed.verdict:
        old, new = _verdict(recorded), _verdict(replayed)
        found.append(Difference("verdict", "", "changed", old, new))
    passed = {*ignored, TAG} if recorded.stored.values.keys() >= _WORKFLOW else {*ignored}
    found += _values(recorded.stored, replayed.stored, passed)
    found += _lists(recorded.stored, replayed.stored, passed)
    found += _parts(
        "output", [output_view(each, key) for each in recorded.outputs],
        [output_view(each, key) for each in replayed.outputs], passed,
    )  # fmt: skip
    found += _parts(
        "message", list(map(message_view, recorded.messages)),
        list(map(message_view, replayed.messages)), passed,
    )  # fmt: skip
    found += _parts(
        "timer",
        list(map(timer_view, recorded.timers)),
        list(map(timer_view, replayed.timers)),
        passed,
    )
    return found


def _verdict(came: Came) -> str:
    return f"{came.verdict}: {came.message}" if came.message else came.verdict


def _values(old: Stored, new: Stored, passed: Collection[str]) -> list[Difference]:
    found = []
    for name in sorted({*old.values, *new.values}.difference(passed)):
        was, is_now = old.values.get(name), new.values.get(name)
        if was == is_now or (was and is_now and said(was) == said(is_now)):
            continue
        change: Change = "added" if was is None else "removed" if is_now is None else "changed"
        found.append(Difference("value", name, change, _shown(was), _shown(is_now)))
    return found


def _lists(old: Stored, new: Stored, passed: Collection[str]) -> list[Difference]:
    found = []
    for name in sorted({*old.logs, *new.logs}.difference(passed)):
        was, is_now = old.logs.get(name, ()), new.logs.get(name, ())
        if was == is_now:
            continue
        pairs = zip(was, is_now, strict=False)
        same = next(
            (n for n, (a, b) in enumerate(pairs) if a != b and said(a) != said(b)),
            min(len(was), len(is_now)),
        )
        rest, now = was[same:], is_now[same:]
        if not rest and not now:
            continue
        change: Change = "added" if not rest else "removed" if not now else "changed"
        recorded, replayed = list(map(_shown, rest)) or None, list(map(_shown, now)) or None
        found.append(Difference("list", f"{name}[{same}:]", change, recorded, replayed))
    return found


def _parts(
    kind: Kind, old: Sequence[View], new: Sequence[View], passed: Collection[str]
) -> list[Difference]:
    was = [each for each in old if name_of(each) not in passed]
    is_now = [each for each in new if name_of(each) not in passed]
    olds, news = list(map(canonical, was)), list(map(canonical, is_now))
    if olds == news:
        return []
    found = []
    for verb, i, i_end, j, j_end in SequenceMatcher(None, olds, news, False).get_opcodes():
        if verb == "equal":
            continue
        both = min(i_end - i, j_end - j)
        for a, b in zip(was[i : i + both], is_now[j : j + both], strict=True):
            found.append(Difference(kind, name_of(b), "changed", a, b))
        found += [Difference(kind, name_of(a), "removed", a) for a in was[i + both : i_end]]
        found += [
            Difference(kind, name_of(b), "added", replayed=b) for b in is_now[j + both : j_end]
        ]
    return found


def _shown(raw: bytes | None) -> Any:
    return None if raw is None else next(iter(data_of("value", raw).values()))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
