"""Operators' verbs from the command line, on the running job."""

from __future__ import annotations

import pytest

from headgate.cli.control import NothingToDoError
from tests.flink.runtime import Runtime

pytestmark = [pytest.mark.flink, pytest.mark.slow]


def decide(runtime: Runtime, verb: str, key: str) -> int:
    """Run a command for an instance of the honest agent; return the turn that it made."""
    said = runtime.headgate("instances", verb, f"mirror/{key}", "--reason", "a test")
    assert said["verb"] == verb
    return int(said["turn"])


def test_a_parked_instance_waits_skips_and_goes_on(runtime: Runtime) -> None:
    key = runtime.fresh()
    runtime.send("events", key, {"n": 1})
    runtime.answers(key)
    assert decide(runtime, "park", key) == 2
    given_up = runtime.send("events", key, {"n": 2})
    runtime.send("events", key, {"n": 3})
    # Another's turn after these: they have come to Gate, and wait there.
    runtime.assert_unharmed()
    assert decide(runtime, "skip", key) == 3
    letter = runtime.letter_at(given_up)
    assert (letter["reason"], letter["address"]) == ("skipped", f"mirror/{key}")
    answers = runtime.answers(key, 2)
    assert [answer["data"]["seen"]["n"] for answer in answers] == [1, 3]
    assert decide(runtime, "park", key) == 5
    runtime.send("events", key, {"n": 4})
    assert decide(runtime, "resume", key) == 6
    assert runtime.answers(key, 3)[-1]["data"]["seen"]["n"] == 4
    runtime.assert_unharmed()


def test_reset_removes_state_and_turns_go_on_counting(runtime: Runtime) -> None:
    key = runtime.fresh()
    for expected in (1, 2):
        runtime.send("events", key, {})
        assert runtime.answers(key, expected)[-1]["data"]["count"] == expected
    assert decide(runtime, "reset", key) == 3
    runtime.send("events", key, {})
    answer = runtime.answers(key, 3)[-1]
    assert answer["data"]["count"] == 1
    assert answer["id"] == f"mirror/{key}/4/0"
    with pytest.raises(NothingToDoError, match="no turn in flight"):
        decide(runtime, "cancel", key)


def test_parked_instances_are_listed_until_they_go_on(runtime: Runtime) -> None:
    keys = [runtime.fresh() for _ in range(3)]
    for key in keys:
        decide(runtime, "park", key)
    listed = {each["address"]: each for each in parked(runtime)}
    for key in keys:
        assert (listed[f"mirror/{key}"]["turn"], listed[f"mirror/{key}"]["message"]) == (
            1,
            "a test",
        )
    decide(runtime, "resume", keys[0])
    decide(runtime, "reset", keys[1])
    left = {each["address"] for each in parked(runtime)} & {f"mirror/{key}" for key in keys}
    assert left == {f"mirror/{keys[2]}"}
    decide(runtime, "resume", keys[2])


def parked(runtime: Runtime) -> list[dict[str, object]]:
    return list(runtime.headgate("instances", "list", "--parked", "--agent", "mirror"))


def test_an_instance_is_described_as_it_is(runtime: Runtime) -> None:
    key = runtime.fresh()

    def described() -> dict[str, object]:
        return dict(runtime.headgate("instances", "describe", f"mirror/{key}"))

    assert described() == {"address": f"mirror/{key}", "status": "never was"}
    runtime.send("events", key, {"n": 1})
    runtime.answers(key)
    seen = described()
    assert (seen["status"], seen["turn"], seen["values"]) == ("idle", 1, {"count": 1})
    decide(runtime, "park", key)
    runtime.send("events", key, {"n": 2}, event_id=f"second-{key}", event_type="later")
    runtime.assert_unharmed()
    seen = described()
    assert (seen["status"], seen["turn"], seen["waiting"]) == ("parked", 2, 1)
    assert seen["events"] == [{"id": f"second-{key}", "type": "later", "source": "tests"}]
    decide(runtime, "resume", key)
    assert runtime.answers(key, 2)[-1]["data"]["count"] == 2
