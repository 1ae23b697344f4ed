"""Timers and messages, step by step: what is set, replaced, cancelled, taken, posted, repeated."""

from __future__ import annotations

import pytest

from headgate.core.model import MessageArrived, Post, SendRequest, Transition
from headgate.v1.agent_pb2 import Origin, TimerChange
from headgate.v1.turn_pb2 import AgentMessage, Controlled, InboxRecord
from tests.unit.core.build import NOW_MS, Host, call_of, completed, decision_of, event


def host_with(*changes: TimerChange) -> Host:
    """Return a host whose first turn changed timers."""
    host = Host()
    outcome = completed(call_of(host.arrive(event(100))))
    outcome.timers.extend(changes)
    host.read(outcome)
    return host


def set_timer(name: str = "a", after_ms: int = 5_000) -> TimerChange:
    return TimerChange(name=name, after_ms=after_ms, data=b"7")


def timer_names(host: Host) -> set[str]:
    """Names of timers in the control record, which must be those in the items."""
    names = set(host.state.timers)
    assert {f"t{name}" for name in names} == {n for n in host.stored_items if n[0] == "t"}
    return names


def test_a_timer_becomes_an_event_when_it_is_due() -> None:
    host = host_with(set_timer())
    due_ms = host.state.at_us // 1_000 + 5_000
    host.now_ms = due_ms - 1
    assert host.fire().effects == []
    host.now_ms = due_ms
    [fired] = call_of(host.fire()).request.events
    assert (fired.type, fired.subject, fired.data) == ("headgate.timer", "a", b"7")
    assert (fired.id, fired.time_us // 1_000) == ("orders/17/1/t0", due_ms)
    assert fired.correlation_id == event(100).id
    assert not fired.HasField("origin")
    assert timer_names(host) == {"a"}, "it stands until a turn takes it"


def test_a_timer_ends_with_the_turn_that_takes_its_event() -> None:
    host = host_with(set_timer())
    host.now_ms = host.state.at_us // 1_000 + 5_000
    taking = completed(call_of(host.fire()))
    taking.caused_at_us = 9 * NOW_MS * 1_000
    host.read(taking)
    assert timer_names(host) == set()
    assert host.state.at_us == taking.caused_at_us, "dated no earlier than what caused it"
    assert host.state.mailbox_head == host.state.mailbox_tail


def test_a_timer_that_is_skipped_is_given_up_no_earlier_than_it_was_due() -> None:
    host = host_with(set_timer())
    host.now_ms = due_ms = host.state.at_us // 1_000 + 5_000
    host.fire()
    skipped = decision_of(host.wish(Controlled.SKIP))
    # A broker whose clock is behind.
    host.read(skipped, appended_ms=NOW_MS)
    assert host.state.at_us == due_ms * 1_000
    assert timer_names(host) == set()


def test_a_replay_that_finds_the_outcome_first_fires_nothing() -> None:
    """The clock of a restored Gate comes to a timer whose event an outcome has taken."""
    host = host_with(set_timer())
    restored = Host(host.control, dict(host.items), spec=host.spec)
    host.now_ms = restored.now_ms = host.state.at_us // 1_000 + 5_000
    restored.read(completed(call_of(host.fire())))
    assert timer_names(restored) == set()
    restored.now_ms = max(restored.now_ms, restored.state.wake_ms)
    assert restored.fire().effects == []


def test_set_again_it_is_another_timer() -> None:
    host = host_with(set_timer(), set_timer(after_ms=9_000))
    assert timer_names(host) == {"a"}
    host.now_ms = host.state.at_us // 1_000 + 8_999
    assert host.fire().effects == []
    host.now_ms += 1
    [fired] = call_of(host.fire()).request.events
    assert fired.id == "orders/17/1/t1"


@pytest.mark.parametrize(
    ("change", "left"), [(TimerChange(name="a", cancel=True), set()), (set_timer(), {"a"})]
)
def test_cancelled_or_set_anew_after_it_fired_it_leaves_the_mailbox(
    change: TimerChange, left: set[str]
) -> None:
    """Its event waits behind the one that the turn in flight takes."""
    host = host_with(set_timer())
    assert host.spec is not None
    host.spec.policy.max_batch = 1
    host.now_ms = host.state.at_us // 1_000 + 5_000
    taking = completed(call_of(host.arrive(event(101))))
    assert host.state.mailbox_tail - host.state.mailbox_head == 2
    assert host.state.timers["a"].fired
    taking.timers.append(change)
    made = host.read(taking)
    assert timer_names(host) == left
    assert host.state.mailbox_tail == host.state.mailbox_head
    assert not [each for each in made.effects if isinstance(each, SendRequest)]


def test_a_timer_that_is_due_waits_for_the_turn_in_flight() -> None:
    host = host_with(set_timer(after_ms=10))
    call = call_of(host.arrive(event(50)))
    host.now_ms = host.state.at_us // 1_000 + 10
    host.fire()
    assert not host.state.timers["a"].fired
    [fired] = call_of(host.read(completed(call))).request.events
    assert fired.subject == "a"


def test_timers_due_together_come_in_the_order_of_their_time() -> None:
    host = host_with(set_timer("late", 30), set_timer("soon", 10), set_timer("never", 90_000))
    host.now_ms = host.state.at_us // 1_000 + 60
    assert [each.subject for each in call_of(host.fire()).request.events] == ["soon", "late"]


def test_a_parked_instance_is_not_woken_by_timers() -> None:
    host = host_with(set_timer())
    host.read(decision_of(host.wish(Controlled.PARK)))
    host.now_ms += 10_000
    assert host.fire().effects == []
    assert host.state.wake_ms == 0
    resumed = host.read(decision_of(host.wish(Controlled.RESUME, "c2")))
    assert [each.subject for each in call_of(resumed).request.events] == ["a"]


def test_a_reset_cancels_all_timers() -> None:
    host = host_with(set_timer(), set_timer("b", 0))
    host.now_ms += 1
    host.fire()
    assert host.state.timers["b"].fired
    host.read(decision_of(host.wish(Controlled.RESET)))
    assert timer_names(host) == set()
    assert host.state.mailbox_tail == host.state.mailbox_head


def test_an_instance_with_a_timer_is_not_idle() -> None:
    host = host_with(set_timer(after_ms=500_000))
    assert host.spec is not None
    host.spec.policy.state_ttl_ms = 1_000
    host.now_ms += 100_000
    assert host.fire().effects == []
    assert not host.state.pending_controls


# ---------------------------------------------------------------------------------------- messages


def posts(host: Host, count: int) -> list[AgentMessage]:
    """Take a turn that sends messages; return them as the inbox would hold them."""
    outcome = completed(call_of(host.arrive(event(100 + host.offset))))
    for number in range(count):
        message = outcome.messages.add(agent_type="desk", key="1", type="t")
        message.data = f"{number}".encode()
    made = [each for each in host.read(outcome).effects if isinstance(each, Post)]
    assert {each.address for each in made} == {"desk/1"}
    return [InboxRecord.FromString(each.value).message for each in made]


def come(host: Host, message: AgentMessage, offset: int) -> Transition:
    """Let a message arrive from a record of the inbox."""
    arrived = AgentMessage()
    arrived.CopyFrom(message)
    arrived.event.origin.CopyFrom(Origin(topic="inbox", partition=0, offset=offset))
    return host.step(MessageArrived(arrived))


def test_what_a_turn_sends_bears_its_numbers_and_its_time() -> None:
    host = Host()
    first, second = posts(host, 2)
    assert [(m.sender, m.turn, m.index) for m in (first, second)] == [
        ("orders/17", 1, 0),
        ("orders/17", 1, 1),
    ]
    assert first.at_us == first.event.at_us == host.state.at_us
    assert (first.event.id, first.event.data) == ("orders/17/1/m0", b"0")
    assert first.event.fingerprint != second.event.fingerprint
    assert first.event.correlation_id == event(100).id


def test_repeats_are_dropped_by_the_senders_last_number() -> None:
    """However late, and past any window: the number alone decides."""
    sender, receiver = Host(), Host()
    messages = [*posts(sender, 2), *posts(sender, 1)]
    assert [come(receiver, each, n).note for n, each in enumerate(messages)] == ["joined"] * 3
    again = [come(receiver, each, 3 + n).note for n, each in enumerate(messages)]
    assert again == ["duplicate"] * 3
    [later] = posts(sender, 1)
    assert come(receiver, later, 6).note == "joined"
    assert receiver.state.mailbox_tail == 4


def test_a_replay_that_finds_the_outcome_first_takes_no_message_twice() -> None:
    sender, receiver = Host(), Host()
    [first], [second] = posts(sender, 1), posts(sender, 1)
    call = call_of(come(receiver, first, 0))
    restored = Host(spec=receiver.spec)
    restored.read(completed(call))
    assert come(restored, first, 0).note == "duplicate"
    assert come(restored, first, 1).note == "duplicate"
    assert come(restored, second, 2).note == "joined"
    assert [n for n in restored.stored_items if n[0] in "af"] == [], "nothing is left behind"
