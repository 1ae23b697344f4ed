"""What must be true of a journal, worked out without the code under test.

A fold over the records of the journal, in order. Nothing of ``headgate.core`` is used, not even its
hashing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from headgate.v1.turn_pb2 import Controlled, DeadLetter, JournalRecord, Outcome


@dataclass
class Chain:
    """One instance: the bases it went through, and what it came to."""

    bases: list[bytes]
    outcomes: list[Outcome] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: dict[str, bytes] = field(default_factory=dict)
    logs: dict[str, list[bytes]] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    is_parked: bool = False
    # Messages sent, in order: (receiver, id, time of the turn). Timers that are set: by name the id
    # of the event that each becomes, and when it is due.
    sent: list[tuple[str, str, int]] = field(default_factory=list)
    timers: dict[str, tuple[str, int]] = field(default_factory=dict)
    # State as each base found it: (values, lists).
    states: list[tuple[dict[str, bytes], dict[str, list[bytes]]]] = field(default_factory=list)


def fold(journal: Iterable[tuple[str, bytes, int]]) -> dict[str, Chain]:
    """Fold (key, value, log-append ms) of every record into chains by address."""
    chains: dict[str, Chain] = {}
    for address, value, appended_ms in journal:
        record = JournalRecord.FromString(value)
        if not record.HasField("outcome"):
            continue
        genesis = blake2b(b"headgate genesis\x00" + address.encode(), digest_size=16).digest()
        chain = chains.setdefault(address, Chain([genesis], states=[({}, {})]))
        if record.outcome.base == chain.bases[-1]:
            _turn(chain, address, record.outcome, appended_ms)
    return chains


def _turn(chain: Chain, address: str, outcome: Outcome, appended_ms: int) -> None:
    chain.outcomes.append(outcome)
    turn = len(chain.outcomes)
    after = blake2b(chain.bases[-1] + outcome.outcome_id, digest_size=16).digest()
    chain.bases.append(after)
    at_us = max(appended_ms * 1000, chain.times[-1] + 1 if chain.times else 1)
    at_us = max(at_us, outcome.caused_at_us)
    chain.times.append(at_us)
    _plans(chain, address, outcome, at_us)
    for mutation in outcome.mutations:
        match mutation.WhichOneof("change"):
            case "set":
                chain.values[mutation.name] = mutation.set
            case "append":
                chain.logs.setdefault(mutation.name, []).append(mutation.append)
            case "delete":
                chain.values.pop(mutation.name, None)
                chain.logs.pop(mutation.name, None)
    for index, output in enumerate(outcome.outputs):
        chain.outputs[f"{address}/{turn}/{index}"] = output.data
    controlled, failed = outcome.controlled, outcome.failed
    if outcome.HasField("failed") and failed.WhichOneof("disposition") == "park":
        chain.is_parked = True
    if failed.HasField("dead_letter"):
        chain.letters[f"{address}/{turn}"] = failed.dead_letter
    if controlled.HasField("dead_letter"):
        chain.letters[f"{address}/{turn}"] = controlled.dead_letter
    if outcome.HasField("controlled") and controlled.verb != Controlled.CANCEL:
        chain.is_parked = controlled.verb == Controlled.PARK
        if controlled.verb in {Controlled.RESET, Controlled.EXPIRE}:
            chain.values.clear()
            chain.logs.clear()
            chain.timers.clear()
    chain.states.append((dict(chain.values), {k: list(v) for k, v in chain.logs.items()}))


def _plans(chain: Chain, address: str, outcome: Outcome, at_us: int) -> None:
    turn = len(chain.outcomes)
    for ref in outcome.taken:
        if not ref.HasField("origin"):
            name = next((n for n, (id_, _) in chain.timers.items() if id_ == ref.id), None)
            assert name is not None, f"{ref.id}: a timer was taken that was not set"
            assert at_us >= chain.timers.pop(name)[1], f"{ref.id}: taken before it was due"
    for index, change in enumerate(outcome.timers):
        chain.timers.pop(change.name, None)
        if change.WhichOneof("change") == "after_ms":
            due_us = at_us + change.after_ms * 1000
            chain.timers[change.name] = (f"{address}/{turn}/t{index}", due_us)
    for index, message in enumerate(outcome.messages):
        receiver = f"{message.agent_type}/{message.key}"
        chain.sent.append((receiver, f"{address}/{turn}/m{index}", at_us))


def data_of(envelope: bytes) -> tuple[str, bytes]:
    """Return id and data of a rendered output."""
    told = json.loads(envelope)
    return told["id"], json.dumps(told["data"]).encode()
