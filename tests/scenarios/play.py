"""Plays a scenario in a world and holds the world to what is expected."""

from __future__ import annotations

from itertools import pairwise

from headgate.v1.agent_pb2 import ADVICE_DEAD_LETTER, ADVICE_PARK
from headgate.v1.turn_pb2 import Policy
from tests.scenarios.scenario import Operate, Scenario, ScenarioWorld, Send, Tell


def policy_of(scenario: Scenario) -> Policy:
    """Return the policy a scenario runs under: short delays, for real clocks' sake."""
    return Policy(
        deadline_ms=2_000,
        max_attempts=scenario.max_attempts,
        backoff_initial_ms=100,
        backoff_max_ms=1_000,
        backoff_multiplier=2.0,
        max_batch=scenario.max_batch,
        on_exhausted=ADVICE_PARK if scenario.parks else ADVICE_DEAD_LETTER,
        dedup_window_count=1_000,
        dedup_window_ms=600_000,
        log_window=100,
    )


def play(scenario: Scenario, world: ScenarioWorld) -> None:
    """Send everything, let the world hurt itself in between, and compare."""
    world.attach(policy_of(scenario))
    for step in scenario.steps:
        match step:
            case Send():
                world.send(step)
            case Tell():
                world.tell(step)
            case Operate():
                world.operate(step)
        world.hurt()
    for address, expected in scenario.expected.items():
        assert world.took(address, len(expected.took)) == expected.took, address
        assert world.dead(address) == expected.dead, address
        assert world.is_parked(address) == expected.is_parked, address
        sent = [
            *expected.took,
            *(step.id for step in scenario.steps if not isinstance(step, Operate)),
        ]
        outputs = world.outputs(address)
        told = [output["event"] for output in outputs]
        assert len(set(told)) == len(told), f"{address}: an output came twice"
        assert told[len(told) - len(expected.took) :] == list(expected.took), address
        assert set(told) <= set(sent), address
        # The agent counts in its state: each turn was given what the one before it had left.
        counts = [output["count"] for output in outputs[len(told) - len(expected.took) :]]
        assert counts == list(range(1, len(expected.took) + 1)), address
        turns = [record.outcome for record in world.history(address)]
        assert [turn.turn for turn in turns] == list(range(1, len(turns) + 1)), address
        for turn, following in pairwise(turns):
            stays = turn.failed.park and not following.HasField("controlled")
            assert not stays, f"{address}: a turn after the one that parked it"
