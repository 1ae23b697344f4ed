"""Schedules: a string of bytes decides what happens next in a world, faults included.

The same bytes make the same schedule. A zero always chooses the calm thing, so a property test that
shrinks bytes towards zero shrinks a schedule towards the few faults that matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headgate.core.identity import event_fingerprint, record_fingerprint
from headgate.sim.world import World
from headgate.v1.agent_pb2 import Event
from headgate.v1.turn_pb2 import Control, Controlled

Script = dict[str, Any]
"""What an event tells a scripted agent to do; see :mod:`headgate.sim.scripted`."""

SCRIPTS: tuple[Script, ...] = (
    {"do": "take"},
    {"do": "take"},
    {"do": "take"},
    {"do": "retry", "times": 1, "after_ms": 700},
    {"do": "retry", "times": 2},
    {"do": "fail"},
    {"do": "terminal"},
    {"do": "park"},
    {"do": "shun"},
    {"do": "lie_base"},
    {"do": "lie_ids"},
    {"do": "lie_silent"},
    {"do": "hang"},
    {"do": "unavailable", "times": 2},
)

VERBS = (
    Controlled.RESUME,
    Controlled.SKIP,
    Controlled.CANCEL,
    Controlled.RESET,
    Controlled.PARK,
    Controlled.EXPIRE,
)


class Choices:
    """A finite string of decisions; when it has ended, every further one is the calm one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = 0

    @property
    def is_over(self) -> bool:
        """Whether every decision has been made."""
        return self._next >= len(self._data)

    def below(self, bound: int) -> int:
        """Choose a number from 0 to ``bound - 1``; 0 is the calm choice."""
        if self._next >= len(self._data):
            return 0
        value = self._data[self._next]
        self._next += 1
        return value % bound


@dataclass(frozen=True, slots=True)
class Theme:
    """What a family of schedules is about: whom events are for, and how often what happens.

    ``weights`` names methods of :class:`Schedule`; the first one is the calm choice.
    """

    addresses: tuple[str, ...]
    weights: tuple[tuple[str, int], ...]
    scripts: tuple[Script, ...] = SCRIPTS
    inputs: int = 14
    """Events that a schedule publishes at most, repeats by producers not counted."""
    id_share: int = 3
    """Of four events, how many carry an id of their own."""
    forgets: bool = False
    """Whether the dedup window is so short that a producer's repeat may count as a new event."""


