"""From answers to outcomes: the contract enforced, sizes measured, failures disposed of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core import outcome as module
from headgate.core.outcome import failed_reply, fault_of, outcome_of
from headgate.core.retry import backoff_ms, disposition
from headgate.v1.agent_pb2 import (
    ADVICE_DEAD_LETTER,
    ADVICE_PARK,
    ADVICE_RETRY,
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_BAD_REPLY,
    FAILURE_CODE_DEADLINE_EXCEEDED,
    FAILURE_CODE_TERMINAL,
    FAILURE_CODE_TOO_LARGE,
    FAILURE_CODE_UNKNOWN_AGENT,
    Failure,
    Message,
    Mutation,
    Output,
    TimerChange,
    TurnReply,
    TurnRequest,
    Usage,
)
from headgate.v1.cost_pb2 import Price, Terms
from headgate.v1.turn_pb2 import Call, JournalRecord, Outcome
from tests.unit.core.build import event, policy

LIMIT = 100_000


def call(events: int = 3, attempt: int = 1, **changes: int) -> Call:
    """Return a call of some events."""
    request = TurnRequest(
        request_id=b"r",
        agent_type="orders",
        key="17",
        base=b"b" * 16,
        turn=4,
        attempt=attempt,
        events=[event(n) for n in range(events)],
    )
    return Call(request=request, endpoint="a:1", policy=policy(**changes))


def reply(asked: Call, taken: int | None = None, **fields: Any) -> TurnReply:
    """Return an answer that takes the first ``taken`` events, all by default."""
    ids = [each.id for each in asked.request.events]
    made = TurnReply(base=asked.request.base, taken_event_ids=ids[:taken], **fields)
    if made.WhichOneof("result") is None:
        made.completed.SetInParent()
    return made


def outcome(asked: Call, answer: TurnReply) -> Outcome:
    """Return the outcome that Invoke would journal."""
    return outcome_of(
        asked,
        answer,
        outcome_id=b"o" * 16,
        called_us=1,
        answered_us=2,
        max_record_bytes=LIMIT,
    )


def test_a_completed_turn() -> None:
    """Everything the journal needs to apply it without mailbox and agent."""
    asked = call()
    made = outcome(asked, reply(asked, mutations=[Mutation(name="n", set=b"1")]))
    assert made.HasField("completed")
    assert [ref.origin.offset for ref in made.taken] == [0, 1, 2]
    assert (made.base, made.turn, made.attempt) == (b"b" * 16, 4, 1)


def test_an_outcome_may_be_made_inside_the_record_that_journals_it() -> None:
    """The same as one made apart, without the copy."""
    asked = call()
    answer = reply(asked, outputs=[Output(type="t")], usage=[Usage(model="m")])
    record = JournalRecord()
    made = outcome_of(
        asked,
        answer,
        outcome_id=b"o" * 16,
        called_us=1,
        answered_us=2,
        max_record_bytes=LIMIT,
        into=record.outcome,
    )
    assert made == record.outcome == outcome(asked, answer)
    assert made.usage[0].model == "m"


def _no_result(asked: Call) -> TurnReply:
    answer = reply(asked)
    answer.ClearField("completed")
    return answer


def message(**changes: Any) -> Message:
    """Return a message that may be sent, but for the changes."""
    return Message(**{"agent_type": "desk", "key": "1", "type": "t", **changes})


GARBAGE: dict[str, Any] = {
    "wrong base": lambda asked: TurnReply(base=b"x" * 16, completed={}),
    "neither": _no_result,
    "ids missing": lambda asked: reply(asked, 2),
    "ids invented": lambda asked: TurnReply(
        base=asked.request.base, taken_event_ids=["?"], completed={}
    ),
    "fails taking all": lambda asked: reply(asked, failed=Failure()),
    "blames a taken one": lambda asked: reply(asked, 1, failed=Failure(event_id="shop/0/0")),
    "no name": lambda asked: reply(asked, mutations=[Mutation(set=b"1")]),
    "long name": lambda asked: reply(asked, mutations=[Mutation(name="n" * 256, set=b"1")]),
    "no change": lambda asked: reply(asked, mutations=[Mutation(name="n")]),
    "no type": lambda asked: reply(asked, outputs=[Output(data=b"{}")]),
    "reserved": lambda asked: reply(asked, outputs=[Output(type="t", extensions={"id": "1"})]),
    "odd extension": lambda asked: reply(asked, outputs=[Output(type="t", extensions={"A": ""})]),
    "not JSON": lambda asked: reply(asked, outputs=[Output(type="t", data=b"{nope")]),
    "NaN": lambda asked: reply(asked, outputs=[Output(type="t", data=b"NaN")]),
    "UTF-16": lambda asked: reply(
        asked, outputs=[Output(type="t", data='{"a":1}'.encode("utf-16"))]
    ),
    "BOM": lambda asked: reply(asked, outputs=[Output(type="t", data=b"\xef\xbb\xbf{}")]),
    "very deep": lambda asked: reply(asked, outputs=[Output(type="t", data=b"[" * 50_000)]),
    **{
        f"message: {what}": lambda asked, wrong=wrong: reply(
            asked, messages=[message(), message(**wrong)]
        )
        for what, wrong in {
            "no agent type": {"agent_type": ""},
            "odd agent type": {"agent_type": "A/b"},
            "no key": {"key": ""},
            "long key": {"key": "k" * 1_025},
            "no type": {"type": ""},
            "long type": {"type": "t" * 1_025},
            "a type of Headgate's": {"type": "headgate.signal"},
            "odd extension": {"extensions": {"A": ""}},
            "reserved": {"extensions": {"source": "me"}},
            "not JSON": {"data": b"{nope"},
        }.items()
    },
    **{
        f"timer: {what}": lambda asked, wrong=wrong: reply(asked, timers=[TimerChange(**wrong)])
        for what, wrong in {
            "no name": {"after_ms": 1},
            "long name": {"name": "n" * 256, "cancel": True},
            "no change": {"name": "n"},
            "before now": {"name": "n", "after_ms": -1},
            "after all": {"name": "n", "after_ms": 2**62},
            "before 1970": {"name": "n", "at_us": -1},
            "in the year 10000": {"name": "n", "at_us": 253_402_300_800_000_000},
            "not JSON": {"name": "n", "after_ms": 1, "data": b"NaN"},
        }.items()
    },
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_a_failed_turn(kind: str) -> None:
    """A reply that breaks the contract takes nothing and changes nothing."""
    asked = call()
    answer = GARBAGE[kind](asked)
    assert fault_of(asked.request, answer) or module._fault_of_data(answer)
    made = outcome(asked, answer)
    assert made.failed.code == FAILURE_CODE_BAD_REPLY
    assert not (made.taken or made.mutations or made.outputs)


TOO_LARGE: dict[str, Any] = {
    "value": {"mutations": [Mutation(name="n", append=b"x" * LIMIT)]},
    "output": {"outputs": [Output(type="t", data=b'"' + b"x" * LIMIT + b'"')]},
    "base64 grows": {
        "outputs": [Output(type="t", data=b"x" * 60_000, datacontenttype="image/png")]
    },
    "escapes grow": {"outputs": [Output(type="t", subject="\x01" * 20_000)]},
    "state": {"mutations": [Mutation(name="n", set=b"x" * 10_001)]},
    "message": {"messages": [message(data=b'"' + b"x" * LIMIT + b'"')]},
    "timer": {"timers": [TimerChange(name="n", after_ms=1, data=b'"' + b"x" * LIMIT + b'"')]},
}


@pytest.mark.parametrize("what", TOO_LARGE)
def test_what_no_sink_could_write_fails_the_turn(what: str) -> None:
    """Rule 12: found before it is journaled; alone, the event is given up."""
    asked = call(1)
    made = outcome(asked, reply(asked, **TOO_LARGE[what]))
    assert made.failed.code == FAILURE_CODE_TOO_LARGE
    assert made.failed.HasField("dead_letter")
    assert made.ByteSize() < LIMIT


def test_state_may_shrink_over_the_limit() -> None:
    """An instance over its limit can still put less in place of more."""
    asked = call(1)
    asked.state_bytes = 20_000
    asked.request.state.values["n"] = b"x" * 15_000
    made = outcome(asked, reply(asked, mutations=[Mutation(name="n", set=b"y" * 14_000)]))
    assert made.HasField("completed")


def test_messages_and_timers_are_journaled_with_what_caused_them() -> None:
    """A turn is dated no earlier than the messages and timers it took."""
    asked = call()
    asked.request.events[0].at_us, asked.request.events[1].at_us = 7, 5
    sent, timer = message(data=b"1", cause=1), TimerChange(name="n", after_ms=5, data=b"{}")
    made = outcome(asked, reply(asked, messages=[sent], timers=[timer]))
    assert (list(made.messages), list(made.timers)) == ([sent], [timer])
    assert made.caused_at_us == 7
    failed = outcome(asked, reply(asked, 0, failed=Failure(code=FAILURE_CODE_TERMINAL)))
    assert failed.failed.HasField("dead_letter") == (failed.caused_at_us == 7)


@pytest.mark.parametrize(
    ("revision", "taken", "is_refused"),
    [("v2", 3, False), ("v1", 3, True), ("", 3, True), ("v1", 1, True), ("v1", 0, False)],
)
def test_a_pinned_turn_is_of_its_revision_or_takes_nothing(
    revision: str, taken: int, is_refused: bool
) -> None:
    """An older service behind the same endpoint has no turn of a canary's."""
    asked = call()
    asked.request.revision_pin = "v2"
    failed = {} if taken == 3 else {"failed": Failure(message="no")}
    answer = reply(asked, taken, **failed)
    answer.revision = revision
    made = outcome(asked, answer)
    assert (made.failed.code == FAILURE_CODE_BAD_REPLY) == is_refused
    assert len(made.taken) == (0 if is_refused else taken)


