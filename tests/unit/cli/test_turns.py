"""Which past turns are meant: what is said wrongly is told, with what to give."""

from __future__ import annotations

import pytest

from headgate.cli.turns import TurnsError, read_agent_type, read_span, tell_left_out
from headgate.history.errors import MomentError
from headgate.replay.recorded import LeftOut


def test_an_address_is_no_agent_type_and_told_how_to_give_it() -> None:
    assert read_agent_type("order") == "order"
    with pytest.raises(TurnsError, match="write --agent order --key 17"):
        read_agent_type("order/17")
    with pytest.raises(TurnsError, match="'Order' is no agent type"):
        read_agent_type("Order")


def test_a_span_runs_forwards() -> None:
    span = read_span("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
    assert span.to_us - span.from_us == 86_400_000_000
    assert read_span(None, None).to_us == 0
    assert read_span("2h", "1h").from_us < read_span("2h", "1h").to_us
    with pytest.raises(TurnsError, match="--to 2h is before --from 1h"):
        read_span("1h", "2h")
    with pytest.raises(MomentError, match="'soon' is no moment"):
        read_span("soon", None)


def test_what_is_left_out_is_told_up_to_a_bound(capsys: pytest.CaptureFixture[str]) -> None:
    tell_left_out([LeftOut("order/[red]", number, "gone") for number in range(1, 31)])
    told = capsys.readouterr().err
    assert "left out: turn 1 of order/[red]: gone" in told
    assert "left out: 10 more" in told
    assert told.count("\n") == 21
