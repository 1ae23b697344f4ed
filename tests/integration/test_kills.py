"""Kills under load, judged by the demo's verifier: every event in exactly one turn, in order, every
state that of a plain run, and no outcome paid for twice.
"""

from __future__ import annotations

import pytest

from headgate.demo.kills import Kill, Victim
from headgate.demo.play import Score, play
from headgate.demo.report import Report
from headgate.demo.stage import Stage
from tests.integration.dialogues import DIALOGUES, RATE

pytestmark = [pytest.mark.flink, pytest.mark.chaos, pytest.mark.slow]


def played(stage: Stage, name: str, *kills: Kill) -> Report:
    """Play under kills; each run has dialogues of its own."""
    report = play(stage, Score(DIALOGUES, seed=7, rate=RATE, kills=kills, run=f"-{name}"))
    assert report.complaints() == []
    assert report.verified, report.to_json()
    assert [outage.kind for outage in report.outages] == [kill.victim for kill in kills]
    return report


@pytest.mark.parametrize("victim", list(Victim))
def test_a_kill_under_load_loses_and_doubles_nothing(stage: Stage, victim: Victim) -> None:
    played(stage, victim, Kill(victim, 2.0))


def test_kills_one_after_the_other(stage: Stage) -> None:
    kills = [
        Kill(Victim.WORKER, 1.0),
        Kill(Victim.TASKMANAGER, 2.0),
        Kill(Victim.AGENT, 3.0),
        Kill(Victim.KAFKA, 4.0),
        Kill(Victim.TASKMANAGER, 5.0),
    ]
    before = stage.stack.restarts()
    report = played(stage, "all", *kills)
    after = stage.stack.restarts()
    assert after["agent-dialogue_state"] == before["agent-dialogue_state"] + 1
    task_managers = [name for name in after if name.startswith("taskmanager-")]
    assert sum(after[name] - before[name] for name in task_managers) >= 2
    # The traffic ran through all of it: something was in flight when each of them struck.
    assert all(outage.seconds > 0 for outage in report.outages)
