"""The demo's verifier must be able to fail: each wrong history is found, with address and event."""

import json
from copy import deepcopy
from typing import Any

import pytest

from headgate.demo.sgd import AGENT, EVENT_TYPE, load_agent, read_dialogues, run_sequentially
from headgate.demo.states import Expected, check_states
from headgate.demo.traffic import DemoEvent, interleaved
from headgate.demo.verify import Finding, Published, check_history, check_outbox
from headgate.sdk.testing import AgentTester
from headgate.v1.turn_pb2 import EventRef, HistoryRecord, Outcome

DIALOGUES = read_dialogues(AGENT.parent / "data")[:2]
KEY = DIALOGUES[0]["dialogue_id"]
ADDRESS = f"dialogue_state/{KEY}"

History = list[HistoryRecord]
Outbox = list[dict[str, Any]]


class Run:
    """What a faultless Headgate would leave behind, to be spoiled by a test."""

    def __init__(self, batch: int = 1) -> None:
        events = interleaved(DIALOGUES, seed=1)
        self.order: dict[str, list[str]] = {}
        self.history: History = []
        self.outbox: Outbox = []
        mailboxes: dict[str, list[DemoEvent]] = {}
        for event in events:
            self.order.setdefault(f"dialogue_state/{event.key}", []).append(event.id)
            mailboxes.setdefault(event.key, []).append(event)
        tester = AgentTester(load_agent())
        for key, waiting in mailboxes.items():
            turns = [waiting[at : at + batch] for at in range(0, len(waiting), batch)]
            for turn, taken in enumerate(turns, 1):
                self._take(tester, key, turn, taken)

    def _take(self, tester: AgentTester[Any], key: str, turn: int, taken: list[DemoEvent]) -> None:
        made = [tester.event(EVENT_TYPE, event.data, id=event.id) for event in taken]
        reply = tester.send_batch(key, made).reply
        outcome = Outcome(
            agent_type="dialogue_state",
            key=key,
            turn=turn,
            taken=[EventRef(id=event.id) for event in taken],
            mutations=reply.mutations,
        )
        outcome.completed.SetInParent()
        self.history.append(HistoryRecord(outcome=outcome))
        for index, output in enumerate(reply.outputs):
            self.outbox.append(
                {
                    "id": f"dialogue_state/{key}/{turn}/{index}",
                    "source": f"headgate:dialogue_state/{key}",
                    "type": output.type,
                    "causationid": taken[output.cause].id,
                    "data": json.loads(output.data),
                }
            )

    def expected(self) -> Expected:
        return {
            f"dialogue_state/{key}": [(f"{key}/{turn.turn_index}", turn) for turn in turns]
            for key, turns in run_sequentially(DIALOGUES).items()
        }

    def findings(self) -> list[Finding]:
        published = Published(self.order)
        return [
            *check_history(published, self.history),
            *check_outbox(published, self.outbox),
            *check_states(self.expected(), self.history, self.outbox).findings,
        ]

    def told(self) -> set[tuple[str, str, str]]:
        return {(f.kind, f.address, f.event) for f in self.findings()}

    def turns_of(self, key: str) -> list[HistoryRecord]:
        return [record for record in self.history if record.outcome.key == key]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_faultless_run_has_no_findings(batch: int) -> None:
    run = Run(batch)
    assert run.findings() == []
    check = check_states(run.expected(), run.history, run.outbox)
    count = sum(map(len, run.order.values()))
    assert (check.checked, check.equal) == (count, count)
    assert check.stored == len(run.history)
    assert (check.final, check.dialogues) == (2, 2)


def test_a_turn_that_the_history_lost() -> None:
    run = Run()
    lost = run.turns_of(KEY)[2]
    run.history.remove(lost)
    event = lost.outcome.taken[0].id
    assert ("lost", ADDRESS, event) in run.told()
    assert ("lost", ADDRESS, "turn 3") in run.told()
    # What builds on it is stored wrongly, and each of them is named.
    later = run.order[ADDRESS][3:]
    assert later
    assert {("state", ADDRESS, event) for event in later} <= run.told()


def test_the_last_turn_lost_is_lost_though_no_number_is_missing() -> None:
    run = Run()
    run.history.remove(run.turns_of(KEY)[-1])
    assert ("lost", ADDRESS, run.order[ADDRESS][-1]) in run.told()


def test_an_output_that_the_outbox_lost() -> None:
    run = Run()
    event = run.order[ADDRESS][1]
    run.outbox = [each for each in run.outbox if each["causationid"] != event]
    assert run.told() == {("lost", ADDRESS, event), ("state", ADDRESS, event)}


def test_an_event_in_two_turns() -> None:
    run = Run()
    again = deepcopy(run.turns_of(KEY)[1])
    again.outcome.turn = len(run.order[ADDRESS]) + 1
    run.history.append(again)
    assert ("duplicated", ADDRESS, run.order[ADDRESS][1]) in run.told()


