"""The step, rule by rule; what is not allowed leaves everything as it was."""

from __future__ import annotations

from itertools import pairwise

import pytest

from headgate.core.dispatch import (
    RESEND_AT_MOST_MS,
    RESEND_FIRST_MS,
    UNKNOWN_AGENT_WAIT_MS,
    rests_until,
)
from headgate.core.identity import genesis_base, next_base
from headgate.core.instance import KEPT_EVENT_BYTES, KEPT_VALUE_BYTES
from headgate.core.machine import COMPACTED_EVERY_TURNS, step
from headgate.core.model import (
    DeadLettered,
    Emit,
    EventArrived,
    OutcomeRead,
    RecordHistory,
    SendRequest,
    Snapshot,
    Surroundings,
)
from headgate.v1.agent_pb2 import FAILURE_CODE_AGENT_ERROR, Mutation, Output
from headgate.v1.connection_pb2 import Service
from headgate.v1.turn_pb2 import (
    AgentSpec,
    Call,
    Controlled,
    HistoryRecord,
    InFlight,
    InvokeRequest,
    Outcome,
    StoredControl,
)
from tests.unit.core.build import (
    ADDRESS,
    NOW_MS,
    Host,
    call_of,
    completed,
    decision_of,
    event,
    failed,
    policy,
)


def test_the_first_event_makes_a_request() -> None:
    """Rule 1: address, base, turn, attempt, events; and a wake-up to send it again."""
    host = Host()
    made = host.arrive(event(0))
    request = call_of(made).request
    assert request.base == genesis_base(ADDRESS)
    assert (request.turn, request.attempt, len(request.events)) == (1, 1, 1)
    assert made.set_timer_ms == NOW_MS + RESEND_FIRST_MS


def test_what_arrives_meanwhile_joins_the_next_batch() -> None:
    """Rule 5: one turn at a time, at most ``max_batch`` events."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    assert host.arrive(*[event(n) for n in range(1, 7)]).effects == []
    batch = call_of(host.read(completed(call)))
    assert [each.origin.offset for each in batch.request.events] == [1, 2, 3, 4]
    assert batch.request.turn == 2


def test_applying_moves_base_turn_and_time() -> None:
    """Rule 3: base' = H(base, outcome id); outputs and history leave; time never stands still."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    outcome = completed(call)
    outcome.mutations.append(Mutation(name="n", set=b"1"))
    outcome.mutations.append(Mutation(name="list", append=b"x"))
    outcome.outputs.append(Output(type="o", data=b"{}"))
    made = host.read(outcome, appended_ms=NOW_MS - 5_000)
    kinds = [type(effect) for effect in made.effects]
    assert kinds == [Emit, RecordHistory]
    state = host.state
    assert state.base == next_base(genesis_base(ADDRESS), outcome.outcome_id)
    assert (state.turn, state.at_us) == (1, (NOW_MS - 5_000) * 1000)
    assert host.stored_items["vn"] == b"1"
    assert state.logs["list"].length == 1
    record = HistoryRecord.FromString(
        next(e.value for e in made.effects if isinstance(e, RecordHistory))
    )
    assert record.outcome == outcome
    call = call_of(host.arrive(event(1)))
    host.read(completed(call, 2), appended_ms=0)
    assert host.state.at_us == (NOW_MS - 5_000) * 1000 + 1


def test_a_host_that_keeps_the_control_record_gets_a_new_one_now_and_then() -> None:
    """A message that lives on holds all that it ever held: 400 bytes more with every turn."""
    around = Surroundings(NOW_MS, AgentSpec(type="orders", policy=policy()))
    items: dict[str, bytes] = {}
    control: StoredControl | None = None
    kept: list[StoredControl] = []
    for turn in range(COMPACTED_EVERY_TURNS + 1):
        made = step(Snapshot(ADDRESS, control, items), EventArrived(event(turn)), around)
        read = OutcomeRead(completed(call_of(made), turn + 1), b"", NOW_MS, 0, turn)
        made = step(Snapshot(ADDRESS, made.control, items), read, around)
        assert made.control is not None
        control = made.control
        kept += [control] if not any(control is each for each in kept) else []
    assert len(kept) == 2
    assert control is not None and control.turn == COMPACTED_EVERY_TURNS + 1


