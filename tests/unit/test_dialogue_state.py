"""The rules of dialogue state, one by one; and all of them on whole dialogues."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from headgate.demo import sgd
from headgate.sdk.testing import AgentTester

ROOT = Path(__file__).parents[2]
DATA = ROOT / "agents" / "dialogue_state" / "data"
# Read where it lies, never copied into the repository: it has a licence of its own.
REAL = ROOT.parent / "shared" / "data" / "sgd"

FERRY = "Ferries_1"


def act(text: str) -> dict[str, Any]:
    kind, _, rest = text.partition(" ")
    slot, has_value, value = rest.partition("=")
    if kind in {"INFORM_INTENT", "OFFER_INTENT"}:
        slot, has_value, value = "intent", "=", rest
    return {"act": kind, "slot": slot, "values": [value] if has_value else []}


def say(*acts: str, service: str = FERRY) -> dict[str, Any]:
    frame = {"service": service, "slots": [], "actions": [act(text) for text in acts]}
    return {"frames": [frame], "utterance": " ".join(acts)}


class Talk:
    """A dialogue with the agent, turn by turn."""

    def __init__(self) -> None:
        self.tester: AgentTester[Any] = AgentTester(sgd.load_agent())

    def turn(self, system: dict[str, Any] | None, user: dict[str, Any]) -> dict[str, Any]:
        data = {"dialogue_id": "d", "turn_index": 0, "services": [FERRY]}
        result = self.tester.send("d", sgd.EVENT_TYPE, data | {"system": system, "user": user})
        assert result.failure is None
        services: dict[str, Any] = result.outputs[0].data["services"]
        return services

    def values(self, system: dict[str, Any] | None, user: dict[str, Any]) -> dict[str, str]:
        values: dict[str, str] = self.turn(system, user)[FERRY]["slot_values"]
        return values


def test_inform_sets_and_replaces() -> None:
    talk = Talk()
    assert talk.values(None, say("INFORM day=Monday", "INFORM line=dontcare")) == {
        "day": "Monday",
        "line": "dontcare",
    }
    assert talk.values(None, say("INFORM day=Friday"))["day"] == "Friday"


def test_affirm_takes_what_is_held_open_also_from_earlier_turns() -> None:
    talk = Talk()
    talk.turn(None, say("INFORM day=the 3rd", "INFORM_INTENT BookFerry"))
    system = say("CONFIRM day=June 3rd", "CONFIRM passengers=1", "CONFIRM line=Blue")
    negated = talk.values(system, say("NEGATE", "INFORM passengers=2"))
    assert negated == {"day": "the 3rd", "passengers": "2"}
    affirmed = talk.values(say("CONFIRM passengers=2"), say("AFFIRM"))
    assert affirmed == {"day": "June 3rd", "passengers": "2", "line": "Blue"}


def test_another_intent_drops_what_was_held_open() -> None:
    talk = Talk()
    talk.turn(None, say("INFORM_INTENT BookFerry"))
    talk.turn(say("CONFIRM passengers=1"), say("INFORM_INTENT FindFerry"))
    assert talk.values(say("REQ_MORE"), say("AFFIRM")) == {}


def test_select_takes_goals_of_the_last_offer_but_no_results() -> None:
    talk = Talk()
    talk.turn(None, say("INFORM_INTENT FindFerry"))
    talk.turn(say("OFFER line=Blue", "OFFER fare=9"), say("REQUEST_ALTS"))
    talk.turn(say("OFFER line=Grey", "OFFER fare=8"), say("REQUEST arrives"))
    assert talk.values(say("INFORM arrives=noon"), say("SELECT")) == {"line": "Grey"}


def test_affirm_takes_an_offer_made_just_now_but_no_older_one() -> None:
    talk = Talk()
    talk.turn(None, say("INFORM_INTENT BookFerry", "INFORM day=Monday"))
    talk.turn(say("OFFER line=Blue"), say("REQUEST fare"))
    assert "line" not in talk.values(say("INFORM fare=9"), say("AFFIRM"))
    assert talk.values(say("NOTIFY_FAILURE", "OFFER day=Sunday"), say("AFFIRM"))["day"] == "Sunday"


@pytest.mark.parametrize(
    ("system", "user", "intent"),
    [
        ("", "INFORM_INTENT BookFerry", "BookFerry"),
        ("OFFER_INTENT BookFerry", "AFFIRM_INTENT", "BookFerry"),
        ("OFFER_INTENT BookFerry", "NEGATE_INTENT", "NONE"),
        ("REQ_MORE", "NEGATE", "NONE"),
        ("CONFIRM line=Blue", "NEGATE", "FindFerry"),
        ("REQ_MORE", "THANK_YOU", "FindFerry"),
        ("REQ_MORE", "AFFIRM_INTENT", "FindFerry"),
    ],
)
def test_the_active_intent(system: str, user: str, intent: str) -> None:
    talk = Talk()
    talk.turn(None, say("INFORM_INTENT FindFerry"))
    assert talk.turn(say(system), say(user))[FERRY]["active_intent"] == intent


def test_requested_slots_are_those_of_this_turn() -> None:
    talk = Talk()
    first = talk.turn(None, say("REQUEST fare", "REQUEST departs", "REQUEST fare"))
    assert first[FERRY]["requested_slots"] == ["departs", "fare"]
    assert talk.turn(None, say("THANK_YOU"))[FERRY]["requested_slots"] == []


def test_services_do_not_mix() -> None:
    talk = Talk()
    talk.turn(None, say("INFORM day=Monday"))
    told = talk.turn(say("CONFIRM line=Blue"), say("AFFIRM", service="Bakeries_1"))
    assert told[FERRY]["slot_values"] == {"day": "Monday"}
    assert told["Bakeries_1"]["slot_values"] == {}


def test_a_service_without_a_schema_takes_only_slots_it_has_heard_of() -> None:
    talk = Talk()
    talk.turn(None, say("INFORM seat=aisle", service="Trains_9"))
    offer = say("OFFER seat=window", "OFFER fare=9", service="Trains_9")
    told = talk.turn(offer, say("SELECT", service="Trains_9"))
    assert told["Trains_9"]["slot_values"] == {"seat": "window"}


@pytest.mark.parametrize(
    "data",
    [None, [], "x", {}, {"system": None}, {"system": None, "user": {"frames": [{"actions": []}]}}],
)
def test_data_of_another_form_is_given_up_and_changes_nothing(data: Any) -> None:
    tester: AgentTester[Any] = AgentTester(sgd.load_agent())
    result = tester.send("d", sgd.EVENT_TYPE, data)
    assert result.failure is not None
    assert result.failure.code == "TERMINAL"
    assert not result.reply.mutations


def test_the_transcript_is_appended_never_rewritten() -> None:
    dialogue = sgd.read_dialogues(DATA)[0]
    turns = sgd.run_sequentially([dialogue])[dialogue["dialogue_id"]]
    said = [turn["utterance"] for turn in dialogue["turns"]][:-1]  # the system's goodbye is no turn
    lines = [json.loads(line) for line in turns[-1].stored.logs["transcript"]]
    assert [line["utterance"] for line in lines] == said
    assert turns[-1].stored.values["turns"] == str(len(turns)).encode()
    for before, after in itertools.pairwise(turns):
        old = before.stored.logs["transcript"]
        assert after.stored.logs["transcript"][: len(old)] == old


def test_events_carry_every_user_turn_and_no_gold() -> None:
    for dialogue in sgd.read_dialogues(DATA):
        events = sgd.to_events(dialogue)
        assert "slot_values" not in json.dumps(events)
        assert [event["turn_index"] for event in events] == [
            index for index, turn in enumerate(dialogue["turns"]) if turn["speaker"] == "USER"
        ]
        assert events[0]["system"] is None
        assert events[1]["system"]["utterance"] == dialogue["turns"][1]["utterance"]


@pytest.mark.parametrize(
    ("predicted", "gold", "accuracy"),
    [
        ([{"S": {"a": "X"}}], [{"S": {"a": ["y", "x"]}}], 1.0),
        ([{"S": {"a": "z"}}], [{"S": {"a": ["y", "x"]}}], 0.0),
        ([{"S": {"a": "x", "b": "1"}}], [{"S": {"a": ["x"]}}], 0.0),
        ([{"S": {}}], [{"S": {"a": ["x"]}}], 0.0),
        ([{}], [{"S": {"a": ["x"]}}], 0.0),
        ([{"S": {"a": "x"}, "T": {"b": "1"}}], [{"S": {"a": ["x"]}}], 1.0),
        ([{"S": {"a": "x"}, "T": {"b": "1"}}], [{"S": {"a": ["x"]}, "T": {}}], 0.0),
        ([{"S": {}}, {"S": {"a": "1"}}], [{"S": {}}, {"S": {}}], 0.5),
        ([], [], 0.0),
    ],
)
def test_joint_goal_accuracy(predicted: Any, gold: Any, accuracy: float) -> None:
    assert sgd.joint_goal_accuracy(predicted, gold) == accuracy


def score(folder: Path) -> tuple[float, int]:
    dialogues = sgd.read_dialogues(folder)
    turns = sgd.run_sequentially(dialogues, folder / "schema.json")
    predicted = [
        sgd.predicted_state(turn.outputs[0].data)
        for dialogue in dialogues
        for turn in turns[dialogue["dialogue_id"]]
    ]
    gold = [state for dialogue in dialogues for state in sgd.gold_states(dialogue)]
    return sgd.joint_goal_accuracy(predicted, gold), len(gold)


def test_own_dialogues_are_tracked_without_a_mistake() -> None:
    assert score(DATA) == (1.0, 61)


@pytest.mark.skipif(not REAL.is_dir(), reason="the Schema-Guided Dialogue slice is not here")
def test_real_dialogues_are_tracked_nearly_without_a_mistake() -> None:
    accuracy, turns = score(REAL)
    assert turns == 2190
    assert accuracy > 0.99


def test_spans_and_slots_of_own_dialogues_fit_their_schema() -> None:
    schema = {
        service["service_name"]: {slot["name"]: slot for slot in service["slots"]}
        for service in json.loads((DATA / "schema.json").read_text())
    }
    for dialogue in sgd.read_dialogues(DATA):
        for turn in dialogue["turns"]:
            for frame in turn["frames"]:
                slots = schema[frame["service"]]
                named = {a["slot"] for a in frame["actions"]} - {"", "intent", "count"}
                assert named <= slots.keys()
                for span in frame["slots"]:
                    text = turn["utterance"][span["start"] : span["exclusive_end"]]
                    assert [text] in [a["values"] for a in frame["actions"]]