def test_whole_lists_are_asked_for_once_and_cost_nothing() -> None:
    """Where they were sent already, it is a failure like any other."""
    asked = call(1)
    failure = Failure(message="older steps", wants_whole_lists=True)
    made = outcome(asked, reply(asked, 0, failed=failure))
    assert made.failed.wants_whole_lists
    assert not (made.failed.names_event or made.taken or made.failed.WhichOneof("disposition"))
    asked.whole_lists = True
    again = outcome(asked, reply(asked, 0, failed=failure))
    assert not again.failed.wants_whole_lists
    assert again.failed.names_event


def test_a_dead_letter_counts_towards_the_size() -> None:
    """A prefix that fits alone, with a dead letter that fits alone, may not fit together."""
    asked = call(2)
    asked.request.events[1].data = b"x" * 50_000
    failure = Failure(code=FAILURE_CODE_TERMINAL, event_id=asked.request.events[1].id)
    append = Mutation(name="n", append=b"x" * 9_000)
    many = [Output(type="t", data=b'"' + b"x" * 20_000 + b'"')]
    made = outcome(asked, reply(asked, 1, failed=failure, mutations=[append], outputs=many))
    assert made.ByteSize() < LIMIT
    assert made.failed.code == FAILURE_CODE_TOO_LARGE


