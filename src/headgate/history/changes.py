"""What differs between two states of an instance."""

from __future__ import annotations

from typing import Any

from headgate.kafka.outcomes import data_of
from headgate.v1.history_pb2 import StateAsOf


def changes_between(before: StateAsOf, after: StateAsOf) -> list[dict[str, Any]]:
    """Return the names whose values or lists differ, with both, and the turn that last changed
    them. Of a list that only grew, ``to`` has the items that came.
    """
    found: list[dict[str, Any]] = []
    old, new = before.state, after.state
    for name in sorted({*old.values, *new.values}):
        if old.values.get(name) == new.values.get(name):
            continue
        made = _change(name, name in old.values, name in new.values, after)
        if name in old.values:
            made["from"] = _data(old.values[name])
        if name in new.values:
            made["to"] = _data(new.values[name])
        found.append(made)
    for name in sorted({*old.logs, *new.logs}):
        items = list(old.logs[name].items) if name in old.logs else []
        later = list(new.logs[name].items) if name in new.logs else []
        if items == later:
            continue
        made = _change(name, bool(items), bool(later), after)
        if items and later[: len(items)] == items:
            made |= {"change": "appended", "to": [_data(each) for each in later[len(items) :]]}
        else:
            made |= {"from": [_data(each) for each in items], "to": [_data(each) for each in later]}
        found.append(made)
    return found


def _change(name: str, was: bool, is_there: bool, after: StateAsOf) -> dict[str, Any]:
    change = "changed" if was and is_there else "added" if is_there else "removed"
    made: dict[str, Any] = {"name": name, "change": change}
    if name in after.changed:
        made["turn"] = after.changed[name]
    return made


def _data(raw: bytes) -> Any:
    return next(iter(data_of("value", raw).values()))
