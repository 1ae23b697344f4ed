"""A full mailbox gives up what comes beyond its limit, and nothing else."""

from __future__ import annotations

from headgate.core.full import holds_back
from headgate.core.model import DeadLettered
from headgate.v1.turn_pb2 import Policy, StoredControl
from tests.unit.core.build import ADDRESS, Host, call_of, completed, event


def limited(limit: int = 2) -> Host:
    host = Host()
    assert host.spec is not None
    host.spec.policy.mailbox_limit = limit
    return host


def letters(host: Host, number: int, event_id: str = "") -> list[DeadLettered]:
    made = host.arrive(event(number, event_id=event_id))
    return [each for each in made.effects if isinstance(each, DeadLettered)]


def test_the_newest_is_given_up_and_room_is_used_again() -> None:
    host = limited()
    call = call_of(host.arrive(event(1)))
    assert letters(host, 2) == []
    [given_up] = letters(host, 3)
    letter = given_up.letter
    assert (letter.reason, letter.address) == ("mailbox_full", ADDRESS)
    assert letter.id == f"{ADDRESS}/shop/0/3"
    assert letter.origin.offset == 3
    assert host.state.HasField("in_flight"), "the turn in flight goes on"
    call = call_of(host.read(completed(call)))
    assert [each.id for each in call.request.events] == ["shop/0/2"]
    assert letters(host, 4) == []
    assert host.state.mailbox_tail - host.state.mailbox_head == 2


def test_a_repeat_of_what_was_given_up_is_known() -> None:
    host = limited(1)
    host.arrive(event(1, event_id="a"))
    assert len(letters(host, 2, "b")) == 1
    assert letters(host, 3, "b") == []


def test_what_an_outcome_took_before_it_came_is_no_dead_letter() -> None:
    host = limited(1)
    ahead = event(7, event_id="ahead")
    call = call_of(host.arrive(event(1, event_id="a")))
    outcome = completed(call)
    outcome.taken.add(fingerprint=ahead.fingerprint, id="ahead", has_id=True).origin.CopyFrom(
        ahead.origin
    )
    host.read(outcome)
    host.arrive(event(2, event_id="b"))
    made = host.arrive(ahead)
    assert (made.note, made.effects) == ("duplicate", [])


def test_an_overload_does_not_fill_the_state() -> None:
    host = limited(1)
    assert host.spec is not None
    host.spec.policy.dedup_window_count = 10
    host.arrive(event(1, event_id="a"))
    for number in range(2, 200):
        assert len(letters(host, number, f"e{number}")) == 1
    assert len(host.stored_items) < 40


def test_where_it_holds_back_what_comes_beyond_the_limit_joins() -> None:
    host = limited(2)
    assert host.spec is not None
    host.spec.policy.holds_back = True
    full = []
    for number in range(1, 5):
        assert letters(host, number) == []
        full.append(holds_back(host.state, host.spec.policy, was_full=False))
    assert full == [False, True, True, True]
    host.spec.policy.holds_back = False
    assert not holds_back(host.state, host.spec.policy, was_full=False)


def test_what_is_full_has_room_again_when_half_is_empty() -> None:
    policy = Policy(mailbox_limit=4, holds_back=True)
    control = StoredControl(mailbox_head=10)

    def full(waiting: int, *, was_full: bool) -> bool:
        control.mailbox_tail = control.mailbox_head + waiting
        return holds_back(control, policy, was_full=was_full)

    assert [full(waiting, was_full=False) for waiting in range(6)] == [False] * 4 + [True] * 2
    assert [full(waiting, was_full=True) for waiting in range(6)] == [False] * 3 + [True] * 3
    policy.mailbox_limit = 1
    assert not full(0, was_full=True)


def test_a_parked_instance_holds_nobody_back() -> None:
    policy = Policy(mailbox_limit=1, holds_back=True)
    control = StoredControl(mailbox_tail=5)
    assert holds_back(control, policy, was_full=True)
    control.parked = True
    assert not holds_back(control, policy, was_full=True)
