"""The report: its sums are those of its instances, and it tells what was used."""

from __future__ import annotations

from typing import Any

from headgate.core.outcome import outcome_of
from headgate.replay.player import Player, Way, run
from headgate.replay.recorded import LeftOut
from headgate.replay.report import InstanceReport, Report
from headgate.sdk import Agent, Event, Turn
from headgate.sim.face import HeadgateSim
from headgate.sim.sdk import SdkAgent
from headgate.v1.agent_pb2 import TurnReply
from headgate.v1.turn_pb2 import Call, Outcome
from tests.unit.replay.past import policy, turns_of


def teller(revision: str, tokens: int) -> Agent[Any]:
    agent: Agent[Any] = Agent("teller", revision=revision)

    @agent.on("*")
    def tell(turn: Turn[Any], event: Event) -> None:
        turn.used(model="small", input_tokens=tokens)
        turn.emit("told", len(event.data) if tokens == 1 else 0)

    return agent


def test_sums_revisions_and_what_was_used(headgate_sim: HeadgateSim) -> None:
    headgate_sim.attach(teller("1", 10))
    for text in ("", "longer"):
        headgate_sim.send("teller/1", "tell", text)
        headgate_sim.run()
    asked = SdkAgent(teller("2", 1))

    def ask(call: Call) -> Outcome:
        reply = asked.answer(call.request)
        assert isinstance(reply, TurnReply)
        return outcome_of(
            call, reply, outcome_id=b"", called_us=0, answered_us=0, max_record_bytes=100_000
        )

    report, instance = Report(), InstanceReport("teller/1")
    report.instances.append(instance)
    player = Player(Way(policy()), carries=True)
    for turn in turns_of(headgate_sim, "teller/1"):
        report.take(instance, run(player.play(turn), ask))
    report.take(instance, LeftOut("teller/1", 3, "gone"))
    report.take(instance, None)
    seen = report.view()
    sums = {name: seen[name] for name in ("turns", "same", "different", "left_out")}
    assert sums == {"turns": 2, "same": 1, "different": 1, "left_out": 1}
    assert seen["revisions"] == {"recorded": ["1"], "replayed": ["2"]}
    assert seen["usage"] == {"recorded": {"input_tokens": 20}, "replayed": {"input_tokens": 2}}
    [shown] = seen["instances"]
    assert (shown["not_put"], shown["left_out"]) == (1, [{"turn": 3, "why": "gone"}])
    [differing] = shown["differing"]
    assert (differing["turn"], differing["events"][0]["type"]) == (2, "tell")
    assert str(instance.differing[0]) == (
        'teller/1 turn 2\n  output told: {"type": "told", "data": 0} -> {"type": "told", "data": 6}'
    )
