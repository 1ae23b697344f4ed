"""`headgate signal` without a broker: what it sends, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from headgate.bootstrap import Bootstrap
from headgate.cli import app, registered
from headgate.cli.control import AddressError
from headgate.cli.signal import SignalError
from headgate.cli.typed import TypedError
from headgate.kafka import signals
from headgate.kafka.publish import Placed
from headgate.v1.turn_pb2 import Signal

Sent = list[tuple[str, Signal]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What commands send."""
    made: Sent = []

    def send(bootstrap: Bootstrap, config: object, address: str, signal: Signal) -> Placed:
        made.append((address, signal))
        return Placed("headgate.inbox", 2, 7, 0)

    monkeypatch.setattr(signals, "send_signal", send)
    monkeypatch.setattr(registered, "see_attached", lambda *_: None)
    return made


def headgate(*arguments: str) -> Any:
    given = ["signal", *arguments, "--bootstrap", "127.0.0.1:1", "-o", "json"]
    ran = CliRunner().invoke(app.app, given)
    if ran.exception is not None:
        raise ran.exception
    return json.loads(ran.stdout)


def test_a_signal_is_sent_as_it_was_typed(sent: Sent, tmp_path: Path) -> None:
    said = headgate("order/a/b", "approve", '{"by":  "änn"}', "--id", "s-1")
    assert said == {
        "address": "order/a/b",
        "signal": "approve",
        "id": "s-1",
        "topic": "headgate.inbox",
        "partition": 2,
        "offset": 7,
    }
    expected = Signal(signal_id="s-1", name="approve", data='{"by":"änn"}'.encode())
    assert sent == [("order/a/b", expected)]
    file = tmp_path / "data.json"
    file.write_text("[1]", encoding="utf-8")
    headgate("order/1", "approve", f"@{file}")
    headgate("order/1", "approve")
    assert [each.data for _, each in sent[1:]] == [b"[1]", b""]
    assert len({each.signal_id for _, each in sent}) == 3, "each has an id of its own"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("order/1", "approve", "{nope"), "^not JSON"),
        (("order/1", "approve", "yes"), "text goes in quotes"),
        (("order/1", "approve", "@/nowhere"), "/nowhere cannot be read"),
        (("order/1", ""), "the signal's name has 0 characters"),
        (("order/1", "n" * 256), "1 to 255"),
        (("order/1", "approve", "--id", ""), "--id has 0 characters"),
        (("order/1", "approve", json.dumps("x" * 2_000_000)), "limits.max_record"),
    ],
)
def test_what_cannot_be_a_signal_is_not_sent(
    sent: Sent, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises((SignalError, TypedError), match=message):
        headgate(*arguments)
    assert sent == []


def test_an_address_has_a_type_and_a_key(sent: Sent) -> None:
    with pytest.raises(AddressError):
        headgate("order", "approve")
    assert sent == []
