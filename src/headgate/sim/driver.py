"""Drivers that let a world run in order: all is read, calls end in time, timers fire in time."""

from __future__ import annotations

from headgate.sim.world import World

STALL_MS = 6 * 3_600_000
"""A world that is busy for longer than this, on its own clock, will never be idle."""


class StalledError(Exception):
    """A world does not come to rest: something waits that nothing will wake, or retries for ever.

    Operator action: read which instances are named; an agent that is never available, or a policy
    with endless attempts, is the usual reason.
    """


def read_all(world: World) -> bool:
    """Read everything there is to read; False if there was nothing."""
    progress = False
    for partition in range(len(world.journal.partitions)):
        while world.read_outcome(partition):
            progress = True
    for place in range(len(world.events.partitions)):
        while world.read_event(place):
            progress = True
    while world.read_wish():
        progress = True
    return progress


def finish_due(world: World) -> bool:
    """End every call whose time has come; False if there is none."""
    due = [k for k, r in world.invoke.running.items() if r.due_ms <= world.clock.now_ms]
    for key in due:
        world.invoke.finish(key)
    return bool(due)


def settle(world: World) -> None:
    """Run a world until it is idle, moving its clock on to whatever is next."""
    world.complete_registry()
    world.answer_hello()
    until = world.clock.now_ms + STALL_MS
    while True:
        while read_all(world) or finish_due(world) or world.fire_due():
            pass
        next_ms = _next_ms(world)
        if next_ms is None:
            return
        if next_ms > until:
            msg = f"not idle after {STALL_MS // 1000} s: {', '.join(busy(world)) or 'timers'}"
            raise StalledError(msg)
        world.clock.advance(max(0, next_ms - world.clock.now_ms))


def run_until(world: World, end_ms: int) -> None:
    """Run a world until its clock shows ``end_ms``."""
    world.complete_registry()
    world.answer_hello()
    while True:
        while read_all(world) or finish_due(world) or world.fire_due():
            pass
        next_ms = _next_ms(world)
        if next_ms is None or next_ms > end_ms:
            world.clock.advance(max(0, end_ms - world.clock.now_ms))
            return
        world.clock.advance(max(0, next_ms - world.clock.now_ms))


def busy(world: World) -> list[str]:
    """Return the addresses that have something in flight or waiting, and are not parked."""
    found = []
    for address in world.gate.store.cells:
        control = world.gate.store.control(address)
        if control is None:
            continue
        waits = control.mailbox_tail > control.mailbox_head and not control.parked
        if waits or control.HasField("in_flight") or control.pending_controls:
            found.append(address)
    return sorted(found)


def _next_ms(world: World) -> int | None:
    moments = [due for due, _ in world.gate.store.timers]
    moments += [running.due_ms for running in world.invoke.running.values()]
    return min(moments, default=None)
