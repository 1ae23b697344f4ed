"""Families of schedules: what each is about, and the agents and policies it runs with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from headgate.sim.agents import SimAgent
from headgate.sim.schedule import Choices, Schedule, Script, Theme
from headgate.sim.scripted import ScriptedAgent
from headgate.sim.world import World
from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, ADVICE_PARK
from headgate.v1.turn_pb2 import AgentSpec, Policy
from tests.sim.verdict import wakes


@dataclass(frozen=True)
class Family:
    """A theme, its share of all schedules, and of its agents the dedup window and how long they may
    be idle.
    """

    theme: Theme
    share: int
    window: int = 1_000
    ttl_ms: int = 0


CALM = (("proceed", 8), ("publish", 6), ("read_event", 5), ("read_outcome", 5), ("finish", 5))
ORDER = (*CALM, ("journal_first", 2), ("events_first", 2), ("fire", 3), ("wait", 1), ("start", 2))
CRASHES = (
    *ORDER,
    ("answer_hello", 2),
    ("checkpoint", 4),
    ("crash", 3),
    ("zombie", 4),
    ("repeat", 2),
    ("double_record", 1),
    ("lose", 1),
)
CONTROLS = (*CRASHES, ("control", 5), ("read_inbox", 5), ("deliver", 2))
ALL = (*CONTROLS, ("crash_back", 2))

# `orders` takes batches and gives up; `desk` takes single events and parks; nobody serves `lost`.
MIXED = Theme(("orders/1", "orders/2", "desk/1", "lost/1"), ALL)
PLAIN: tuple[Script, ...] = ({"do": "take"},)
BATCHES: tuple[Script, ...] = tuple(
    {"do": word} for word in ("take", "shun", "retry", "fail", "terminal", "take")
)

TALK = (*ALL, ("deliver", 6), ("deliver_stray", 4), ("read_inbox", 5), ("crash", 2))
_TELL: tuple[Script, ...] = tuple(
    {"do": "tell", "to": to} for to in ("orders/1", "orders/2", "desk/1", "lost/1", "orders/2")
)
TELLING: tuple[Script, ...] = (
    *_TELL,
    {"do": "tell", "to": "orders/2", "say": {"do": "tell", "to": "orders/1"}},
    {"do": "take"},
    {"do": "shun"},
    {"do": "fail"},
    {"do": "retry", "times": 1, "after_ms": 700},
)
SETTING: tuple[Script, ...] = (
    {"do": "set", "name": "a", "after_ms": 600},
    {"do": "set", "name": "a", "after_ms": 0},
    {"do": "set", "name": "b", "after_ms": 2_500},
    {"do": "unset", "name": "a"},
    {"do": "tell", "to": "orders/1"},
    {"do": "take"},
    {"do": "shun"},
    {"do": "fail"},
    {"do": "park"},
)

FAMILIES = {
    "everything": Family(MIXED, 4),
    "one instance": Family(replace(MIXED, addresses=("orders/1",)), 2),
    "newest checkpoint": Family(replace(MIXED, weights=CONTROLS), 1),
    "order": Family(Theme(("orders/1",), (*CRASHES, ("crash_back", 3)), PLAIN, inputs=18), 1),
    "batches": Family(Theme(("orders/1", "orders/2"), ALL, BATCHES, inputs=18), 1),
    "controls": Family(Theme(("orders/1", "desk/1"), (*ALL, ("control", 8))), 1),
    "short window": Family(
        Theme(
            ("orders/1",),
            (*CRASHES, ("crash_back", 3), ("repeat", 8)),
            PLAIN,
            inputs=18,
            id_share=4,
            forgets=True,
        ),
        1,
        window=2,
    ),
    # Shorter than a wait of the schedule's: state expires while events, zombies and replays come.
    "idle": Family(
        Theme(("orders/1", "desk/1"), (*ALL, ("wait", 6), ("fire", 6)), inputs=14), 1, ttl_ms=900
    ),
    "messages": Family(Theme(("orders/1", "orders/2", "desk/1", "lost/1"), TALK, TELLING), 2),
    "timers": Family(Theme(("orders/1", "desk/1"), (*TALK, ("fire", 6)), SETTING), 1),
    # Timers keep an instance from expiring; those of one that is reset go with its state.
    "timers that expire": Family(
        Theme(("orders/1",), (*TALK, ("control", 4), ("wait", 6), ("fire", 6)), SETTING),
        1,
        ttl_ms=900,
    ),
}


def schedule_of(family: Family, data: bytes) -> Schedule:
    """Return a schedule that is ready to play."""
    agents: dict[str, SimAgent] = {
        "orders": ScriptedAgent(takes_all_or_nothing=bool(data[0] & 1)),
        "desk": ScriptedAgent(),
    }
    specs = {
        "orders": _spec("orders", 3, 4, ADVICE_DEAD_LETTER, family.window),
        "desk": _spec("desk", 2, 1, ADVICE_PARK, family.window),
    }
    for spec in specs.values():
        spec.policy.state_ttl_ms = family.ttl_ms
    world = World(
        agents,
        specs,
        topics={"shop": 2, "web": 1},
        skew_ms=(0, 0, 400, -400)[data[1] % 4],
        watch=wakes,
    )
    return Schedule(world, Choices(data[2:]), family.theme)


def _spec(name: str, attempts: int, batch: int, exhausted: int, window: int) -> AgentSpec:
    policy = Policy(
        deadline_ms=10_000,
        max_attempts=attempts,
        backoff_initial_ms=200,
        backoff_max_ms=5_000,
        backoff_multiplier=2.0,
        backoff_jitter=0.2,
        max_batch=batch,
        dedup_window_count=window,
        dedup_window_ms=600_000,
    )
    policy.on_exhausted = ADVICE_PARK if exhausted == ADVICE_PARK else ADVICE_DEAD_LETTER
    return AgentSpec(type=name, endpoints=["localhost:7070"], policy=policy)
