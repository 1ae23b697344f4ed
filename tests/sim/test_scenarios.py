"""The shared scenarios, in memory: undisturbed, and with a fault after every step."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.sim.driver import settle
from headgate.sim.face import HeadgateSim
from headgate.sim.scripted import ScriptedAgent
from headgate.v1.turn_pb2 import HistoryRecord, Policy
from tests.scenarios.catalogue import SCENARIOS
from tests.scenarios.play import play
from tests.scenarios.scenario import Operate, Scenario, ScenarioWorld, Send, Tell


class SimWorld:
    """A scenario's world in memory. With a ``seed`` it breaks things, the same way each time."""

    def __init__(self, seed: int | None) -> None:
        self.sim = HeadgateSim()
        self._chance = None if seed is None else random.Random(seed)  # noqa: S311 - chosen faults

    def attach(self, policy: Policy) -> None:
        """Attach the scripted agent."""
        self.sim.attach(ScriptedAgent(), name="scripted", policy=policy)

    def send(self, step: Send) -> None:
        """Publish one event."""
        self.sim.send(step.address, "scripted", dict(step.script), id=step.id, source="scenario")

    def tell(self, step: Tell) -> None:
        """Send a signal."""
        script = {"as": step.id, **step.script}
        self.sim.signal(step.address, "scripted", script, id=step.id)

    def operate(self, step: Operate) -> None:
        """Come to rest, then send a control."""
        self.sim.run()
        self.sim.control(step.address, step.verb)

    def hurt(self) -> None:
        """Let some time pass, and break something."""
        if self._chance is None:
            return
        world = self.sim.world
        self.sim.advance(self._chance.choice((0, 0.01, 0.03, 0.5, 3)))
        match self._chance.randrange(7):
            case 0:
                world.checkpoint()
            case 1:
                world.crash()
            case 2:
                world.crash(self._chance.randrange(4))
            case 3:
                for zombie in world.zombies:
                    while zombie.running:
                        zombie.finish(next(iter(zombie.running)))
            case 4:
                world.lose = 2
            case 5:
                for life in range(len(world.strays)):
                    world.deliver_stray(life)

    def took(self, address: str, count: int) -> tuple[str, ...]:
        """Return the items of the list ``seen``."""
        settle(self.sim.world)
        seen = self.sim.state(address).get("seen", [])
        return tuple(seen)

    def outputs(self, address: str) -> list[Mapping[str, Any]]:
        """Return the data of committed outputs."""
        return [output.data for output in self.sim.outputs(address)]

    def history(self, address: str) -> list[HistoryRecord]:
        """Return the committed turns."""
        return self.sim.history(address)

    def dead(self, address: str) -> tuple[tuple[str, str], ...]:
        """Return event id and reason of dead letters."""
        letters = self.sim.dead_letters
        return tuple((x.event_id, x.reason) for x in letters if x.address == address)

    def is_parked(self, address: str) -> bool:
        """Tell whether the instance is parked."""
        return self.sim.is_parked(address)


@pytest.fixture(params=["sim", *(f"sim+faults {seed}" for seed in range(20))])
def world(request: pytest.FixtureRequest) -> ScenarioWorld:
    """Return a world in memory; worlds of real parts define a fixture of the same name."""
    _, _, seed = request.param.partition(" ")
    return SimWorld(int(seed) if seed else None)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario, world: ScenarioWorld) -> None:
    """The same sentences hold in every world."""
    play(scenario, world)
