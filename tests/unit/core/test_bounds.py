"""Numbers and sizes beyond bounds are refused where they come in; applied, they end the job."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from headgate.core import asked
from headgate.core.bounds import LATEST_US, LONGEST_MS, fault_of_outcome, fault_of_policy
from headgate.core.decode import Decoded, Record, TopicRule, decode
from headgate.core.inbox import arrived
from headgate.core.letters import MESSAGE_CHARS, letter_for_record
from headgate.core.model import ControlArrived, Snapshot
from headgate.core.outcome import fault_of, outcome_of
from headgate.core.patterns import MOST_STARS, compile_pattern
from headgate.core.report import report
from headgate.kafka.outcomes import outcome_view
from headgate.kafka.specs import read_spec
from headgate.v1.agent_pb2 import (
    ADVICE_PARK,
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_BAD_REPLY,
    FAILURE_CODE_TOO_LARGE,
    Event,
    Mutation,
    Origin,
    TurnReply,
    TurnRequest,
)
from headgate.v1.turn_pb2 import (
    AgentSpec,
    Call,
    Control,
    Controlled,
    DeadLetter,
    InboxRecord,
    Outcome,
    Policy,
    StoredControl,
)

REQUEST = TurnRequest(base=b"b", attempt=1, events=[Event(id="e")])


@pytest.mark.parametrize("ms", [-1, -(2**63), LONGEST_MS + 1, 2**62])
def test_no_agent_asks_for_a_retry_in_another_age(ms: int) -> None:
    reply = TurnReply(base=b"b", failed={"retry_after_ms": ms})
    assert "retry_after is" in fault_of(REQUEST, reply)
    call = Call(request=REQUEST, policy=Policy(max_attempts=3))
    made = outcome_of(
        call, reply, outcome_id=b"o", called_us=0, answered_us=0, max_record_bytes=1_000_000
    )
    assert made.failed.code == FAILURE_CODE_BAD_REPLY
    assert fault_of_outcome(made) == ""


def test_the_longest_is_a_hundred_years() -> None:
    assert fault_of(REQUEST, TurnReply(base=b"b", failed={"retry_after_ms": LONGEST_MS})) == ""


def test_an_answer_of_a_million_nothings_is_refused() -> None:
    reply = TurnReply(base=b"b", completed={}, taken_event_ids=["e"])
    reply.ParseFromString(reply.SerializeToString() + b"\x32\x00" * 100_001)
    assert "100001 mutations" in fault_of(REQUEST, reply)


@pytest.mark.parametrize(
    ("outcome", "named"),
    [
        (Outcome(failed={"retry_after_ms": 2**62}), "retry_after"),
        (Outcome(caused_at_us=LATEST_US + 1), "caused_at"),
        (Outcome(caused_at_us=-1), "caused_at"),
        (Outcome(timers=[{"name": "t", "after_ms": 2**62}]), "timer t"),
        (Outcome(timers=[{"name": "t", "at_us": 2**62}]), "timer t"),
    ],
)
def test_a_journaled_outcome_that_cannot_be_applied_is_known_by_itself(
    outcome: Outcome, named: str
) -> None:
    assert named in fault_of_outcome(outcome)


def test_messages_and_requests_of_another_age_are_nothing_in_the_inbox() -> None:
    place = Origin(topic="inbox")
    message: dict[str, Any] = {"sender": "a/1", "turn": 1}
    for at_us in (10**18, 2**63 - 1, -1):
        assert arrived(InboxRecord(message={**message, "at_us": at_us}), place) is None
    assert arrived(InboxRecord(message={**message, "at_us": LATEST_US}), place) is not None
    event = asked.event_of(Event(id="a", type="t", at_us=2**63 - 1, has_id=False, fingerprint=b"x"))
    assert (event.at_us, event.has_id, len(event.fingerprint)) == (0, True, 16)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(backoff_jitter=math.nan),
        Policy(backoff_jitter=1.5),
        Policy(backoff_multiplier=math.inf),
        Policy(backoff_initial_ms=2**63 - 1),
        Policy(deadline_ms=-1),
    ],
)
def test_a_policy_that_nobody_can_go_by_is_no_agent(policy: Policy) -> None:
    assert fault_of_policy(policy)
    spec = AgentSpec(type="a", schema_version=1, policy=policy)
    assert "its policy's" in str(read_spec(b"a", spec.SerializeToString()))


def growing(*mutations: Mutation, state_bytes: int = 0, limit: int = 1_000) -> int:
    """Return the code with which a turn with these mutations fails, 0 if it does not."""
    call = Call(request=REQUEST, policy=Policy(max_state_bytes=limit), state_bytes=state_bytes)
    call.request.state.values["kept"] = b"x" * 100
    reply = TurnReply(base=b"b", taken_event_ids=["e"], completed={}, mutations=mutations)
    made = outcome_of(
        call, reply, outcome_id=b"o", called_us=0, answered_us=0, max_record_bytes=10_000_000
    )
    return made.failed.code


def test_a_states_names_count() -> None:
    names = [Mutation(name=f"{n:0200}", set=b"") for n in range(5)]
    assert growing(*names[:4]) == 0
    assert growing(*names, limit=999) == FAILURE_CODE_TOO_LARGE


def test_what_is_replaced_is_taken_off_once() -> None:
    again = [Mutation(name="kept", set=b"")] * 9
    large = Mutation(name="b", set=b"x" * 500)
    assert growing(*again, large, state_bytes=600) == FAILURE_CODE_TOO_LARGE
    assert growing(*again, large, state_bytes=599) == 0
    # One that is over the limit may still shrink.
    assert growing(Mutation(name="kept", delete=True), state_bytes=5_000) == 0


@pytest.mark.parametrize("text", ["shop.*-*-*-*-*-*-*-*.paid", "*-*-*-*-*-*-*-*x"])
def test_no_pattern_is_slow(text: str) -> None:
    regex = compile_pattern(text).regex
    began = time.process_time()
    for length in (1_000, 5_000):
        assert not regex.fullmatch("-" * length)
        assert not regex.fullmatch("shop." + "-" * length)
    # What backtracks takes longer than the world will be there.
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("text", "given", "fits"),
    [
        ("a*b*c.d", "axbxc.d", True),
        ("a*b*c.d", "axbxbxc.d", True),
        ("a*b*c.d", "abc.d", False),
        ("a*b*c.d", "axb.xc.d", False),
        ("*a*", "xay.z", True),
        ("*.*.c", "a.b.c", True),
        ("*.*.c", "a.c", False),
        ("a**b", "axb", False),
        ("a**b", "axyb", True),
    ],
)
def test_several_stars_in_a_segment(text: str, given: str, fits: bool) -> None:
    assert bool(compile_pattern(text).regex.fullmatch(given)) is fits


def test_nobody_writes_so_many_stars() -> None:
    compile_pattern("*" * MOST_STARS)
    with pytest.raises(ValueError, match="more than 16 stars"):
        compile_pattern("*" * (MOST_STARS + 1))


def test_a_letter_fits_whatever_headers_the_record_had() -> None:
    headers = {f"{n:05}": b"" for n in range(140_000)}
    letter = letter_for_record(
        reason="not_json", message="m", topic="t", partition=0, offset=1, timestamp_ms=2,
        key=b"k", value=b"nope", headers=headers,
    )  # fmt: skip
    assert letter.ByteSize() < 150_000
    assert letter.truncated
    assert letter.record_headers


def test_headers_count_as_the_record_does() -> None:
    rule = TopicRule("cloudevents", "record", "", 1_000)
    head = {"ce_specversion": b"1.0", "ce_id": b"1", "ce_source": b"s", "ce_type": b"t"}

    def read(more: int) -> Decoded | DeadLetter:
        return decode(Record("t", 0, 0, 0, b"k", b"1", {**head, "ce_x": b"x" * more}), rule)

    assert isinstance(read(900), Decoded)
    found = read(1_000)
    assert isinstance(found, DeadLetter)
    assert found.reason == "too_large"


def test_a_kind_of_failure_that_nobody_knows_is_the_agents() -> None:
    reply = TurnReply(base=b"b")
    reply.ParseFromString(reply.SerializeToString() + b"\x2a\x03\x08\xe7\x07")  # failed.code: 999
    assert reply.failed.code == 999
    call = Call(request=REQUEST, policy=Policy(max_attempts=1, on_exhausted=ADVICE_PARK))
    made = outcome_of(
        call, reply, outcome_id=b"o", called_us=0, answered_us=0, max_record_bytes=1_000_000
    )
    assert made.failed.code == FAILURE_CODE_AGENT_ERROR
    assert made.failed.park


def test_a_control_is_one_that_is_known_and_its_reason_fits_a_record() -> None:
    place = Origin(topic="inbox")
    long = arrived(
        InboxRecord(control=Control(control_id="c", verb=Controlled.CANCEL, reason="x" * 10**6)),
        place,
    )
    assert isinstance(long, ControlArrived)
    assert len(long.control.reason) == MESSAGE_CHARS
    unknown = InboxRecord.FromString(b"\x12\x05\x0a\x01c\x10\x63")
    assert unknown.control.verb == 99
    assert arrived(unknown, place) is None
    assert (
        arrived(InboxRecord(control=Control(control_id="c" * 2_000, verb=Controlled.CANCEL)), place)
        is None
    )


def test_a_report_fits_whatever_an_instance_holds() -> None:
    control = StoredControl(schema_version=1, mailbox_tail=1)
    for n in range(20_000):
        control.values[f"{n:0100}"] = 0
        control.timers[f"{n:0100}"].due_us = 1
    event = Event(id="e", type="t", extensions={"x": "y" * 5_000_000})
    items = {"m0": event.SerializeToString()}
    made = report(Snapshot("order/17", control, items), 0)
    assert made.ByteSize() < 700_000
    assert (made.truncated, made.waiting[0].id) == (True, "e")


def test_what_cannot_be_named_in_a_view_stays_a_number() -> None:
    outcome = Outcome(answered_us=2**62, controlled={})
    outcome.controlled.MergeFromString(b"\x08\x63")
    seen = outcome_view(outcome)
    assert (seen["control"]["verb"], seen["answered"]) == ("99", str(2**62))


def test_the_pause_before_a_retry_is_no_matter_of_chance() -> None:
    policy = Policy(
        max_attempts=3, backoff_initial_ms=1_000, backoff_max_ms=60_000, backoff_jitter=1.0
    )
    call = Call(request=REQUEST, policy=policy)
    pauses = set()
    for outcome_id in (b"one", b"two"):
        reply = TurnReply(base=b"b", failed={"message": "no"})
        made = outcome_of(
            call, reply, outcome_id=outcome_id, called_us=0, answered_us=0,
            max_record_bytes=1_000_000,
        )  # fmt: skip
        pauses.add(made.failed.retry_after_ms)
    assert len(pauses) == 1
    # Another instance, and another attempt, have another.
    other = Call(
        request=TurnRequest(base=b"other", attempt=1, events=REQUEST.events), policy=policy
    )
    reply = TurnReply(base=b"other", failed={"message": "no"})
    made = outcome_of(
        other, reply, outcome_id=b"one", called_us=0, answered_us=0, max_record_bytes=1_000_000
    )
    assert made.failed.retry_after_ms not in pauses