def test_the_call_is_a_part_of_the_request_to_send() -> None:
    """A host that sends ``raw_request`` sends the call: made once, not copied."""
    made = Host().arrive(event(0))
    (request,) = [effect for effect in made.effects if isinstance(effect, SendRequest)]
    assert request.raw_request is not None
    assert request.raw_request == InvokeRequest(call=request.call)


@pytest.mark.parametrize("fault", ["late", "unknown base", "duplicate", "no base"])
def test_an_outcome_on_another_base_changes_nothing(fault: str) -> None:
    """Rule 3: base differs, drop it, whatever it says."""
    host = Host()
    call = call_of(host.arrive(event(0, event_id="a")))
    host.arrive(event(1, event_id="b"))
    applied = completed(call)
    host.read(applied)
    before = host.frozen()
    wrong = Outcome()
    wrong.CopyFrom(applied)
    wrong.mutations.append(Mutation(name="n", set=b"1"))
    if fault == "late":
        wrong.outcome_id = bytes(16)
    elif fault == "unknown base":
        wrong.base = b"\x07" * 16
    elif fault == "no base":
        wrong.base = b""
    made = host.read(wrong)
    assert (made.note, made.control, made.effects) == ("too_late", None, [])
    assert host.frozen() == before


def test_a_repeat_is_dropped_wherever_the_first_is() -> None:
    """Rule 4: in the mailbox, in flight, in the window."""
    host = Host()
    first = event(0, event_id="a")
    call = call_of(host.arrive(first))
    assert host.arrive(event(1, event_id="a")).note == "duplicate"
    host.read(completed(call))
    assert host.arrive(event(2, event_id="a", partition=1)).note == "duplicate"
    assert host.state.mailbox_tail == 1


def test_without_an_id_every_record_is_an_event() -> None:
    """Rule 4: a producer that repeats an event without an id sends two."""
    host = Host()
    host.arrive(event(0), event(1))
    assert host.state.mailbox_tail == 2


def test_the_window_forgets_by_count_but_never_the_last_turn() -> None:
    """Rule 4: a bound that one batch alone exceeds still knows that batch."""
    host = Host()
    assert host.spec is not None
    host.spec.policy.dedup_window_count = 1
    for number in range(3):
        call = call_of(host.arrive(event(number, event_id=f"e{number}")))
        host.read(completed(call, number + 1))
    assert host.arrive(event(3, event_id="e2")).note == "duplicate"
    assert host.arrive(event(4, event_id="e0")).note == "joined"


def test_an_event_taken_before_it_arrives_is_dropped_when_it_does() -> None:
    """Rule 3: ``ahead``, with and without an id; its repeat is a repeat."""
    donor = Host()
    donor.arrive(event(0, event_id="a"), event(1), event(2, event_id="c"))
    first = completed(call_of(Host().arrive(event(0, event_id="a"))))
    second_call = call_of(donor.read(first))
    second = completed(second_call, 2)
    host = Host()
    host.read(first)
    host.read(second)
    assert host.state.turn == 2
    for each in (event(0, event_id="a"), event(1), event(2, event_id="c")):
        assert host.arrive(each).note == "duplicate"
    assert host.arrive(event(3, event_id="c")).note == "duplicate"
    assert host.state.ahead_head == host.state.ahead_tail == 3
    assert not [name for name in host.stored_items if name[0] in "am"]


