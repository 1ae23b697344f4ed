"""Calls as the agent service saw them: a ledger that outlives the service, and what it tells.

A call counts when it starts: that is when a model would be asked, and paid. The ledger is written
with one append per call, so a service that is killed loses nothing of it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from headgate.sdk.agent import Agent, Handler

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the instance's position that it was made for, and when it started."""

    address: str
    base: str
    idempotency_key: str
    started_us: int


@dataclass(frozen=True, slots=True)
class CallCounts:
    """`paid_twice`: its outcome was in the journal when the call started. `repeated`: made again
    for the same position while no outcome was there (its answer was lost on the way).
    """

    calls: int
    paid_twice: int
    repeated: int


def count_calls(calls: Iterable[Call], journaled_ms: Mapping[tuple[str, str], int]) -> CallCounts:
    """Count; `journaled_ms` says when the first outcome for (address, base) was appended.

    >>> once, again = (Call("a/1", "00", "k", at * 1_000) for at in (10, 90))
    >>> count_calls([once, again], {("a/1", "00"): 20})
    CallCounts(calls=2, paid_twice=1, repeated=0)
    """
    total = paid_twice = repeated = 0
    made: set[tuple[str, str]] = set()
    for call in calls:
        position = (call.address, call.base)
        total += 1
        appended = journaled_ms.get(position)
        # The journal's clock has milliseconds: within the same one, nobody knows.
        if appended is not None and call.started_us >= (appended + 1) * 1_000:
            paid_twice += 1
        elif position in made:
            repeated += 1
        made.add(position)
    return CallCounts(total, paid_twice, repeated)


def read_calls(ledger: Path) -> list[Call]:
    """Read a ledger; the line that a kill cut off is left out."""
    if not ledger.is_file():
        return []
    lines = ledger.read_bytes().split(b"\n")[:-1]
    return [Call(**json.loads(line)) for line in lines if line.endswith(b"}")]


def keep_ledger(agent: Agent[S], ledger: Path) -> Agent[S]:
    """Let the agent note every call it is given."""
    descriptor = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    find = agent.handler_for

    def handler_for(event_type: str, subject: str = "") -> Handler:
        handler = find(event_type, subject)

        def noted(turn: Any, event: Any) -> Any:
            if not turn._cause:  # the first event of the call's batch
                _note(descriptor, turn)
            return handler.call(turn, event)

        return Handler(noted, handler.is_async, handler.in_thread)

    agent.handler_for = handler_for  # type: ignore[method-assign]
    return agent


def _note(descriptor: int, turn: Any) -> None:
    line = {
        "address": turn.address,
        "base": turn._request.base.hex(),
        "idempotency_key": turn.idempotency_key,
        "started_us": time.time_ns() // 1_000,
    }
    os.write(descriptor, json.dumps(line).encode() + b"\n")
