"""Operators' controls from the command line, without a broker."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from headgate.bootstrap import Bootstrap
from headgate.cli import app, instance_views
from headgate.cli.control import WAIT_SECONDS, AddressError, NotAppliedError, NothingToDoError
from headgate.cli.look import plain
from headgate.kafka import controls, registry
from headgate.kafka.registry import Contents
from headgate.v1.turn_pb2 import (
    AgentSpec,
    HistoryRecord,
    InFlight,
    InstanceReport,
    Outcome,
    StoredControl,
)

Sent = list[dict[str, Any]]

BUSY = StoredControl(turn=6, mailbox_tail=1, attempts=1, in_flight=InFlight())


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What commands send; all of it is applied as turn 7, but what is for an absent job."""
    made: Sent = []

    def send(bootstrap: Bootstrap, config: object, address: str, verb: str, **more: Any) -> object:
        made.append({"address": address, "verb": verb, **more})
        is_applied = more["wait_seconds"] and address != "absent/1"
        return "c-1", HistoryRecord(outcome=Outcome(turn=7)) if is_applied else None

    def ask(broker: object, address: str) -> InstanceReport:
        return InstanceReport() if address == "never/1" else InstanceReport(control=BUSY)

    monkeypatch.setattr(controls, "send_control", send)
    monkeypatch.setattr(instance_views, "ask", ask)
    return made


def headgate(*arguments: str) -> Any:
    given = ["instances", *arguments, "--bootstrap", "127.0.0.1:1", "-o", "json"]
    ran = CliRunner().invoke(app.app, given)
    if ran.exception is not None:
        raise ran.exception
    return json.loads(ran.stdout)


@pytest.mark.parametrize("verb", ["resume", "skip", "cancel", "reset"])
def test_a_mistyped_key_is_refused_before_it_makes_an_instance(sent: Sent, verb: str) -> None:
    with pytest.raises(NothingToDoError, match="never/1 never was: mind the key"):
        headgate(verb, "never/1")
    assert sent == []


@pytest.mark.parametrize("verb", ["resume", "skip", "cancel", "reset", "park"])
def test_each_verb_is_sent_and_awaited(sent: Sent, verb: str) -> None:
    said = headgate(verb, "order/a/b", "--reason", "because")
    assert said == {"address": "order/a/b", "verb": verb, "control_id": "c-1", "turn": 7}
    [one] = sent
    assert (one["address"], one["verb"], one["reason"]) == ("order/a/b", verb, "because")
    assert one["wait_seconds"] == WAIT_SECONDS


def test_it_need_not_be_awaited(sent: Sent) -> None:
    assert headgate("park", "order/17", "--no-wait")["turn"] is None
    assert sent[0]["wait_seconds"] == 0


def test_what_is_not_applied_in_time_is_an_error_that_says_where_it_is(sent: Sent) -> None:
    with pytest.raises(NotAppliedError, match=r"waits in headgate\.inbox \(control c-1\)"):
        headgate("resume", "absent/1")


@pytest.mark.parametrize("address", ["order", "order/", "/17"])
def test_an_address_has_type_and_key(sent: Sent, address: str) -> None:
    with pytest.raises(AddressError, match="such as order/17"):
        headgate("reset", address)
    assert sent == []


def test_what_others_wrote_is_no_markup_and_steers_no_terminal() -> None:
    assert plain("[red]x[/] \x1b[2J") == r"\[red]x\[/] \x1b[2J"


@pytest.mark.parametrize(
    ("address", "doubted"),
    [
        ("ordr/never", "no agent 'ordr' is attached, did you mean 'order'?"),
        ("order/never", ""),
        ("ordr/17", ""),
    ],
)
def test_what_never_was_may_be_of_a_mistyped_agent(
    monkeypatch: pytest.MonkeyPatch, address: str, doubted: str
) -> None:
    def ask(broker: object, asked: str) -> InstanceReport:
        known = None if asked.endswith("never") else BUSY
        return InstanceReport(address=asked, control=known)

    monkeypatch.setattr(instance_views, "ask", ask)
    monkeypatch.setattr(registry, "read_contents", lambda *_: Contents({"order": AgentSpec()}))
    given = ["instances", "describe", address, "--bootstrap", "127.0.0.1:1"]
    ran = CliRunner().invoke(app.app, given)
    assert (ran.exit_code, " ".join(ran.stderr.split())) == (0, doubted)