def test_a_prefix_counts_and_the_rest_is_tried_again() -> None:
    """Rule 5: what succeeded before the failure stays; the blamed event has had its first try."""
    asked = call(3, attempt=3)
    blamed = asked.request.events[1]
    failure = Failure(code=FAILURE_CODE_AGENT_ERROR, event_id=blamed.id)
    made = outcome(asked, reply(asked, 1, failed=failure))
    assert [ref.origin.offset for ref in made.taken] == [0]
    assert made.failed.WhichOneof("disposition") == "retry_after_ms"
    assert (made.failed.batch, made.failed.blamed) == (2, blamed.fingerprint)


def test_a_prefix_that_leaves_one_event_names_it() -> None:
    """There is only one it can have been: no need to be told."""
    asked = call(2)
    made = outcome(asked, reply(asked, 1, failed=Failure()))
    assert made.failed.names_event
    assert made.failed.blamed == asked.request.events[1].fingerprint


def test_giving_up_takes_the_event_along() -> None:
    """The dead letter holds the event; the event is the last that the outcome takes."""
    asked = call(1, attempt=3)
    made = outcome(asked, failed_reply(asked.request, FAILURE_CODE_DEADLINE_EXCEEDED, "late"))
    assert [ref.origin.offset for ref in made.taken] == [0]
    letter = made.failed.dead_letter
    assert (letter.reason, letter.attempts) == ("deadline_exceeded", 3)
    assert letter.origin.offset == 0


