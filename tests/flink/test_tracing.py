"""Traces through a running job: from events through two agents to their outputs, while a worker, a
TaskManager and the export of spans are killed.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from headgate.core.trace import span_id_of, trace_id_of, valid
from headgate.sdk import Agent, Event, RetryableError, Turn
from headgate.testing.stack import HeadgateStack
from headgate.v1.turn_pb2 import HistoryRecord
from tests.flink.kills import Kills
from tests.otlp_collector import grpc_collector

pytestmark = [pytest.mark.flink, pytest.mark.slow, pytest.mark.chaos]

KEYS, EVENTS = 4, 160
ADDRESSES = [f"{agent}/{key}" for agent in ("teller", "hearer") for key in range(KEYS)]

# What each handler saw as its turn's span, and its event's.
SEEN: dict[str, tuple[str, str]] = {}


def teller() -> Agent:  # type: ignore[type-arg]
    agent = Agent("teller")

    @agent.on("join")
    def join(turn: Turn, event: Event) -> None:  # type: ignore[type-arg]
        pass

    @agent.on("told")
    def told(turn: Turn, event: Event) -> None:  # type: ignore[type-arg]
        SEEN[event.id] = (turn.traceparent, event.traceparent)
        if event.data["number"] % 10 == 0 and turn.attempt == 1:
            message = "try again"
            raise RetryableError(message)
        turn.emit("heard", {"number": event.data["number"]})
        turn.send(f"hearer/{turn.key}", "heard", {"number": event.data["number"]})
        turn.used(model="small", input_tokens=3, output_tokens=4)

    return agent


def hearer() -> Agent:  # type: ignore[type-arg]
    agent = Agent("hearer")

    @agent.on("*")
    def hear(turn: Turn, event: Event) -> None:  # type: ignore[type-arg]
        SEEN[event.id] = (turn.traceparent, event.traceparent)

    return agent


def given(number: int) -> str:
    """The traceparent that an event brings; every third brings none, every seventh is unsampled."""
    flags = "00" if number % 7 == 0 else "01"
    return f"00-{number + 1:032x}-{number + 1:016x}-{flags}" if number % 3 else ""


@contextmanager
def exporting(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "headgate.cli.app", "trace", "export", "--from-start"]
    running = subprocess.Popen([*command, "--config", str(config)])
    try:
        yield running
    finally:
        running.terminate()
        running.wait(60)


def test_each_turn_has_one_span_whoever_is_killed(killed_stack: HeadgateStack) -> None:
    stack, cluster = killed_stack, killed_stack.cluster
    stack.attach(teller())
    stack.attach(hearer())
    for address in ADDRESSES:
        stack.send(address, "join")
    for address in ADDRESSES:
        stack.history(address)
    home = cluster.stack.home
    text = (home / "headgate.toml").read_text(encoding="utf-8")
    with grpc_collector() as (took, url):
        path = home / "tracing.toml"
        path.write_text(f'{text}\n[tracing]\nendpoint = "{url}"\n', encoding="utf-8")
        nudges = itertools.count()
        kills = Kills(
            cluster.stack,
            cluster.job,
            seed=3,
            each=1,
            nudge=lambda: stack.send(ADDRESSES[0], "join", id=f"nudge {next(nudges)}"),
        )
        with exporting(path) as first:
            kills.start()
            for number in range(EVENTS):
                told = {"traceparent": given(number)} if given(number) else {}
                address = f"teller/{number % KEYS}"
                stack.send(address, "told", {"number": number}, id=f"e{number}", extensions=told)
                if number == EVENTS // 2:
                    kills.await_done(1)
                    took.await_found(lambda: bool(took.spans), "the first spans")
                    first.kill()
            kills.finish()
            turns = [turn for address in ADDRESSES for turn in stack.history(address)]
        with exporting(path):
            expected = {span_id_of(t.outcome.traceparent): t for t in turns if is_sampled(t)}
            took.await_found(lambda: expected.keys() <= set(took.counts()), "all spans")
        spans = {span.span_id.hex(): span for span in took.spans}
        for span in took.spans:
            # Sent twice by the killed export, if at all, and then the same.
            assert span == spans[span.span_id.hex()]
        mine = {a for a in spans if spans[a].attributes and address_of(spans[a]) in ADDRESSES}
        known = {
            span_id_of(turn.outcome.traceparent): turn
            for address in ADDRESSES
            for turn in cluster.history(address)
        }
        assert mine <= known.keys()
    for name, turn in expected.items():
        assert_is_span_of(spans[name], turn)
    assert_handlers_saw(turns)
    for output in (o for key in range(KEYS) for o in stack.outputs(f"teller/{key}")):
        assert output.attributes["traceparent"] in {t.outcome.traceparent for t in turns}


def is_sampled(turn: HistoryRecord) -> bool:
    return valid(turn.outcome.traceparent)[-1:] == "1"


def address_of(span: Span) -> str:
    told = {each.key: each.value.string_value for each in span.attributes}
    return told["headgate.address"]


def assert_is_span_of(span: Span, turn: HistoryRecord) -> None:
    outcome = turn.outcome
    assert span.trace_id.hex() == trace_id_of(outcome.traceparent)
    parents = [*outcome.event_traceparents] or [""]
    assert span.parent_span_id.hex() == (span_id_of(parents[0]) if parents[0] else "")
    assert [each.span_id.hex() for each in span.links] == [span_id_of(p) for p in parents[1:] if p]
    is_error = span.status.code == Status.STATUS_CODE_ERROR
    assert is_error == outcome.HasField("failed")
    assert span.name == f"invoke_agent {outcome.agent_type}"
    told = {each.key: each.value for each in span.attributes}
    if outcome.usage:
        tokens = 4 * len(outcome.usage)
        assert told["gen_ai.usage.output_tokens"].int_value == tokens


def assert_handlers_saw(turns: list[HistoryRecord]) -> None:
    """A turn's own span, and of each event the one it came with: of a message its sender's turn."""
    senders = {
        f"{outcome.agent_type}/{outcome.key}/{outcome.turn}": outcome.traceparent
        for outcome in (turn.outcome for turn in turns)
    }
    messages = 0
    for outcome in (turn.outcome for turn in turns if turn.outcome.HasField("completed")):
        parents = [*outcome.event_traceparents] or [""] * len(outcome.taken)
        for ref, parent in zip(outcome.taken, parents, strict=True):
            if ref.id in SEEN:
                assert SEEN[ref.id] == (outcome.traceparent, parent)
            if ref.id.startswith("e"):
                assert parent == given(int(ref.id[1:]))
            elif "/m" in ref.id:
                messages += 1
                assert parent == senders[ref.id.rpartition("/")[0]]
        first, own = parents[0], outcome.traceparent
        trace = trace_id_of(first) if first else outcome.taken[0].fingerprint.hex()
        assert trace_id_of(own) == trace
        assert not first or own[-2:] == first[-2:]
    assert messages == EVENTS
    assert set(SEEN) >= {f"e{number}" for number in range(EVENTS)}