def test_two_records_of_one_id_taken_ahead_are_both_dropped() -> None:
    """A repeat so late that it was a new event: two turns took it, so two records are to go."""
    call = call_of(Host().arrive(event(0, event_id="a")))
    first = completed(call)
    host = Host()
    host.read(first)
    second = completed(call, 2)
    second.base = host.state.base
    second.taken[0].origin.offset = 5
    host.read(second)
    assert host.spec is not None
    host.spec.policy.dedup_window_count = 1
    assert host.arrive(event(0, event_id="a")).note == "duplicate"
    for number in range(3):
        again = call_of(host.arrive(event(number, event_id=f"x{number}", partition=1)))
        host.read(completed(again, 3 + number))
    assert host.arrive(event(5, event_id="a")).note == "duplicate"


def test_a_replay_behind_the_journal_forgets_nothing() -> None:
    """The repeats that the window is kept for are yet to be read again."""
    host = Host()
    assert host.spec is not None
    host.spec.policy.dedup_window_count = 1
    call = call_of(host.arrive(event(0, event_id="a")))
    outcome = completed(call)
    host.read(outcome)
    for number in range(1, 4):
        later = completed(call, number + 1)
        later.base = host.state.base
        ahead = event(number, event_id=f"x{number}", partition=1)
        later.taken[0].fingerprint = ahead.fingerprint
        later.taken[0].origin.CopyFrom(ahead.origin)
        host.read(later)
    assert host.arrive(event(9, event_id="a")).note == "duplicate"


def test_a_zombie_with_another_batch_takes_what_it_names() -> None:
    """In flight is one composition, the journal has another: the journal's counts."""
    zombie = call_of(Host().arrive(event(0, partition=1)))
    host = Host()
    host.arrive(event(0), event(0, partition=1), event(1))
    made = host.read(completed(zombie))
    left = call_of(made).request.events
    places = [(each.origin.partition, each.origin.offset) for each in left]
    assert places == [(0, 0), (0, 1)]


def test_a_named_failure_charges_that_event_and_no_other() -> None:
    """Rule 5: after a replay another event may stand at the head; it has its own count."""
    blamed = event(0, partition=1)
    failing = failed(call_of(Host().arrive(blamed)), retry_after_ms=500)
    host = Host()
    host.arrive(event(0), blamed)
    host.read(failing)
    host.now_ms += 500
    call = call_of(host.fire())
    assert call.request.events[0].origin.partition == 0
    assert call.request.attempt == 1
    assert host.state.attempts == 1
    host.now_ms += 1
    assert call_of(host.read(completed(call, 2, take=1))).request.attempt == 2


def test_a_failure_waits_and_counts() -> None:
    """Not before retry_after of the outcome's time; then attempt 2."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    made = host.read(failed(call, retry_after_ms=700))
    assert made.wake_ms == NOW_MS + 700
    assert [type(effect) for effect in made.effects] == [RecordHistory]
    host.now_ms += 699
    assert host.fire().effects == []
    host.now_ms += 1
    assert call_of(host.fire()).request.attempt == 2


def test_a_failure_that_names_no_event_is_tried_one_by_one() -> None:
    """Rule 5: nobody is charged; batches come back when the suspects are through."""
    host = Host()
    first = call_of(host.arrive(event(0)))
    host.arrive(*[event(n) for n in range(1, 7)])
    batch = call_of(host.read(completed(first)))
    single = call_of(host.read(failed(batch, 2, blames=False)))
    sizes = []
    for number in range(3, 8):
        sizes.append((len(single.request.events), single.request.attempt))
        made = host.read(completed(single, number))
        if not host.state.HasField("in_flight"):
            break
        single = call_of(made)
    assert sizes == [(1, 1)] * 4 + [(2, 1)]


def test_a_parked_instance_waits_for_an_operator() -> None:
    """Nothing is sent and nothing pending; resuming starts from attempt 1."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    made = host.read(failed(call, park=True))
    assert (made.wake_ms, host.state.parked) == (0, True)
    assert host.arrive(event(1)).effects == []
    decided = decision_of(host.wish(Controlled.RESUME))
    made = host.read(decided)
    assert call_of(made).request.attempt == 1
    assert not host.state.parked
    assert list(host.state.pending_controls) == []


