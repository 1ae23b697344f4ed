"""Compares a world that has come to rest with what the oracle says."""

from __future__ import annotations

import json
from collections import Counter

from headgate.core.model import Input, Transition
from headgate.sim.schedule import Schedule
from headgate.sim.store import Store
from headgate.sim.world import World
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import (
    EventRef,
    HistoryRecord,
    ParkedInstance,
    StoredChunk,
    StoredControl,
    StoredWindowEntry,
)
from tests.sim.oracle import Chain, data_of, fold


def wakes(address: str, given: Input, transition: Transition, store: Store) -> None:
    """After every step: what waits has a timer, and what is in flight is the mailbox's head."""
    control = transition.control
    if control is None:
        return
    in_flight = control.HasField("in_flight")
    waits = control.mailbox_tail > control.mailbox_head and not control.parked
    timers = {due for due, owner in store.timers if owner == address}
    if in_flight or waits or control.pending_controls:
        assert control.wake_ms, f"{address}: nothing will wake it after {transition.note}"
    for timer in control.timers.values():
        if not (timer.fired or in_flight or control.parked):
            due_ms = -(-timer.due_us // 1000)
            is_soon = 0 < control.wake_ms <= due_ms or waits or control.pending_controls
            assert is_soon, f"{address}: a timer will not wake it"
    assert timers == ({control.wake_ms} if control.wake_ms else set()), "timers differ from state"
    items = store.items(address)
    head = control.mailbox_head
    for place, fingerprint in enumerate(control.in_flight.fingerprints):
        asked = Event.FromString(items[f"m{head + place}"])
        assert asked.fingerprint == fingerprint, "in flight is not the mailbox's head"


def check(schedule: Schedule) -> dict[str, Chain]:
    """Assert everything the protocol promises of a world at rest; returns the oracle's chains."""
    world = schedule.world
    chains = fold(
        (written.key, written.value, written.appended_ms)
        for partition in world.journal.partitions
        for written in partition
    )
    for address in (
        {address for address, _ in schedule.published}
        | set(chains)
        | {receiver for chain in chains.values() for receiver, *_ in chain.sent}
    ):
        if address in chains:
            _check_state(world, address, chains[address])
        _check_events(schedule, address, chains.get(address))
    _check_messages(world, chains)
    _check_outputs(world, chains)
    _check_letters(schedule, chains)
    _check_parked(world, chains)
    _check_attempts(chains)
    _check_controls(chains)
    _check_traces(schedule, chains)
    _check_calls(world, chains, forgets=schedule.theme.forgets)
    assert not world.paid_twice.known, f"paid twice: {world.paid_twice.known}"
    return chains


def _stored(world: World, address: str) -> tuple[StoredControl, dict[str, bytes]]:
    control = world.gate.store.control(address)
    assert control is not None, f"{address} has no state"
    return control, world.gate.store.items(address)


def _check_state(world: World, address: str, chain: Chain) -> None:
    control, items = _stored(world, address)
    assert control.turn == len(chain.outcomes)
    assert control.base == chain.bases[-1]
    assert len(set(chain.bases)) == len(chain.bases), "a base was used twice"
    assert control.at_us == chain.times[-1]
    assert control.parked == chain.is_parked, f"{address}: parked is {control.parked}"
    values = {name: items[f"v{name}"] for name in control.values}
    assert values == chain.values
    assert dict(control.values) == {name: len(value) for name, value in values.items()}
    logs = {name: _list(items, name, log.length) for name, log in control.logs.items()}
    assert logs == chain.logs
    assert not control.HasField("in_flight")
    assert not control.pending_controls
    timers = {name: timer.due_us for name, timer in control.timers.items()}
    assert timers == {name: due_us for name, (_, due_us) in chain.timers.items()}
    assert control.parked or not timers, f"{address}: {sorted(timers)} did not fire"
    _check_leftovers(control, items)


def _list(items: dict[str, bytes], name: str, length: int) -> list[bytes]:
    found: list[bytes] = []
    for number in range(-(-length // 16)):
        found += StoredChunk.FromString(items[f"l{name}/{number}"]).items
    return found


def _check_leftovers(control: StoredControl, items: dict[str, bytes]) -> None:
    """Nothing is stored that the control record does not account for."""
    kinds = Counter(name[0] for name in items)
    assert kinds["m"] == control.mailbox_tail - control.mailbox_head
    assert kinds["w"] == control.window_next - control.window_oldest
    assert kinds["a"] == control.ahead_tail - control.ahead_head
    window = [StoredWindowEntry.FromString(v) for k, v in items.items() if k[0] == "w"]
    assert sum(len(entry.fingerprints) for entry in window) == control.window_ids
    assert kinds["v"] == len(control.values)
    assert kinds["t"] == len(control.timers)


def _waiting(world: World, address: str) -> list[Event]:
    control, items = _stored(world, address)
    seqs = range(control.mailbox_head, control.mailbox_tail)
    return [Event.FromString(items[f"m{seq}"]) for seq in seqs]


def _check_messages(world: World, chains: dict[str, Chain]) -> None:
    """Every message is in one turn of its receiver or waits; in the order of sending, per pair."""
    taken: dict[str, list[str]] = {}
    for address, chain in chains.items():
        for at_us, outcome in zip(chain.times, chain.outcomes, strict=True):
            for ref in outcome.taken:
                taken.setdefault(address, []).append(ref.id)
                sent_us = {id_: sent for c in chains.values() for _, id_, sent in c.sent}
                assert at_us >= sent_us.get(ref.id, 0), f"{ref.id}: taken before it was sent"
    for sender, chain in chains.items():
        for receiver in {receiver for receiver, *_ in chain.sent}:
            sent = [id_ for to, id_, _ in chain.sent if to == receiver]
            waiting = [event.id for event in _waiting(world, receiver)]
            came = [id_ for id_ in taken.get(receiver, []) + waiting if id_ in set(sent)]
            assert came == sent, f"{sender} to {receiver}: sent {sent}, came {came}"


def _check_events(schedule: Schedule, address: str, chain: Chain | None) -> None:
    """Every event is in one turn, or waits in a parked mailbox; sources keep their order."""
    control, _ = _stored(schedule.world, address)
    waiting = _waiting(schedule.world, address)
    assert control.parked or not waiting, f"{address} stalls with {len(waiting)} events"
    refs = [ref for outcome in (chain.outcomes if chain else []) for ref in outcome.taken]
    found = Counter([ref.fingerprint for ref in refs] + [e.fingerprint for e in waiting])
    sent = {event.fingerprint: event for to, event in schedule.published if to == address}
    lost = [event.id for fingerprint, event in sent.items() if not found[fingerprint]]
    assert not lost, f"{address}: lost {lost}"
    named: tuple[EventRef | Event, ...] = (*refs, *waiting)
    records = Counter(
        (each.origin.topic, each.origin.partition, each.origin.offset)
        for each in named
        if each.HasField("origin")
    )
    assert max(records.values(), default=0) <= 1, f"{address}: a record is in two turns"
    if not schedule.theme.forgets:
        twice = [sent[f].id for f, count in found.items() if count > 1]
        assert not twice, f"{address}: more than once {twice}"
    last: dict[tuple[str, int], int] = {}
    known: set[bytes] = set()
    for ref in refs:
        if ref.fingerprint in known:
            # A repeat that came after the window had forgotten: a new event, of no promised place.
            continue
        known.add(ref.fingerprint)
        if not ref.HasField("origin"):
            continue
        place = (ref.origin.topic, ref.origin.partition)
        assert ref.origin.offset > last.get(place, -1), f"{address}: {ref.id} out of order"
        last[place] = ref.origin.offset


def _check_outputs(world: World, chains: dict[str, Chain]) -> None:
    world.checkpoint()
    expected = {k: v for chain in chains.values() for k, v in chain.outputs.items()}
    rendered = Counter(emitted.value for emitted in world.sinks.outbox.committed)
    got = dict(data_of(value) for value in rendered)
    assert len(got) == len(rendered), "one id, two contents"
    assert got == expected
    turns = [e.value for e in world.sinks.history.committed if not _is_closed(e.value)]
    history = Counter(turns)
    told = {}
    for value in history:
        record = HistoryRecord.FromString(value)
        told[record.outcome.agent_type, record.outcome.key, record.base_after] = record.at_us
    assert len(told) == len(history), "one turn, two histories"
    assert sorted(told.values()) == sorted(at for c in chains.values() for at in c.times)
    letters = Counter(letter.SerializeToString() for letter in world.sinks.letters.committed)
    named = {letter.id for letter in world.sinks.letters.committed}
    assert named == {k for chain in chains.values() for k in chain.letters}
    assert len(letters) == len(named), "one id, two dead letters"
    if not world.reemits:
        _check_closed(world)
        assert set((rendered + history + letters).values()) <= {1}, "committed twice"


def _is_closed(value: bytes) -> bool:
    return HistoryRecord.FromString(value).HasField("closed")


def _check_closed(world: World) -> None:
    """No turn is dated at or before a moment that had been closed for its partition."""
    closed: dict[int, int] = {}
    for emitted in world.sinks.history.committed:
        record = HistoryRecord.FromString(emitted.value)
        if record.HasField("closed"):
            closed[record.closed.partition] = record.closed.until_us
        else:
            floor = closed.get(record.journal_partition, 0)
            assert record.at_us > floor, "a turn at a closed moment"


def _check_calls(world: World, chains: dict[str, Chain], *, forgets: bool) -> None:
    """Every call ever made stood on a base of the one chain, with that base's state and events."""
    for paid in world.calls:
        request = paid.request
        chain = chains.get(paid.address)
        place = 0
        if chain is not None:
            assert request.base in chain.bases, "a call on a base that never was: a fork"
            place = chain.bases.index(request.base)
            values, logs = chain.states[place]
            assert dict(request.state.values) == values
            assert {k: v.length for k, v in request.state.logs.items()} == {
                k: len(v) for k, v in logs.items()
            }
            taken = {r.fingerprint for o in chain.outcomes[:place] for r in o.taken}
            asked = {event.fingerprint for event in request.events}
            assert not (asked & taken) or forgets, "a call for events that were taken"
        assert request.turn == place + 1


def _check_letters(schedule: Schedule, chains: dict[str, Chain]) -> None:
    """Only those events are given up that their script, an operator or nobody's service gave up."""
    scripts = {event.id: json.loads(event.data)["do"] for _, event in schedule.published}
    for address, chain in chains.items():
        for letter in chain.letters.values():
            if letter.reason in {"skipped", "budget"}:
                continue
            if letter.event_id not in scripts:
                # A message or a timer: all of them are taken.
                assert address.startswith("lost/"), f"{letter.event_id} is given up"
            elif address.startswith("lost/"):
                assert letter.reason == "unknown_agent"
            else:
                assert address.startswith("orders/"), f"{address} parks, it does not give up"
                assert scripts[letter.event_id] in {"fail", "terminal"}, (
                    f"{letter.event_id} is given up ({letter.reason}), it did nothing wrong"
                )


def _check_parked(world: World, chains: dict[str, Chain]) -> None:
    """Who reads the newest record of each instance knows which are parked."""
    newest = {each.address: each.value for each in world.sinks.parked.committed}
    listed = {address for address, value in newest.items() if value}
    assert listed == {address for address, chain in chains.items() if chain.is_parked}
    for address in listed:
        assert ParkedInstance.FromString(newest[address]).turn <= len(chains[address].outcomes)


def _check_traces(schedule: Schedule, chains: dict[str, Chain]) -> None:
    """Each turn has one span, a child of its first event's, in its trace; messages pass it on."""
    spans: dict[str, str] = {}
    for address, chain in chains.items():
        for number, outcome in enumerate(chain.outcomes, start=1):
            if outcome.traceparent:
                assert outcome.traceparent not in spans, "two turns of one span"
                spans[outcome.traceparent] = f"{address}/{number}"
    began = {event.fingerprint: event for _, event in schedule.published}
    for address, chain in chains.items():
        for outcome in chain.outcomes:
            if not outcome.HasField("completed"):
                continue
            ref, traceparent = outcome.taken[0], outcome.traceparent
            parents = outcome.event_traceparents
            event = began.get(ref.fingerprint)
            if event is None:
                # A message or a timer: its event's id begins with the turn that sent it.
                assert spans[parents[0]] == ref.id.rpartition("/")[0], f"{address}: {ref.id}"
                assert traceparent[:36] == parents[0][:36], f"{address}: another trace"
            elif event.traceparent:
                assert parents[0] == event.traceparent
                assert traceparent[:36] == event.traceparent[:36], f"{address}: another trace"
            else:
                assert traceparent[3:35] == ref.fingerprint.hex(), f"{address}: another trace"


def _check_controls(chains: dict[str, Chain]) -> None:
    for address, chain in chains.items():
        controlled = [o.controlled for o in chain.outcomes if o.HasField("controlled")]
        applied = Counter(each.control_id for each in controlled)
        assert max(applied.values(), default=0) <= 1, f"{address}: a control was applied twice"


def _check_attempts(chains: dict[str, Chain]) -> None:
    """No event is charged for another's failure: it failed as often as its dead letter says."""
    for chain in chains.values():
        failures: Counter[str] = Counter()
        for outcome in chain.outcomes:
            if not outcome.HasField("failed"):
                continue
            failed = outcome.failed
            if failed.names_event:
                failures[failed.message] += 1
            if failed.HasField("dead_letter"):
                letter = failed.dead_letter
                if letter.message == letter.event_id:
                    assert letter.attempts <= failures[letter.event_id], (
                        f"{letter.event_id} is charged {letter.attempts} attempts, "
                        f"it failed {failures[letter.event_id]} times"
                    )
