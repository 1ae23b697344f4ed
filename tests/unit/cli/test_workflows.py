"""`headgate workflows` without a broker: what it sends, and how a workflow's state is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from headgate.cli import app, workflows
from headgate.cli.control import AddressError, NothingToDoError
from headgate.cli.workflows import NoResultError, NotEndedError, NoWorkflowError
from headgate.kafka import signals
from headgate.kafka.workflow_views import workflow_view
from headgate.v1.agent_pb2 import FAILURE_CODE_TERMINAL
from headgate.v1.turn_pb2 import InstanceReport, Signal


def report(steps: list[Any] | None = None, *, parked: bool = False, **values: Any) -> Any:
    """What Gate tells of a workflow with such a state."""
    made = InstanceReport(address="flow/1", now_ms=1)
    made.control.parked = parked
    if parked:
        made.control.failure_code = FAILURE_CODE_TERMINAL
    for name, value in values.items():
        made.state.values[name] = json.dumps(value).encode()
    if steps:
        made.state.logs["steps"].length = 40
        made.state.logs["steps"].items.extend(json.dumps(each).encode() for each in steps)
    return made


def headgate(*arguments: str) -> Any:
    given = ["workflows", *arguments, "--bootstrap", "127.0.0.1:1"]
    ran = CliRunner().invoke(app.app, given)
    if ran.exception is not None:
        raise ran.exception
    return json.loads(ran.stdout)


def test_one_that_never_was_is_not_started() -> None:
    assert workflow_view(InstanceReport(address="flow/1")) == {
        "address": "flow/1",
        "status": "not started",
    }


def test_each_kind_of_step_is_shown_with_what_it_came_to() -> None:
    steps = [
        {"n": 1, "k": "activity pay", "r": {"paid": 1}, "t": 0},
        {"n": 2, "k": "call risk", "e": "refused", "t": 1_000_000},
        {"s": "approve", "d": "yes", "t": 2_000_000},
        {"p": "v2", "t": 3_000_000},
        {"c": True, "t": 4_000_000},
        {"n": 3, "k": "sleep 1", "t": 5_000_000},
    ]
    pending = {"5": "signal approve", "4": "sleep 2"}
    shown = workflow_view(report(steps, status="running", run=2, pending=pending))
    assert (shown["status"], shown["run"], shown["taken_steps"]) == ("running", 2, 40)
    assert shown["waits_for"] == ["signal approve", "sleep 2"]
    assert [(each["step"], each["came to"]) for each in shown["steps"]] == [
        ("activity pay", {"paid": 1}),
        ("call risk", {"error": "refused"}),
        ("signal approve", "yes"),
        ("patch v2", None),
        ("cancel", None),
        ("sleep 1", None),
    ]
    assert shown["steps"][1]["at"].startswith("1970-01-01T00:00:01")


def test_one_that_cannot_go_on_is_parked_and_says_why() -> None:
    shown = workflow_view(report(parked=True, status="running", run=1))
    assert shown["status"] == "parked"
    assert shown["failure"]["code"] == "terminal"
    assert workflow_view(report(parked=True, status="completed", run=1))["status"] == "completed"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_result_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    monkeypatch.setattr(workflows, "ask", lambda *_: report(status=status, run=1, error="it broke"))
    with pytest.raises(NoResultError, match=f"flow/1 is {status}: it broke"):
        headgate("result", "flow/1")


def test_a_result_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [report(status="running", run=1), report(status="completed", run=1, result=[1, None])]
    monkeypatch.setattr(workflows, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(workflows, "ask", lambda *_: told.pop(0))
    assert headgate("result", "flow/1", "--wait", "30") == [1, None]
    told.append(report(status="running", run=1))
    with pytest.raises(NotEndedError, match="flow/1 is running"):
        headgate("result", "flow/1")


def test_a_result_may_be_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflows, "ask", lambda *_: report(status="completed", run=1))
    assert headgate("result", "flow/1") is None


def test_a_start_is_named_after_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a repeat is known as one before it comes to be a turn."""
    sent: list[tuple[str, Signal]] = []
    told = [report(), report(status="running", run=1), report(status="running", run=1)]
    monkeypatch.setattr(workflows, "ask", lambda *_: told.pop(0))
    monkeypatch.setattr(workflows, "see_attached", lambda *_: None)
    monkeypatch.setattr(signals, "send_signal", lambda *given: sent.append(given[2:]))
    headgate("start", "flow/1", '{"n": 1}', "-o", "json")
    headgate("cancel", "flow/1", "-o", "json")
    [(address, start), (_, cancel)] = sent
    expected = Signal(signal_id="headgate.start", name="headgate.start", data=b'{"n":1}')
    assert (address, start) == ("flow/1", expected)
    assert cancel.name == "headgate.cancel"
    assert cancel.signal_id not in {"", "headgate.cancel"}
    with pytest.raises(AddressError):
        headgate("start", "flow", "-o", "json")


def test_a_start_that_was_made_before_says_how_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(signals, "send_signal", lambda *given: sent.append(given))
    monkeypatch.setattr(workflows, "see_attached", lambda *_: None)
    monkeypatch.setattr(workflows, "ask", lambda *_: report(status="completed", run=1))
    assert headgate("start", "flow/1", "-o", "json")["status"] == "completed"
    for command in ("cancel", "terminate"):
        with pytest.raises(NothingToDoError, match=f"is completed: there is nothing to {command}"):
            headgate(command, "flow/1")
    assert sent == []


def test_another_agents_instance_is_no_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflows, "see_attached", lambda *_: None)
    monkeypatch.setattr(workflows, "ask", lambda *_: report(status="talking"))
    for command in ("start", "describe", "cancel", "result"):
        with pytest.raises(NoWorkflowError, match="flow/1 is no workflow"):
            headgate(command, "flow/1")