def test_a_step_says_whom_it_parks_and_lets_go_on_and_says_it_once() -> None:
    """Who is parked is counted by it; an operator may park twice, or resume what never was."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    said = [host.read(failed(call, park=True)).parked_by]
    for number, verb in enumerate(
        (Controlled.PARK, Controlled.RESUME, Controlled.RESET, Controlled.PARK, Controlled.RESET)
    ):
        said.append(host.read(decision_of(host.wish(verb, f"c{number}"))).parked_by)
    assert said == [1, 0, -1, 0, 1, -1]
    # A late one applies no more.
    assert host.read(failed(call, park=True)).parked_by == 0
    assert host.arrive(event(1)).parked_by == 0


def test_a_resume_does_not_outrun_the_turn_in_flight() -> None:
    """A base of its own would make the answer too late, and the call would be paid for again."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    assert host.wish(Controlled.RESUME).effects == []
    made = host.read(completed(call))
    assert host.state.turn == 1
    assert decision_of(made).controlled.verb == Controlled.RESUME
    # A cancel is there to outrun it.
    host = Host()
    host.arrive(event(0))
    assert decision_of(host.wish(Controlled.CANCEL)).controlled.verb == Controlled.CANCEL


def test_skip_gives_the_head_up_once() -> None:
    """An operator's skip is a turn: dead letter, new base, and a repeat of it is a repeat."""
    host = Host()
    host.read(failed(call_of(host.arrive(event(0))), park=True))
    decided = decision_of(host.wish(Controlled.SKIP))
    before = decided.SerializeToString()
    made = host.read(decided)
    (letter,) = [e.letter for e in made.effects if isinstance(e, DeadLettered)]
    assert (letter.id, letter.reason) == (f"{ADDRESS}/2", "skipped")
    assert decided.SerializeToString() == before, "a step must not change its input"
    assert host.wish(Controlled.SKIP).note == "duplicate"
    assert host.state.mailbox_head == host.state.mailbox_tail


def test_a_control_that_lost_the_race_is_tried_on_the_next_base() -> None:
    """Rule 2: journaled against a base like any turn."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    late = decision_of(host.wish(Controlled.RESET))
    again = decision_of(host.read(completed(call)))
    assert again.base != late.base
    assert host.read(late).note == "too_late"
    host.read(again)
    assert list(host.state.controls) == ["c1"]
    assert host.read(again).note == "too_late"


def test_cancel_takes_the_turn_back_and_tries_again() -> None:
    """The answer in flight comes too late; the event keeps its attempts."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    again = call_of(host.read(decision_of(host.wish(Controlled.CANCEL))))
    assert again.request.base != call.request.base
    assert again.request.attempt == 1
    assert host.read(completed(call)).note == "too_late"


def test_reset_leaves_a_tombstone() -> None:
    """Rule 3: values and lists go; base, turn and time go on."""
    host = Host()
    outcome = completed(call_of(host.arrive(event(0))))
    outcome.mutations.append(Mutation(name="n", set=b"1"))
    outcome.mutations.append(Mutation(name="list", append=b"x"))
    host.read(outcome)
    at_us = host.state.at_us
    host.read(decision_of(host.wish(Controlled.RESET)))
    assert not [name for name in host.stored_items if name[0] in "vl"]
    assert host.state.turn == 2
    assert host.state.at_us > at_us


def test_a_verb_of_a_newer_version_only_moves_the_base() -> None:
    """The journal may hold what this version does not know; it must not stop the job."""
    host = Host()
    decided = decision_of(host.wish(Controlled.PARK))
    raw = decided.SerializeToString()
    unknown = Outcome.FromString(raw)
    unknown.controlled.verb = 99  # type: ignore[assignment]
    assert host.read(unknown).note == "applied"
    assert not host.state.parked


