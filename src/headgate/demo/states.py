"""States against a plain run: what is stored after each turn, and what each event was answered.

A turn may take several events; the history then has the state after the last of them. The agent
answers every event with the state it led to, so the outbox has those in between. An event's state
is equal if its answer is, and, where it ends a turn, what is stored after it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.demo.sgd import SequentialTurn
from headgate.demo.verify import Finding, Outbox, address_of_turn
from headgate.sdk.testing import Stored
from headgate.v1.turn_pb2 import HistoryRecord

# For each address its events in order, each with the turn of the plain run.
Expected = Mapping[str, Sequence[tuple[str, SequentialTurn]]]


@dataclass(frozen=True, slots=True)
class StateCheck:
    """How many states were compared, and which differ.

    checked: one for each event. stored: those of them that were compared as stored too.
    final: dialogues whose last stored state is equal, of `dialogues`.
    """

    checked: int
    equal: int
    stored: int
    final: int
    dialogues: int
    findings: list[Finding]


def check_states(
    expected: Expected, history: Iterable[HistoryRecord], outbox: Iterable[Outbox]
) -> StateCheck:
    """Compare the state after every event with the plain run's."""
    stored = _stored_after(history)
    told = {
        (str(each.get("source", "")).removeprefix("headgate:"), str(each.get("causationid", ""))):
        each
        for each in outbox
    }  # fmt: skip
    findings: list[Finding] = []
    checked = equal = compared = final = 0
    for address, turns in expected.items():
        for event, turn in turns:
            checked += 1
            problem = _answer_problem(turn, told.get((address, event)))
            after = stored.get((address, event))
            if after is not None:
                compared += 1
                problem = problem or _stored_problem(turn.stored, after)
            if problem:
                findings.append(Finding("state", address, event, problem))
            else:
                equal += 1
        last_event, last = turns[-1]
        at_end = stored.get((address, last_event))
        if at_end is not None and not _stored_problem(last.stored, at_end):
            final += 1
        elif at_end is None:
            findings.append(Finding("state", address, last_event, "no state is stored after it"))
    return StateCheck(checked, equal, compared, final, len(expected), findings)


def _stored_after(history: Iterable[HistoryRecord]) -> dict[tuple[str, str], Stored]:
    """Fold each address's mutations; return what is stored after each turn's last event."""
    turns: dict[str, dict[int, HistoryRecord]] = defaultdict(dict)
    for record in history:
        turns[address_of_turn(record)].setdefault(record.outcome.turn, record)
    found: dict[tuple[str, str], Stored] = {}
    for address, records in turns.items():
        stored = Stored()
        for _, record in sorted(records.items()):
            stored = stored.apply(record.outcome.mutations)
            if record.outcome.taken:
                found[address, record.outcome.taken[-1].id] = stored
    return found


def _answer_problem(turn: SequentialTurn, told: Outbox | None) -> str:
    if told is None:
        return "no answer tells its state"
    wanted = [(each.type, each.data) for each in turn.outputs]
    if wanted == [(told.get("type"), told.get("data"))]:
        return ""
    return f"answered {_short(told.get('data'))}, the plain run {_short(wanted[0][1])}"


def _stored_problem(wanted: Stored, found: Stored) -> str:
    for name in sorted(wanted.values.keys() | found.values.keys()):
        pair = (_parsed(wanted.values.get(name)), _parsed(found.values.get(name)))
        if pair[0] != pair[1]:
            return f"stored {name} is {_short(pair[1])}, in the plain run {_short(pair[0])}"
    for name in sorted(wanted.logs.keys() | found.logs.keys()):
        items = [[_parsed(i) for i in each.logs.get(name, ())] for each in (wanted, found)]
        if items[0] != items[1]:
            return (
                f"stored list {name} has {len(items[1])} items, in the plain run {len(items[0])}, "
                "or others"
            )
    return ""


def _parsed(raw: bytes | None) -> Any:
    try:
        return None if raw is None else json.loads(raw)
    except ValueError:
        return raw


def _short(value: Any) -> str:
    text = json.dumps(value, default=repr, sort_keys=True)
    return text if len(text) <= 200 else text[:200] + "..."
