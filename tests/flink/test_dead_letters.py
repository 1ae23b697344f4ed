"""Dead letters on the running job: replayed once, for whom they were, and settled for good."""

from __future__ import annotations

import pytest

from headgate.cli.letters import NoLetterError
from headgate.kafka.letters import Settling, read_letters
from headgate.kafka.originals import Originals
from headgate.kafka.span import Spans
from headgate.v1.turn_pb2 import DeadLetter, ReplayedRecord, SettledLetter
from tests.flink.runtime import Runtime

pytestmark = [pytest.mark.flink, pytest.mark.slow]


def given_up(runtime: Runtime, key: str) -> str:
    """Have an event with the id "same" skipped; return the id of its dead letter."""
    runtime.headgate("instances", "park", f"mirror/{key}")
    place = runtime.send("events", key, {"n": "again"}, event_id=f"same-{key}")
    runtime.assert_unharmed()
    runtime.headgate("instances", "skip", f"mirror/{key}")
    return str(runtime.letter_at(place)["id"])


def listed(runtime: Runtime, *arguments: str) -> list[str]:
    return [each["id"] for each in runtime.headgate("dead-letters", "list", *arguments)]


def test_what_was_given_up_is_taken_once_when_it_is_replayed(runtime: Runtime) -> None:
    key = runtime.fresh()
    name = given_up(runtime, key)
    assert listed(runtime, "--address", f"mirror/{key}") == [name]
    said = runtime.headgate("dead-letters", "replay", name, "--dry-run")
    assert said == {"replayed": [name], "refused": {}, "dry_run": True}
    assert listed(runtime, name) == [name]
    # Its id is known as taken: only an identity of its own brings it through.
    assert runtime.headgate("dead-letters", "replay", name, "--why", "mended")["replayed"] == [name]
    [answer] = runtime.answers(key)
    assert answer["data"]["seen"] == {"n": "again"}
    assert listed(runtime, name) == []
    shown = runtime.headgate("dead-letters", "show", name)
    assert (shown["settled"]["fate"], shown["settled"]["why"]) == ("replayed", "mended")
    with pytest.raises(NoLetterError):
        runtime.headgate("dead-letters", "replay", name)
    runtime.assert_unharmed()
    assert len(runtime.answers(key)) == 1


def test_a_replay_that_comes_twice_is_one_event(runtime: Runtime) -> None:
    """A command that did not see the other's mark, as a zombie would be."""
    key = runtime.fresh()
    name = given_up(runtime, key)
    bootstrap, names = runtime.config.kafka.bootstrap, runtime.config.topic_names
    with Settling(bootstrap, names) as settling:
        record = original(runtime, name)
        assert settling.replay([record], reason="") == [name]
        assert settling.replay([record], reason="") == []
        settling._already.clear()
        assert settling.replay([record], reason="") == [name]
    runtime.answers(key)
    runtime.assert_unharmed()
    runtime.send("events", key, {"n": "last"})
    assert [each["data"]["seen"]["n"] for each in runtime.answers(key, 2)] == ["again", "last"]


def test_a_replay_that_was_killed_half_way_never_was(runtime: Runtime) -> None:
    key = runtime.fresh()
    name = given_up(runtime, key)
    bootstrap, names = runtime.config.kafka.bootstrap, runtime.config.topic_names
    killed = Settling(bootstrap, names)
    # All but the commit, as a kill would leave it.
    killed._transaction().__enter__()
    replaying = killed._producer
    killed._send_replay(original(runtime, name))
    killed._mark([name], SettledLetter.REPLAYED, "")
    replaying.flush()
    # The next command fences the first off, and does all of it.
    assert runtime.headgate("dead-letters", "replay", name)["replayed"] == [name]
    [answer] = runtime.answers(key)
    assert answer["data"]["seen"] == {"n": "again"}
    replaying.close(timeout=1)
    marks = [each.settled for each in read_letters(bootstrap, names) if each.letter.id == name]
    assert [mark is not None and mark.fate for mark in marks] == [SettledLetter.REPLAYED]


def test_what_was_for_nobody_goes_where_the_routes_lead_now(runtime: Runtime) -> None:
    """And is a dead letter of its own while they lead nowhere."""
    place = runtime.send("offers", runtime.fresh(), {"n": 1})
    first = runtime.letter_at(place)
    assert first["reason"] == "no_route"
    runtime.headgate("dead-letters", "replay", str(first["id"]))

    def again() -> str | None:
        topic = runtime.config.topic_names.inbox
        new = runtime.headgate("dead-letters", "list", "--reason", "no_route", "--topic", topic)
        return str(new[-1]["id"]) if new else None

    second = runtime.records.await_found(again, "the letter of the replay")
    said = runtime.headgate("dead-letters", "discard", second, "--why", "enough")
    assert said["discarded"] == [second]
    assert second not in listed(runtime, "--topic", runtime.config.topic_names.inbox)


def original(runtime: Runtime, name: str) -> ReplayedRecord:
    """The record that a dead letter is about."""
    bootstrap, names = runtime.config.kafka.bootstrap, runtime.config.topic_names
    letters: list[DeadLetter] = [each.letter for each in read_letters(bootstrap, names)]
    [letter] = [each for each in letters if each.id == name]
    with Spans(bootstrap, is_read_committed=False) as spans:
        found = Originals(spans, names).find(letter)
    assert isinstance(found, ReplayedRecord)
    return found
