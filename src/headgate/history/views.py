"""Answers of the history as plain dicts, for people and for JSON."""

from __future__ import annotations

from typing import Any

from headgate.core.identity import address_of
from headgate.core.render import rfc3339
from headgate.kafka.outcomes import data_of, outcome_view
from headgate.kafka.reports import parked_view
from headgate.v1.history_pb2 import (
    Explanation,
    HistoryPosition,
    InFlightMessage,
    StateAsOf,
    TurnAsOf,
)


def state_view(found: StateAsOf) -> dict[str, Any]:
    """Return a state; parts that there are none of are left out."""
    shown: dict[str, Any] = {
        "address": address_of(found.agent_type, found.key),
        "turn": found.turn,
        "at": rfc3339(found.at_us) if found.at_us else "",
        "values": {name: _data(found.state.values[name]) for name in sorted(found.state.values)},
        "lists": {
            name: [_data(item) for item in found.state.logs[name].items]
            for name in sorted(found.state.logs)
        },
        "changed": {name: found.changed[name] for name in sorted(found.changed)},
    }
    shown = {name: part for name, part in shown.items() if part or name == "turn"}
    if found.HasField("parked"):
        shown["parked"] = {
            name: part
            for name, part in parked_view("", found.parked).items()
            if part and name != "address"
        }
    if found.is_incomplete:
        shown["incomplete"] = True
    return shown


def explanation_view(found: Explanation) -> dict[str, Any]:
    """Return what made a state, by path; a turn that is not kept is null."""
    turns = {each.record.outcome.turn: turn_view(each) for each in found.turns}
    shown: dict[str, Any] = {
        "address": address_of(found.agent_type, found.key),
        "turn": found.turn,
        "at": rfc3339(found.at_us) if found.at_us else "",
        "names": [
            {
                "name": each.path,
                "value": (
                    [_data(item) for item in each.list.items]
                    if each.HasField("list")
                    else _data(each.value)
                ),
                "turn": each.turn,
                **({"may_be_older": True} if each.may_be_older else {}),
                "made_by": turns.get(each.turn),
            }
            for each in found.parts
        ],
    }
    return shown | ({"incomplete": True} if found.is_incomplete else {})


def turn_view(found: TurnAsOf) -> dict[str, Any]:
    """Return a turn: what made it, and what it changed and sent."""
    seen = outcome_view(found.record.outcome)
    seen["at"] = rfc3339(found.record.at_us)
    if found.valid_us != found.record.at_us:
        seen["valid_at"] = rfc3339(found.valid_us)
    return seen


def message_view(found: InFlightMessage) -> dict[str, Any]:
    """Return a message that is under way."""
    return {
        "id": found.id,
        "sender": found.sender,
        "receiver": found.receiver,
        "type": found.type,
        "sent": rfc3339(found.sent_us),
        **data_of("data", found.data),
    }


def position_view(found: HistoryPosition) -> dict[str, Any]:
    """Return how far the store is."""
    return {
        "closed": rfc3339(found.closed_us) if found.closed_us else "",
        "horizon": rfc3339(found.horizon_us) if found.horizon_us else "",
        "instances": found.instances,
        "turns": found.turns,
        "behind": sum(max(0, each.end_offset - each.next_offset) for each in found.partitions),
        "late_turns": sum(each.late_turns for each in found.partitions),
        "strange_records": sum(each.strange_records for each in found.partitions),
        "lacks_beginning": any(each.lacks_beginning for each in found.partitions),
        **({"problem": found.problem} if found.problem else {}),
        "partitions": [
            {
                "partition": each.partition,
                "next_offset": each.next_offset,
                "end_offset": each.end_offset,
                "closed": rfc3339(each.closed_us) if each.closed_us else "",
            }
            for each in found.partitions
        ],
    }


def _data(raw: bytes) -> Any:
    return next(iter(data_of("value", raw).values()))
