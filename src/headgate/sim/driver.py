"""Drivers that let a world run in order: all is read, calls end in time, timers fire in time."""

from __future__ import annotations

from headgate.sim.world import World
from headgate.v1.turn_pb2 import StoredControl

STALL_MS = 6 * 3_600_000
"""A world that is busy for longer than this, on its own clock, will never be idle."""

STALL_ROUNDS = 10_000
"""A world whose clock had to be moved this often in one go is in a circle: a retry without a delay
that never succeeds makes a round of every call."""


class StalledError(Exception):
    """A world does not come to rest: something waits that nothing will wake, or retries for ever.

    Operator action: read which instances are named; an agent that is never available, or a policy
    with endless attempts, is the usual reason.
    """


def read_all(world: World) -> bool:
    """Read everything that is there to read by now; False if there was nothing."""
    progress = False
    for partition, records in enumerate(world.journal.partitions):
        for _ in range(len(records) - world.read_journal.offsets[partition]):
            progress = world.read_outcome(partition)
    for place in range(len(world.events.partitions)):
        while world.read_event(place):
            progress = True
    while world.deliver() or world.read_ledger():
        progress = True
    for partition in range(len(world.inbox.partitions)):
        while world.read_inbox(partition):
            progress = True
    return progress


def finish_due(world: World) -> bool:
    """End every call whose time has come; False if there is none."""
    due = [k for k, r in world.invoke.running.items() if r.due_ms <= world.clock.now_ms]
    for key in due:
        world.invoke.finish(key)
    return bool(due)


def settle(world: World, *, through_timers: bool = True) -> None:
    """Run a world until it is idle, moving its clock on to whatever is next.

    through_timers: whether it is not idle while durable timers are set. A test that looks at what
        happened so far does not want to be carried off to next year.
    """
    world.complete_registry()
    world.answer_hello()
    until = world.clock.now_ms + STALL_MS
    for _ in range(STALL_ROUNDS):
        _do_all_due(world)
        next_ms = _next_ms(world, through_timers=through_timers)
        if next_ms is None:
            return
        if next_ms > until:
            break
        world.pass_time(max(0, next_ms - world.clock.now_ms))
    raise _stalled(world, STALL_MS - until + world.clock.now_ms)


def run_until(world: World, end_ms: int) -> None:
    """Run a world until its clock shows ``end_ms``."""
    world.complete_registry()
    world.answer_hello()
    while True:
        _do_all_due(world)
        next_ms = _next_ms(world)
        if next_ms is None or next_ms > end_ms:
            world.pass_time(max(0, end_ms - world.clock.now_ms))
            return
        world.pass_time(max(0, next_ms - world.clock.now_ms))


def busy(world: World) -> list[str]:
    """Return the addresses that have something in flight or waiting, and are not parked."""
    found = []
    for address in world.gate.store.cells:
        control = world.gate.store.control(address)
        if control is not None and _is_busy(control):
            found.append(address)
    return sorted(found)


def _is_busy(control: StoredControl) -> bool:
    waits = control.mailbox_tail > control.mailbox_head and not control.parked
    return waits or control.HasField("in_flight") or bool(control.pending_controls)


def _do_all_due(world: World) -> None:
    for _ in range(STALL_ROUNDS):
        if not (read_all(world) or finish_due(world) or world.fire_due()):
            return
    raise _stalled(world, 0)


def _stalled(world: World, passed_ms: int) -> StalledError:
    waiting = ", ".join(busy(world)) or "timers"
    return StalledError(f"not idle after {passed_ms // 1000} s: {waiting}")


def _next_ms(world: World, *, through_timers: bool = True) -> int | None:
    moments = [
        due
        for due, address in world.gate.store.timers
        if through_timers or not _only_sleeps(world, address)
    ]
    moments += [running.due_ms for running in world.invoke.running.values()]
    return min(moments, default=None)


def _only_sleeps(world: World, address: str) -> bool:
    """Tell whether an instance waits for nothing but durable timers."""
    control = world.gate.store.control(address)
    return control is not None and bool(control.timers) and not _is_busy(control)