SIZES = st.integers(0, 40) | st.integers(0, 3_000)


@settings(max_examples=300)
@given(
    data=SIZES,
    attribute=SIZES,
    change=SIZES,
    state=st.integers(0, 12_000),
    events=st.integers(1, 3),
    payload=st.integers(0, 6_000),
    media=st.sampled_from(["text/json", "image/png"]),
    fails=st.booleans(),
    room=st.integers(0, 9_000) | st.integers(0, 40_000),
)
def test_what_fits_easily_fits(
    *,
    data: int,
    attribute: int,
    change: int,
    state: int,
    events: int,
    payload: int,
    media: str,
    fails: bool,
    room: int,
) -> None:
    """The quick look at sizes never lets through what the exact one would stop."""
    asked = call(events)
    asked.state_bytes = state
    for each in asked.request.events:
        each.data = b"x" * payload
        each.id += "i" * (payload // 2)
    answer = reply(
        asked,
        events - 1 if fails else None,
        mutations=[Mutation(name="n", set=b"x" * change), Mutation(name="l", append=b"x" * change)],
        outputs=[
            Output(type="t", data=b"1" * data, datacontenttype=media, subject="\x01" * attribute)
        ],
        messages=[message(data=b"1" * data)],
        timers=[TimerChange(name="n", after_ms=1, data=b"1" * change)],
        **({"failed": Failure()} if fails else {}),
    )
    limit = module.ENVELOPE_BYTES + room
    if module._fits_easily(asked, answer, limit):
        assert module._too_large(asked, answer, limit) == ""


NAMED = "e"
ROWS: list[tuple[str, dict[str, Any], dict[str, int], int, int, tuple[int, int]]] = [
    ("first failure", {}, {}, 1, 1, (ADVICE_RETRY, 200)),
    ("backs off", {}, {}, 2, 1, (ADVICE_RETRY, 400)),
    ("exhausted", {}, {}, 3, 1, (ADVICE_DEAD_LETTER, 0)),
    ("exhausted, parks", {}, {"on_exhausted": ADVICE_PARK}, 3, 1, (ADVICE_PARK, 0)),
    ("asks for a delay", {"retry_after_ms": 9_000}, {}, 1, 1, (ADVICE_RETRY, 9_000)),
    ("asks to park", {"advice": ADVICE_PARK}, {}, 1, 1, (ADVICE_PARK, 0)),
    ("gives up", {"advice": ADVICE_DEAD_LETTER}, {}, 1, 1, (ADVICE_DEAD_LETTER, 0)),
    ("terminal", {"code": FAILURE_CODE_TERMINAL}, {}, 1, 1, (ADVICE_DEAD_LETTER, 0)),
    ("unknown", {"code": FAILURE_CODE_UNKNOWN_AGENT}, {}, 1, 1, (ADVICE_DEAD_LETTER, 0)),
    (
        "another revision is there for now",
        {"code": FAILURE_CODE_UNKNOWN_AGENT, "advice": ADVICE_RETRY},
        {},
        1,
        1,
        (ADVICE_RETRY, 200),
    ),
    (
        "another revision stays",
        {"code": FAILURE_CODE_UNKNOWN_AGENT, "advice": ADVICE_RETRY},
        {},
        3,
        1,
        (ADVICE_DEAD_LETTER, 0),
    ),
    ("no attempts set", {}, {"max_attempts": 0}, 1, 1, (ADVICE_DEAD_LETTER, 0)),
    ("nobody named", {"event_id": ""}, {}, 3, 4, (ADVICE_RETRY, 0)),
    (
        "nobody named, asks for a delay",
        {"event_id": "", "retry_after_ms": 9_000},
        {},
        1,
        4,
        (ADVICE_RETRY, 9_000),
    ),
    ("nobody named, park", {"event_id": "", "advice": ADVICE_PARK}, {}, 1, 4, (ADVICE_RETRY, 0)),
]


@pytest.mark.parametrize(
    ("failure", "changes", "attempt", "batch", "expected"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_dispositions(
    failure: dict[str, Any],
    changes: dict[str, int],
    attempt: int,
    batch: int,
    expected: tuple[int, int],
) -> None:
    """What becomes of a failure, by policy, attempt and failure alone."""
    told = Failure(**({"event_id": NAMED} | failure))
    made = disposition(policy(**changes), told, attempt=attempt, batch=batch, seed=bytes(16))
    assert made == expected


def test_backoff_has_a_bound_and_no_chance_of_its_own() -> None:
    """The seed decides the jitter, so a replay decides alike; large attempts do not overflow."""
    jittery = policy()
    jittery.backoff_jitter = 0.5
    assert backoff_ms(jittery, 1, b"\xff" * 8) == 100
    assert backoff_ms(jittery, 1, bytes(8)) == 200
    assert backoff_ms(policy(), 10_000, bytes(8)) == 1_000


def test_what_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing an answer of 50 MB would hold up every other turn of its Invoke."""

    def refuse(_: TurnReply) -> str:
        pytest.fail("it was parsed")

    asked = call()
    answer = reply(asked, outputs=[Output(type="t", data=b'"' + b"x" * LIMIT)])
    monkeypatch.setattr(module, "_fault_of_data", refuse)
    assert outcome(asked, answer).failed.code == FAILURE_CODE_TOO_LARGE


PRICED = Terms(
    currency="USD",
    prices=[Price(model="m", call_nanos=7), Price(agent="cheap", call_nanos=100)],
)


def priced(asked: Call, answer: TurnReply, called_us: int = 1) -> Outcome:
    """Return the outcome of a call that costs something."""
    return outcome_of(
        asked,
        answer,
        outcome_id=b"o" * 16,
        called_us=called_us,
        answered_us=2,
        max_record_bytes=LIMIT,
        terms=PRICED,
    )


def test_a_reply_that_is_no_good_was_paid_as_a_whole_and_little_of_it_is_kept() -> None:
    asked = call()
    usage = [Usage(model="m" * 300), *[Usage(model="m")] * (module.USAGES + 5)]
    made = priced(asked, reply(asked, usage=usage, mutations=[Mutation(name="")]))
    assert made.failed.code == FAILURE_CODE_BAD_REPLY
    assert made.cost_nanos == 7 * (module.USAGES + 5)
    assert [each.model for each in made.usage] == ["m"] * (module.USAGES - 1)


def test_what_nobody_called_cost_nothing_and_a_stand_in_costs_its_own_price() -> None:
    asked = call()
    asked.request.stand_in = "cheap"
    assert priced(asked, reply(asked)).cost_nanos == 100
    assert priced(asked, reply(asked), called_us=0).cost_nanos == 0


def test_an_answer_that_tells_of_a_million_uses_is_refused_and_not_priced_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_USAGES", 3)
    asked = call()
    assert priced(asked, reply(asked, usage=[Usage(model="m")] * 3)).cost_nanos == 21
    made = priced(asked, reply(asked, usage=[Usage(model="m")] * 4))
    assert made.failed.code == FAILURE_CODE_BAD_REPLY
    assert "4 times what it used; at most 3" in made.failed.message
    assert made.cost_nanos == 21
