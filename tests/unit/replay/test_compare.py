"""What counts as a difference, and how it is told."""

from __future__ import annotations

from headgate.replay.came import Came
from headgate.replay.compare import Difference, compare
from headgate.sdk.testing import Stored
from headgate.v1.agent_pb2 import FAILURE_CODE_AGENT_ERROR, Message, Output, TimerChange
from headgate.v1.turn_pb2 import Failed


def came(**values: bytes) -> Came:
    return Came(Stored(values))


def with_lists(**lists: tuple[bytes, ...]) -> Came:
    return Came(Stored(logs=lists))


def test_the_same_is_the_same_however_its_json_is_written() -> None:
    old = came(a=b'{"x": 1, "y": [2]}', raw=b"\xff")
    new = came(a=b'{"y":[2],"x":1}', raw=b"\xff")
    assert compare(old, new) == []
    assert len(compare(came(a=b"1"), came(a=b"1.0"))) == 1
    assert len(compare(came(a=b"1"), came(a=b"true"))) == 1
    assert len(compare(came(a=b"\xff"), came(a=b"\xfe"))) == 1


def test_values_are_named_with_old_and_new() -> None:
    found = compare(came(total=b"5", gone=b'"x"'), came(total=b"6", fresh=b"null"))
    assert found == [
        Difference("value", "fresh", "added", None, None),
        Difference("value", "gone", "removed", "x"),
        Difference("value", "total", "changed", 5, 6),
    ]
    assert [str(each) for each in found] == [
        "value fresh added: null", "value gone removed: x", "value total: 5 -> 6",
    ]  # fmt: skip
    assert found[0].view() == {
        "kind": "value", "name": "fresh", "change": "added", "replayed": None,
    }  # fmt: skip


def test_lists_are_told_from_the_first_item_that_differs() -> None:
    [found] = compare(with_lists(n=(b"1", b"2", b"3")), with_lists(n=(b"1", b"2", b"4", b"5")))
    assert found == Difference("list", "n[2:]", "changed", [3], [4, 5])
    [found] = compare(with_lists(n=(b"1",)), with_lists(n=(b"1", b"2")))
    assert found == Difference("list", "n[1:]", "added", None, [2])
    assert compare(with_lists(n=(b'{"a":1}',)), with_lists(n=(b'{"a": 1}',))) == []


def outputs(*data: bytes) -> Came:
    return Came(Stored(), outputs=[Output(type="t", data=each) for each in data])


def test_outputs_are_compared_as_diff_compares_lines() -> None:
    [found] = compare(outputs(b"1", b"2", b"3"), outputs(b"1", b"3"))
    assert found == Difference("output", "t", "removed", {"type": "t", "data": 2})
    [found] = compare(outputs(b"1", b"3"), outputs(b"1", b"2", b"3"))
    assert (found.change, found.replayed) == ("added", {"type": "t", "data": 2})
    [found] = compare(outputs(b"1", b"2"), outputs(b"1", b"9"))
    assert str(found) == 'output t: {"type": "t", "data": 2} -> {"type": "t", "data": 9}'


def test_what_an_output_names_by_default_is_no_difference() -> None:
    old = Came(Stored(), outputs=[Output(type="t", data=b"1")])
    said = Output(type="t", data=b"1", subject="17", datacontenttype="application/json")
    new = Came(Stored(), outputs=[said])
    assert compare(old, new, key="17") == []
    assert len(compare(old, new, key="18")) == 1
    new.outputs[0].subject = ""
    new.outputs[0].cause = 1
    assert len(compare(old, new)) == 1


def test_messages_and_timers_are_compared() -> None:
    old, new = Came(Stored()), Came(Stored())
    old.messages.append(Message(agent_type="ledger", key="1", type="book", data=b"5"))
    new.messages.append(Message(agent_type="ledger", key="2", type="book", data=b"5"))
    old.timers.append(TimerChange(name="remind", after_ms=1_000))
    new.timers.append(TimerChange(name="remind", cancel=True))
    message, timer = compare(old, new)
    assert (message.kind, message.recorded["to"], message.replayed["to"]) == (
        "message", "ledger/1", "ledger/2",
    )  # fmt: skip
    assert str(timer) == (
        'timer remind: {"name": "remind", "after_ms": 1000} -> {"name": "remind", "cancel": true}'
    )


def test_a_verdict_comes_first_and_tells_the_failure() -> None:
    new = came(total=b"1")
    new.fail(Failed(code=FAILURE_CODE_AGENT_ERROR, message="boom"), "e7")
    first, second = compare(came(total=b"2"), new)
    assert str(first) == "verdict: completed -> failed agent_error of e7: boom"
    assert "name" not in first.view()
    assert second.name == "total"
    other = came(total=b"1")
    other.fail(Failed(code=FAILURE_CODE_AGENT_ERROR, message="in other words"), "e7")
    assert compare(new, other) == []
    other.verdict += ", parks"
    assert len(compare(new, other)) == 1


def test_what_is_ignored_is_passed_over() -> None:
    old, new = came(token=b"1"), came(token=b"2")
    old.outputs.append(Output(type="noise", data=b"1"))
    assert len(compare(old, new)) == 2
    assert compare(old, new, ignored=["token", "noise"]) == []
    assert compare(with_lists(n=(b"1",)), with_lists(), ignored=["n"]) == []


def test_a_workflows_tag_is_random_and_no_difference() -> None:
    workflow = {"run": b"1", "status": b'"running"'}
    assert compare(came(**workflow, tag=b"1"), came(**workflow, tag=b"2")) == []
    assert len(compare(came(tag=b"1"), came(tag=b"2"))) == 1
