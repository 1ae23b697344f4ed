"""Recorded turns in a file: lines of JSON, which are read for ever.

The first line says what the file is, of which agent type, and by which policy it is called. Each
further line is a turn (state ``before`` it, the ``events`` it took, the history's record of the
``turn``) or says which one is ``left_out``. Protobuf messages are in their JSON form, with the
names of the ``.proto``: bytes are base64.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from headgate.errors import HeadgateError
from headgate.replay.events import fault_of
from headgate.replay.recorded import LeftOut, RecordedTurn, state_of, stored_in
from headgate.v1.agent_pb2 import Event, State
from headgate.v1.turn_pb2 import HistoryRecord, Policy

M = TypeVar("M", bound=Message)

FORMAT = "headgate.recorded-turns"
VERSION = 1


class RecordedFileError(HeadgateError):
    """A file of recorded turns cannot be read.

    Operator action: the message names the line; record the turns anew, or take the line out.
    """


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """What a file holds; ``turns`` in the order of their lines."""

    agent_type: str
    policy: Policy
    turns: tuple[RecordedTurn, ...]
    left_out: tuple[LeftOut, ...]


def write(
    path: Path, agent_type: str, policy: Policy, turns: Iterable[RecordedTurn | LeftOut]
) -> tuple[int, list[LeftOut]]:
    """Write turns; return how many there are, and those that had to be left out.

    A file of that name is replaced once all is written. Where something fails, or there is no turn,
    it stays as it was.
    """
    count, left_out = 0, []
    partial = path.with_name(f"{path.name}.partial")
    head = {"format": FORMAT, "version": VERSION, "agent": agent_type, "policy": _plain(policy)}
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(_line(head))
            for turn in turns:
                file.write(_line(_turn_line(turn)))
                if isinstance(turn, LeftOut):
                    left_out.append(turn)
                else:
                    count += 1
        if count:
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return count, left_out


def read(path: Path) -> RecordedFile:
    """Read a file of recorded turns.

    Raises:
        RecordedFileError: it is none, or one of its lines is damaged; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise RecordedFileError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path} cannot be read: it is no text, and holds no recorded turns"
        raise RecordedFileError(message) from error
    lines = _documents(path, text)
    number, head = next(lines, (1, {}))
    agent_type, policy = _head(path, number, head)
    turns: list[RecordedTurn] = []
    left_out: list[LeftOut] = []
    stands: dict[str, int] = {}
    for number, document in lines:
        try:
            if "left_out" in document:
                left_out.append(_left_out(document["left_out"]))
            else:
                turn = _turn(document, agent_type, policy)
                _check_new(turn, stands, number)
                turns.append(turn)
        except (ValueError, KeyError, TypeError) as error:
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise _damaged(path, number, what) from error
    return RecordedFile(agent_type, policy, tuple(turns), tuple(left_out))


def _documents(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _damaged(path, number, f"it is no JSON: {error}") from error
        if not isinstance(document, dict):
            raise _damaged(path, number, "it is no JSON object")
        yield number, document


def _head(path: Path, number: int, head: dict[str, Any]) -> tuple[str, Policy]:
    if head.get("format") != FORMAT:
        message = (
            f"{path}: it holds no recorded turns: its first line has no "
            f'"format": "{FORMAT}"; `headgate record` writes such files'
        )
        raise RecordedFileError(message)
    if head.get("version") != VERSION:
        message = f"{path} is of version {head.get('version')!r}; this Headgate reads {VERSION}"
        raise RecordedFileError(message)
    try:
        return str(head["agent"]), _parsed(head["policy"], Policy())
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, number, f"agent and policy cannot be read: {error}") from error


def _turn_line(turn: RecordedTurn | LeftOut) -> dict[str, Any]:
    if isinstance(turn, LeftOut):
        return {"left_out": {"address": turn.address, "turn": turn.number, "why": turn.why}}
    return {
        "before": _plain(state_of(turn.before)),
        "events": [_plain(event) for event in turn.events],
        "turn": _plain(turn.record),
    }


def _turn(document: dict[str, Any], agent_type: str, policy: Policy) -> RecordedTurn:
    before = stored_in(_parsed(document["before"], State()))
    events = tuple(_parsed(each, Event()) for each in document["events"])
    turn = RecordedTurn(before, events, _parsed(document["turn"], HistoryRecord()), policy)
    outcome = turn.outcome
    if outcome.agent_type != agent_type:
        message = f"it is a turn of {outcome.agent_type!r}, and the file is of {agent_type!r}"
        raise ValueError(message)
    if outcome.turn < 1 or outcome.WhichOneof("verdict") is None:
        message = "its turn has no number or no verdict"
        raise ValueError(message)
    wanted = list(outcome.taken) if turn.is_put else []
    if len(events) != len(wanted):
        message = f"it has {len(events)} events, its turn took {len(wanted)}"
        raise ValueError(message)
    for ref, event in zip(wanted, events, strict=True):
        if fault_of(ref, event):
            message = (
                f"event {event.id!r} ({event.fingerprint.hex()}) is not {ref.id!r} "
                f"({ref.fingerprint.hex()}), which the turn took"
            )
            raise ValueError(message)
    return turn


def _check_new(turn: RecordedTurn, stands: dict[str, int], number: int) -> None:
    earlier = stands.setdefault(str(turn), number)
    if earlier != number:
        message = f"turn {turn.number} of {turn.address} stands in line {earlier} already"
        raise ValueError(message)


def _left_out(given: dict[str, Any]) -> LeftOut:
    return LeftOut(str(given["address"]), int(given["turn"]), str(given["why"]))


def _damaged(path: Path, number: int, what: str) -> RecordedFileError:
    return RecordedFileError(f"{path}, line {number}: {what}")


def _plain(message: Message) -> dict[str, Any]:
    made: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return made


def _parsed(given: Any, into: M) -> M:
    try:
        json_format.ParseDict(given, into)
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error
    return into


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