def test_re_sends_grow_apart() -> None:
    """Rule 6: after a second, then at steps of the age or half of it, at most 30 s apart; the same
    request each time."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    assert host.state.wake_ms == NOW_MS + RESEND_FIRST_MS
    for _ in range(12):
        host.now_ms = host.state.wake_ms
        assert call_of(host.fire()).request == call.request
        age, step = host.now_ms - NOW_MS, host.state.wake_ms - host.now_ms
        assert min(age, RESEND_AT_MOST_MS) / 2 <= step <= min(age, RESEND_AT_MOST_MS)
    assert step >= RESEND_AT_MOST_MS / 2


def test_what_was_sent_together_is_not_sent_again_together() -> None:
    """Rule 6: a full queue drops many at once, and has room for some of them at any time."""
    wakes = []
    for number in range(200):
        sent = InFlight(sent_ms=NOW_MS, promise=b"p")
        control = StoredControl(base=genesis_base(f"orders/{number}"), in_flight=sent)
        wake_ms = NOW_MS + RESEND_FIRST_MS
        while wake_ms < NOW_MS + 60_000:
            wake_ms = rests_until(control, Surroundings(wake_ms, None, promise=b"p"))
        wakes.append(wake_ms)
    wakes.sort()
    assert wakes[-1] - wakes[0] > RESEND_AT_MOST_MS / 2
    assert max(later - earlier for earlier, later in pairwise(wakes)) < 2_000


def test_nobody_is_asked_while_the_registry_is_unread() -> None:
    """Rule 15, for new requests and for those in flight when a checkpoint was restored."""
    host = Host(spec=None, registry_complete=False)
    made = host.arrive(event(0))
    assert (made.effects, made.wake_ms) == ([], NOW_MS + UNKNOWN_AGENT_WAIT_MS)
    host = Host()
    host.arrive(event(0))
    host.spec, host.registry_complete = None, False
    host.now_ms += RESEND_FIRST_MS
    made = host.fire()
    assert (made.effects, made.wake_ms) == ([], host.now_ms + UNKNOWN_AGENT_WAIT_MS)
    host.registry_complete = True
    host.now_ms += UNKNOWN_AGENT_WAIT_MS
    assert call_of(host.fire()).endpoint == ""


def test_a_paused_agent_is_looked_at_again() -> None:
    """Rule 6: something waits, so a wake-up is pending; nobody else will tell the instance."""
    host = Host()
    assert host.spec is not None
    host.spec.paused = True
    made = host.arrive(event(0))
    assert (made.effects, made.wake_ms) == ([], NOW_MS + RESEND_AT_MOST_MS)
    host.spec.paused = False
    host.now_ms += RESEND_AT_MOST_MS
    assert call_of(host.fire()).request.turn == 1


def test_a_pause_is_no_longer_where_the_clock_was_put_back() -> None:
    """The instance is dated an hour ahead; it waits for the three seconds that it was told to."""
    host = Host()
    outcome = failed(call_of(host.arrive(event(0))), retry_after_ms=3_000)
    host.read(outcome, appended_ms=NOW_MS + 3_600_000)
    # What arrives meanwhile makes it no longer either.
    host.now_ms += 1_000
    host.arrive(event(1))
    host.now_ms += 1_999
    assert host.fire().effects == []
    host.now_ms += 1
    assert call_of(host.fire()).request.turn == 2


def test_a_request_carries_the_newest_items_of_lists() -> None:
    """``log_window`` items travel, the length says how many there are."""
    host = Host()
    assert host.spec is not None
    host.spec.policy.log_window = 20
    outcome = completed(call_of(host.arrive(event(0))))
    for number in range(50):
        outcome.mutations.append(Mutation(name="list", append=b"%d" % number))
    host.read(outcome)
    window = call_of(host.arrive(event(1))).request.state.logs["list"]
    assert window.length == 50
    assert list(window.items) == [b"%d" % n for n in range(30, 50)]


def test_deleting_removes_value_and_list() -> None:
    """One name, both kinds; setting it again starts anew."""
    host = Host()
    outcome = completed(call_of(host.arrive(event(0))))
    for mutation in (
        Mutation(name="x", set=b"1"),
        Mutation(name="x", append=b"2"),
        Mutation(name="x", delete=True),
        Mutation(name="x", append=b"3"),
    ):
        outcome.mutations.append(mutation)
    host.read(outcome)
    request = call_of(host.arrive(event(1))).request
    assert dict(request.state.values) == {}
    assert list(request.state.logs["x"].items) == [b"3"]


def test_the_last_failure_is_told_until_a_success() -> None:
    """For views of an instance's health."""
    host = Host()
    call = call_of(host.arrive(event(0)))
    again = call_of(host.read(failed(call, code=FAILURE_CODE_AGENT_ERROR)))
    assert host.state.failure_code == FAILURE_CODE_AGENT_ERROR
    host.read(completed(again, 2))
    assert host.state.failure_code == 0
    assert (host.state.attempts, host.state.blamed) == (0, b"")


