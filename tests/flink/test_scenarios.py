"""The shared scenarios on the embedded stack: undisturbed, and under SIGKILLs at seeded moments.

One cluster and one job. All scenarios play at once, each with an agent type of its own that is
served as a real gRPC service, once with `Turns` and once with `Turn` alone; a test says how one
ended.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from threading import Barrier
from typing import Any

import pytest

from headgate.sim.scripted import ScriptedAgent
from headgate.testing.stack import HeadgateStack
from headgate.v1.turn_pb2 import HistoryRecord, Policy
from tests.flink.kills import Kills
from tests.scenarios.catalogue import SCENARIOS
from tests.scenarios.play import play
from tests.scenarios.scenario import Operate, Scenario, Send, Tell

pytestmark = [pytest.mark.flink, pytest.mark.chaos, pytest.mark.slow]

WIRES = ("Turns", "Turn")
PLAYED = list(product(SCENARIOS, WIRES))
# Until the last agent is attached: the job knows its topics from its start on.
ATTACH_SECONDS = 60.0
# After a kill, before a scenario's next step: into the outage, and into the time after it.
PAUSES_SECONDS = (0.0, 0.01, 0.03, 0.5, 3.0)

Plays = Mapping[tuple[str, str], Future[None]]


class StackWorld:
    """A scenario's world on real parts: an agent type and keys of its own, beside all others."""

    def __init__(
        self, stack: HeadgateStack, agent: str, wire: str, prefix: str, everyone: Barrier
    ) -> None:
        self._stack, self._agent, self._wire, self._prefix = stack, agent, wire, prefix
        self._everyone = everyone
        self.hurt: Callable[[], None] = lambda: None

    def attach(self, policy: Policy) -> None:
        """Attach a scripted agent, and wait until every scenario has its own."""
        has_stream = self._wire == "Turns"
        self._stack.attach(ScriptedAgent(), name=self._agent, policy=policy, has_stream=has_stream)
        self._everyone.wait(ATTACH_SECONDS)

    def send(self, step: Send) -> None:
        """Publish one event."""
        self._stack.send(
            self._address(step.address),
            "scripted",
            self._placed(step.script),
            id=step.id,
            source="scenario",
        )

    def tell(self, step: Tell) -> None:
        """Send a signal."""
        script = {"as": step.id, **self._placed(step.script)}
        self._stack.signal(self._address(step.address), "scripted", script, id=step.id)

    def _placed(self, script: Mapping[str, Any]) -> dict[str, Any]:
        """Return a script whose addresses are of this play."""
        placed = dict(script)
        if "to" in placed:
            placed["to"] = self._address(placed["to"])
        if "say" in placed:
            placed["say"] = self._placed(placed["say"])
        return placed

    def operate(self, step: Operate) -> None:
        """Come to rest, then send a control and wait until it applied."""
        address = self._address(step.address)
        self._stack.history(address)
        self._stack.control(address, step.verb)

    def took(self, address: str, count: int) -> tuple[str, ...]:
        """Return the items of the list ``seen``."""
        own = self._address(address)

        def seen() -> tuple[str, ...]:
            return tuple(self._stack.state(own).get("seen", ()))

        if count > len(seen()):
            # Nobody waits for timers unless told to.
            self._stack.cluster.await_found(lambda: len(seen()) >= count, f"{count} in {own}")
        return seen()

    def outputs(self, address: str) -> list[Mapping[str, Any]]:
        """Return the data of committed outputs."""
        return [output.data for output in self._stack.outputs(self._address(address))]

    def history(self, address: str) -> list[HistoryRecord]:
        """Return the committed turns."""
        return self._stack.history(self._address(address))

    def dead(self, address: str) -> tuple[tuple[str, str], ...]:
        """Return event id and reason of dead letters."""
        letters = self._stack.letters(self._address(address))
        return tuple((letter.event_id, letter.reason) for letter in letters)

    def is_parked(self, address: str) -> bool:
        """Tell whether the instance is parked."""
        return self._stack.is_parked(self._address(address))

    def _address(self, address: str) -> str:
        return f"{self._agent}/{self._prefix}-{address.partition('/')[2]}"


def between(kills: Kills, steps: int, seed: str) -> Callable[[], None]:
    """Return a `hurt` that spreads a scenario's steps over all kills; the last look is after them.

    Others kill: this one waits for as many kills as the next step is to come after.
    """
    chance = random.Random(seed)  # noqa: S311 - chosen moments
    most = len(kills.plan)
    counts = iter([*sorted(chance.randint(0, most) for _ in range(steps - 1)), most])

    def hurt() -> None:
        kills.await_done(next(counts))
        time.sleep(chance.choice(PAUSES_SECONDS))

    return hurt


def play_all(stack: HeadgateStack, prefix: str, kills: Kills | None = None) -> Plays:
    """Play every scenario over every wire, all at once; return how each ended."""
    everyone = Barrier(len(PLAYED))
    plays: dict[tuple[str, str], Future[None]] = {}
    with ThreadPoolExecutor(len(PLAYED), "scenario") as pool:
        for number, (scenario, wire) in enumerate(PLAYED):
            agent = f"scripted-{number}"
            world = StackWorld(stack, agent, wire, prefix, everyone)
            if kills is not None:
                world.hurt = between(kills, len(scenario.steps), f"{kills.seed} {number}")
            plays[scenario.name, wire] = pool.submit(play, scenario, world)
    return plays


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadgateStack]:
    """Kafka and Flink; the job starts with the first event, when all agents are attached."""
    made = HeadgateStack(tmp_path_factory.mktemp("scenarios"))
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture(scope="module")
def undisturbed(stack: HeadgateStack) -> Plays:
    """All scenarios, played in peace."""
    plays = play_all(stack, "calm")
    cluster = stack.cluster
    assert cluster.stack.flink.rest.exceptions(cluster.job) == [], "no agent fails the job"
    return plays


@pytest.fixture(scope="module")
def under_kills(stack: HeadgateStack, undisturbed: Plays) -> Plays:
    """All scenarios again with other keys, while workers and TaskManagers die."""
    cluster = stack.cluster
    kills = Kills(cluster.stack, cluster.job, seed=7)
    kills.start()
    plays = play_all(stack, "killed", kills)
    kills.finish()
    assert cluster.stack.restarts() == {"taskmanager-0": len(kills.plan) // 2}
    assert len(cluster.stack.flink.rest.exceptions(cluster.job)) >= len(kills.plan)
    return plays


@pytest.fixture(params=["stack", "stack+kills"])
def plays(request: pytest.FixtureRequest) -> Plays:
    """Return what was played in a world of real parts."""
    world = {"stack": "undisturbed", "stack+kills": "under_kills"}[request.param]
    found: Plays = request.getfixturevalue(world)
    return found


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, wire: str, plays: Plays) -> None:
    """The same sentences hold in every world."""
    plays[scenario.name, wire].result()