def test_an_event_twice_in_one_turn() -> None:
    run = Run()
    taken = run.turns_of(KEY)[0].outcome.taken
    taken.append(taken[0])
    assert ("duplicated", ADDRESS, run.order[ADDRESS][0]) in run.told()


def test_a_turn_that_was_written_twice() -> None:
    run = Run()
    run.history.append(run.turns_of(KEY)[0])
    assert ("duplicated", ADDRESS, "turn 1") in run.told()
    assert ("duplicated", ADDRESS, run.order[ADDRESS][0]) in run.told()


def test_an_output_that_was_written_twice() -> None:
    run = Run()
    run.outbox.append(run.outbox[-1])
    cause = run.outbox[-1]["causationid"]
    address = run.outbox[-1]["source"].removeprefix("headgate:")
    assert run.told() == {("duplicated", address, cause)}


def test_outputs_of_two_events_with_one_id() -> None:
    run = Run()
    mine = [each for each in run.outbox if each["source"].endswith(ADDRESS)]
    mine[1]["id"] = mine[0]["id"]
    assert run.told() == {("duplicated", ADDRESS, mine[1]["causationid"])}


def test_two_outputs_of_two_turns_for_one_event() -> None:
    run = Run()
    mine = next(each for each in run.outbox if each["source"].endswith(ADDRESS))
    run.outbox.append({**mine, "id": f"{ADDRESS}/99/0"})
    assert ("duplicated", ADDRESS, mine["causationid"]) in run.told()


def test_events_of_a_dialogue_that_changed_places() -> None:
    run = Run()
    first, second = run.turns_of(KEY)[1].outcome, run.turns_of(KEY)[2].outcome
    first.taken[0].id, second.taken[0].id = second.taken[0].id, first.taken[0].id
    assert ("out_of_order", ADDRESS, run.order[ADDRESS][1]) in run.told()


def test_events_of_a_batch_that_changed_places() -> None:
    run = Run(batch=3)
    taken = run.turns_of(KEY)[0].outcome.taken
    taken[0].id, taken[1].id = taken[1].id, taken[0].id
    assert ("out_of_order", ADDRESS, run.order[ADDRESS][0]) in run.told()


def test_outputs_of_a_dialogue_that_changed_places() -> None:
    run = Run()
    mine = [at for at, each in enumerate(run.outbox) if each["source"].endswith(ADDRESS)]
    run.outbox[mine[0]], run.outbox[mine[1]] = run.outbox[mine[1]], run.outbox[mine[0]]
    assert run.told() == {("out_of_order", ADDRESS, run.order[ADDRESS][0])}


def test_turns_written_out_of_order() -> None:
    run = Run()
    turns = run.turns_of(KEY)
    run.history = [turns[1], turns[0], *turns[2:], *run.turns_of(DIALOGUES[1]["dialogue_id"])]
    assert ("out_of_order", ADDRESS, "turn 2") in run.told()


def test_a_stored_value_that_is_wrong() -> None:
    run = Run()
    last = run.turns_of(KEY)[-1].outcome
    next(m for m in last.mutations if m.name == "turns").set = b"99"
    assert run.told() == {("state", ADDRESS, run.order[ADDRESS][-1])}
    check = check_states(run.expected(), run.history, run.outbox)
    assert check.equal == check.checked - 1
    assert check.final == 1


def test_a_list_that_lacks_an_item() -> None:
    run = Run()
    last = run.turns_of(KEY)[-1].outcome
    del last.mutations[[m.name for m in last.mutations].index("transcript")]
    assert run.told() == {("state", ADDRESS, run.order[ADDRESS][-1])}


def test_an_answer_that_tells_a_wrong_state() -> None:
    run = Run(batch=3)
    # In the middle of a batch: the stored state after the turn does not show it.
    output = next(each for each in run.outbox if each["causationid"] == run.order[ADDRESS][0])
    output["data"] = {**output["data"], "turns": 99}
    assert run.told() == {("state", ADDRESS, run.order[ADDRESS][0])}


def test_an_event_that_was_given_up_is_lost_and_says_why() -> None:
    run = Run()
    outcome = run.turns_of(KEY)[-1].outcome
    outcome.failed.message = "no answer within 5 s"
    outcome.failed.dead_letter.reason = "deadline_exceeded"
    lost = [each for each in run.findings() if each.kind == "lost"]
    assert [each.event for each in lost] == [run.order[ADDRESS][-1]]
    assert "no answer within 5 s" in str(lost[0])


def test_an_event_that_nobody_sent() -> None:
    run = Run()
    stranger = deepcopy(run.turns_of(KEY)[-1])
    stranger.outcome.turn += 1
    stranger.outcome.taken[0].id = "from nowhere"
    run.history.append(stranger)
    assert ("duplicated", ADDRESS, "from nowhere") in run.told()