class Schedule:
    """Plays choices on a world. ``published`` lists every event that was, with its address."""

    def __init__(self, world: World, choices: Choices, theme: Theme) -> None:
        self.world, self.choices, self.theme = world, choices, theme
        self.published: list[tuple[str, Event]] = []
        self.counts: dict[str, int] = {}
        self._controls = 0
        self._table: list[Callable[[], None]] = []
        for name, weight in theme.weights:
            self._table += [getattr(self, name)] * weight

    def play(self) -> None:
        """Take steps until the choices are over."""
        while not self.choices.is_over:
            action = self._table[self.choices.below(len(self._table))]
            name = action.__name__
            self.counts[name] = self.counts.get(name, 0) + 1
            action()

    # ------------------------------------------------------------------------------- the calm way

    def proceed(self) -> None:
        """Do the next thing that the real parts would do, whichever part it is."""
        world = self.world
        if not world.gate.registry_complete:
            world.complete_registry()
        elif not world.said_hello:
            world.answer_hello()
        elif not (
            self._read_some_outcome()
            or self._read_some_event()
            or self._read_some_inbox()
            or world.read_ledger()
        ):
            if world.invoke.running:
                world.invoke.finish(next(iter(world.invoke.running)))
            elif len(self.published) < self.theme.inputs:
                self.publish()
            else:
                self.fire()

    def _read_some_outcome(self) -> bool:
        return any(self.world.read_outcome(n) for n in range(len(self.world.journal.partitions)))

    def _read_some_event(self) -> bool:
        return any(self.world.read_event(n) for n in range(len(self.world.events.partitions)))

    def _read_some_inbox(self) -> bool:
        world = self.world
        world.deliver()
        return any(world.read_inbox(n) for n in range(len(world.inbox.partitions)))

    # ----------------------------------------------------------------------------------- producers

    def publish(self) -> None:
        """Publish a new event to some partition of some topic."""
        if len(self.published) >= self.theme.inputs:
            return
        theme, below = self.theme, self.choices.below
        number = len(self.published)
        event = Event(
            id=f"e{number}",
            source="schedule",
            type="scripted",
            data=json.dumps(theme.scripts[below(len(theme.scripts))]).encode(),
            has_id=below(4) < theme.id_share,
            # Every other one brings a trace. No choice: recorded schedules stay what they were.
            traceparent=f"00-{number + 1:032x}-{number + 1:016x}-01" if number % 2 else "",
        )
        address = theme.addresses[below(len(theme.addresses))]
        self._append(below(len(self.world.places)), address, event)

    def repeat(self) -> None:
        """Let a producer publish an event with an id once more, wherever."""
        again = [(a, e) for a, e in self.published if e.has_id]
        if again:
            address, event = again[-1 - self.choices.below(len(again))]
            self._append(self.choices.below(len(self.world.places)), address, event)

    def _append(self, place: int, address: str, given: Event) -> None:
        event = Event()
        event.CopyFrom(given)
        topic, partition = self.world.places[place]
        origin = event.origin
        origin.topic, origin.partition = topic, partition
        origin.offset = len(self.world.events.partitions[place])
        origin.timestamp_ms = self.world.clock.now_ms
        if event.has_id:
            event.fingerprint = event_fingerprint(event.source, event.id)
        else:
            event.fingerprint = record_fingerprint(origin)
        self.published.append((address, event))
        self.world.publish(place, address, event)

    def control(self) -> None:
        """Let an operator send a control."""
        address = self.theme.addresses[self.choices.below(len(self.theme.addresses))]
        verb = VERBS[self.choices.below(len(VERBS))]
        self._controls += 1
        wish = Control(control_id=f"c{self._controls}", verb=verb)
        for _ in range(1 + self.choices.below(8) // 7):
            self.world.wish(address, wish)

    # ----------------------------------------------------------------------------------- the order

    def read_event(self) -> None:
        """Read the next event of some partition."""
        self.world.read_event(self.choices.below(len(self.world.events.partitions)))

    def read_outcome(self) -> None:
        """Read the next record of some partition of the journal."""
        self.world.read_outcome(self.choices.below(len(self.world.journal.partitions)))

    def read_inbox(self) -> None:
        """Read the next record of some partition of the inbox."""
        self.world.read_inbox(self.choices.below(len(self.world.inbox.partitions)))

    def deliver(self) -> None:
        """Let the inbox take the next message that was posted."""
        self.world.deliver()

    def journal_first(self) -> None:
        """Read the whole journal while events wait."""
        for partition, records in enumerate(self.world.journal.partitions):
            for _ in range(len(records) - self.world.read_journal.offsets[partition]):
                self.world.read_outcome(partition)

    def events_first(self) -> None:
        """Read all events of some partition while the journal waits."""
        place = self.choices.below(len(self.world.events.partitions))
        while self.world.read_event(place):
            pass

    def read_ledger(self) -> None:
        """Let the ledger read the next message of Gate's."""
        self.world.read_ledger()

    def finish(self) -> None:
        """End some running call."""
        running = list(self.world.invoke.running)
        if running:
            self.world.invoke.finish(running[self.choices.below(len(running))])

    def fire(self) -> None:
        """Move the clock on to the next timer, and fire what is due."""
        timers = self.world.gate.store.timers
        if timers:
            self.world.pass_time(max(0, min(timers)[0] - self.world.clock.now_ms))
            self.world.fire_due()

    def wait(self) -> None:
        """Let time pass; timers that fall due fire late."""
        self.world.pass_time(self.choices.below(256) * 20)

    def checkpoint(self) -> None:
        """Complete a checkpoint."""
        self.world.checkpoint()

    def start(self) -> None:
        """Let the registry be read, and Invoke answer the hello."""
        self.world.complete_registry()
        self.world.answer_hello()

    def answer_hello(self) -> None:
        """Let Invoke answer the hello, with the registry perhaps still unread."""
        self.world.answer_hello()

    # -------------------------------------------------------------------------------------- faults

    def crash(self) -> None:
        """Lose everything in memory; restore the newest checkpoint."""
        self.world.crash()

    def crash_back(self) -> None:
        """Lose everything in memory; restore any older checkpoint."""
        self.world.crash(self.choices.below(len(self.world.checkpoints)))

    def zombie(self) -> None:
        """Let a dead Invoke journal a call that it had in flight."""
        zombies = [z for z in self.world.zombies if z.running]
        if zombies:
            invoke = zombies[self.choices.below(len(zombies))]
            keys = list(invoke.running)
            invoke.finish(keys[self.choices.below(len(keys))])

    def deliver_stray(self) -> None:
        """Let the inbox take, late, what a dead life had posted."""
        lives = [life for life, posted in enumerate(self.world.strays) if posted]
        if lives:
            self.world.deliver_stray(lives[self.choices.below(len(lives))])

    def double_record(self) -> None:
        """Write a record of the journal once more, as a retrying dead producer may."""
        place = self.choices.below(len(self.world.journal.partitions))
        partition = self.world.journal.partitions[place]
        outcomes = [written for written in partition if written.key]
        if outcomes:
            partition.append(outcomes[-1 - self.choices.below(len(outcomes))])

    def double_soon(self) -> None:
        """Write the newest record of a partition once more, as a retrying producer does."""
        place = self.choices.below(len(self.world.journal.partitions))
        partition = self.world.journal.partitions[place]
        if partition and partition[-1].key:
            partition.append(partition[-1])

    def lose(self) -> None:
        """Let the next requests to Invoke be dropped, as a full queue does."""
        self.world.lose = 1 + self.choices.below(3)
