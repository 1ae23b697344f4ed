"""One line per record, for people."""

from __future__ import annotations

import json
from typing import Any

from headgate.cli.stream import Cell
from headgate.kafka.views import Kind, View

# Of a record that cannot be read, for people; the JSON has it whole.
RAW_CHARS = 200
_VERDICTS = {"completed": "green", "failed": "red", "controlled": "yellow"}


def cells(kind: Kind, seen: View) -> list[Cell]:
    """Return the columns of a record's line: when, whose, what."""
    if "_unreadable" in seen:
        raw = seen.get("value", seen.get("value_base64"))
        # A sealed one shows nothing of itself, but whose it is.
        rest = _short(raw)[:RAW_CHARS] if raw is not None else seen["_record"]["key"]
        what = f"{seen['_unreadable']}: {rest}"
        return [_when(seen), Cell(_place(seen["_record"])), Cell("unreadable", "red"), Cell(what)]
    match kind:
        case "outbox":
            return _event(seen)
        case "dead-letters":
            return _letter(seen)
        case "history" if "closed" in seen:
            closed = seen["closed"]
            return [
                _when(seen),
                Cell(f"partition {closed['partition']}"),
                Cell("closed", "dim"),
                Cell(f"until {closed['until']}"),
            ]
        case "history":
            return _outcome(seen)
        case "journal" if "tick" in seen:
            return _tick(seen)
        case "journal":
            return [
                *_outcome(seen)[:-1],
                Cell(f"{_outcome(seen)[-1].text} {_place(seen['_record'])}"),
            ]


def address_of_view(kind: Kind, seen: View) -> str:
    """Return the address a record is about, empty if it names none."""
    if kind == "outbox":
        source = str(seen.get("source", ""))
        return source.removeprefix("headgate:") if source.startswith("headgate:") else ""
    return str(seen.get("address", ""))


def is_about(kind: Kind, seen: View, address: str) -> bool:
    """Tell whether a record is about an instance, or has that text as its key."""
    return address in {address_of_view(kind, seen), seen["_record"]["key"]}


def _event(seen: View) -> list[Cell]:
    data = seen["data"] if "data" in seen else seen.get("data_base64")
    return [
        _when(seen, "time"),
        Cell(address_of_view("outbox", seen) or seen["_record"]["key"], "cyan"),
        Cell(_sequence(str(seen.get("sequence", ""))), "dim"),
        Cell(str(seen.get("type", "")), "green"),
        Cell("" if data is None else _short(data)),
    ]


def _outcome(seen: View) -> list[Cell]:
    verdict = seen["verdict"]
    if failure := seen.get("failure"):
        verdict += f" {failure['code']}"
    elif control := seen.get("control"):
        verdict += f" {control['verb']}"
    return [
        _when(seen, "at"),
        Cell(seen["address"], "cyan"),
        Cell(f"#{seen['turn']}", "dim"),
        Cell(verdict, _VERDICTS.get(seen["verdict"], "")),
        Cell(" ".join(_facts(seen))),
    ]


def _facts(seen: View) -> list[str]:
    facts = []
    if failure := seen.get("failure"):
        facts.append(f"{failure['message']!r}" if failure["message"] else "")
        if failure.get("then") == "retry":
            facts.append(f"retry in {failure['retry_after_ms']} ms")
        elif failure.get("then"):
            facts.append(f"then {failure['then']}")
    if seen["attempt"] > 1:
        facts.append(f"attempt {seen['attempt']}")
    for name in ("events", "mutations", "outputs", "messages", "timers"):
        if seen.get(name):
            facts.append(f"{name}={len(seen[name])}")
    if seen.get("call_ms"):
        facts.append(f"{seen['call_ms']:.0f} ms")
    if seen.get("revision"):
        facts.append(f"revision {seen['revision']}")
    return [fact for fact in facts if fact]


def _letter(seen: View) -> list[Cell]:
    origin = seen.get("origin")
    where = _place(origin) if origin else ""
    # Messages of records that could not be read begin with their place already.
    message = seen["message"]
    said = message if not where or message.startswith(where) else f"{where}: {message}"
    return [
        _when(seen, "at"),
        Cell(seen["address"] or seen["_record"]["key"], "cyan"),
        Cell(seen["reason"], "red"),
        Cell(said),
    ]


def _tick(seen: View) -> list[Cell]:
    tick = seen["tick"]
    what = f"{'start ' if tick['start'] else ''}nonce {tick['nonce']} {_place(seen['_record'])}"
    return [_when(seen), Cell("", ""), Cell("", ""), Cell("tick", "dim"), Cell(what, "dim")]


def _when(seen: View, name: str = "") -> Cell:
    """Return the time of day, UTC; the date is in the JSON."""
    stamp = str(seen.get(name) or seen["_record"]["timestamp"])
    _, has_time, clock = stamp.partition("T")
    return Cell(clock[:12] if has_time else stamp, "dim")


def _sequence(text: str) -> str:
    turn, _, index = text.partition(".")
    return f"#{int(turn)}.{int(index)}" if turn.isdecimal() and index.isdecimal() else text


def _place(place: Any) -> str:
    return f"{place['topic']}/{place['partition']}@{place['offset']}"


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