def set_n(host: Host, call: Call, value: bytes) -> None:
    """Let a turn set the value ``n``."""
    outcome = completed(call)
    outcome.mutations.append(Mutation(name="n", set=value))
    host.read(outcome)


def test_small_items_live_in_the_control_record_and_move_out_when_they_grow() -> None:
    host = Host()
    large = b"x" * (KEPT_VALUE_BYTES + 1)
    call = call_of(host.arrive(event(0)))
    assert (set(host.state.kept), host.items) == ({"m0"}, {})
    set_n(host, call, b"1")
    assert (dict(host.state.kept), host.items) == ({"vn": b"1"}, {})
    call = call_of(host.arrive(event(1)))
    assert call.request.state.values["n"] == b"1"
    set_n(host, call, large)
    assert (dict(host.state.kept), host.items) == ({}, {"vn": large})
    call = call_of(host.arrive(event(2)))
    assert call.request.state.values["n"] == large
    set_n(host, call, b"2")
    assert (dict(host.state.kept), host.items) == ({"vn": b"2"}, {})


def test_only_the_first_event_of_a_mailbox_is_kept_and_only_if_it_is_small() -> None:
    host = Host()
    host.arrive(event(0), event(1))
    assert (set(host.state.kept), set(host.items)) == ({"m0"}, {"m1"})
    large = event(0)
    large.data = b"x" * KEPT_EVENT_BYTES
    other = Host()
    other.arrive(large)
    assert (set(other.state.kept), set(other.items)) == (set(), {"m0"})


def test_a_call_says_how_its_services_are_reached() -> None:
    host = Host()
    assert call_of(host.arrive(event(1))).service == b""
    assert host.spec is not None
    host.spec.endpoints.append("b:2")
    host.spec.connection.tls.ca_file = "ca"
    host.spec.limits.rate = 2.0
    host.now_ms += 60_000
    call = call_of(host.fire())
    service = Service.FromString(call.service)
    assert call.endpoint == "a:1"
    assert list(service.endpoints) == ["a:1", "b:2"]
    assert (service.connection, service.limits) == (host.spec.connection, host.spec.limits)


def test_a_detached_agent_has_no_services() -> None:
    host = Host(spec=None)
    call = call_of(host.arrive(event(1)))
    assert (call.endpoint, call.service) == ("", b"")


def test_whole_lists_are_sent_when_they_are_asked_for_until_a_turn_succeeds() -> None:
    """No attempt is charged, and nothing waits."""
    host = Host(spec=AgentSpec(type="orders", endpoints=["a:1"], policy=policy(log_window=2)))
    outcome = completed(call_of(host.arrive(event(1))))
    for number in range(40):
        outcome.mutations.add(name="steps", append=b"%d" % number)
    host.read(outcome)
    call = call_of(host.arrive(event(2)))
    assert len(call.request.state.logs["steps"].items) == 2
    wanting = completed(call, take=0)
    wanting.failed.wants_whole_lists = True
    whole = call_of(host.read(wanting))
    assert whole.whole_lists
    assert [int(item) for item in whole.request.state.logs["steps"].items] == [*range(40)]
    assert whole.request.attempt == 1
    host.read(completed(whole))
    after = call_of(host.arrive(event(4)))
    assert not after.whole_lists
    assert len(after.request.state.logs["steps"].items) == 2
