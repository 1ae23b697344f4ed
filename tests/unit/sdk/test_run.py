"""A turn of several events: all of them, or the prefix before the one that failed."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headgate.sdk import Agent, Event, Log, Park, RetryableError, TerminalError, Turn, log
from headgate.sdk.run import run, run_inline
from headgate.sdk.testing import AgentTester
from headgate.v1 import agent_pb2 as pb


@dataclass
class Order:
    total: int = 0
    seen: list[str] = field(default_factory=list)
    notes: Log[str] = log()  # noqa: RUF009 - declares a field, as field() does


def fails() -> None:
    message = "no such cake"
    raise KeyError(message)


def handle(turn: Turn[Order], event: Event) -> None:
    turn.state.total += 1
    turn.state.seen.append(event.id)
    turn.state.notes.append(event.id)
    turn.emit("order.seen", {"id": event.id})
    turn.send("billing/1", "order.bill", event.data)
    turn.set_timer("remind", timedelta(minutes=1))
    turn.used(model="m", input_tokens=1)
    if event.type == "order.bad":
        fails()
    if event.type == "order.misfit":
        turn.state.total = "many"  # type: ignore[assignment]


async def handle_later(turn: Turn[Order], event: Event) -> None:
    await asyncio.sleep(0)
    handle(turn, event)


def plain() -> Agent[Order]:
    agent = Agent("order", Order)
    agent.on("order.*")(handle)
    return agent


def later() -> Agent[Order]:
    agent = Agent("order", Order)
    agent.on("order.*")(handle_later)
    return agent


def threaded() -> Agent[Order]:
    agent = Agent("order", Order)
    agent.on("order.*", threads=True)(handle)
    return agent


@pytest.fixture(params=[plain, later, threaded])
def tester(request: pytest.FixtureRequest) -> Any:
    made = AgentTester(request.param())
    yield made
    made.close()


def batch(tester: AgentTester[Order], *types: str) -> list[pb.Event]:
    return [tester.event(f"order.{each}", each, id=each) for each in types]


def test_events_of_a_batch_share_one_state_in_order(tester: AgentTester[Order]) -> None:
    result = tester.send_batch("1", batch(tester, "a", "b", "c"))
    assert result.failure is None
    assert list(result.reply.taken_event_ids) == ["a", "b", "c"]
    assert result.state == Order(3, ["a", "b", "c"], Log(["a", "b", "c"]))
    assert [output.cause for output in result.reply.outputs] == [0, 1, 2]
    assert [output.data["id"] for output in result.outputs] == ["a", "b", "c"]
    sets = [m.name for m in result.reply.mutations if m.WhichOneof("change") == "set"]
    assert sorted(sets) == ["seen", "total"]


@pytest.mark.parametrize("kind", ["bad", "misfit"])
def test_a_failure_keeps_the_prefix_and_nothing_of_the_failed_event(
    tester: AgentTester[Order], kind: str
) -> None:
    result = tester.send_batch("1", batch(tester, "a", "b", kind, "c"))
    assert result.failure is not None
    assert (result.failure.code, result.failure.event_id) == ("AGENT_ERROR", kind)
    assert list(result.reply.taken_event_ids) == ["a", "b"]
    assert result.state == Order(2, ["a", "b"], Log(["a", "b"]))
    assert [output.data["id"] for output in result.outputs] == ["a", "b"]
    assert [message.data for message in result.messages] == ["a", "b"]
    assert len(result.reply.timers) == 2
    assert len(result.usage) == 3  # what the failed event used has been paid for


def test_a_failed_head_event_leaves_the_state_as_it_was(tester: AgentTester[Order]) -> None:
    tester.send("1", "order.a")
    result = tester.send_batch("1", batch(tester, "bad", "b"))
    assert result.state.total == 1
    assert list(result.reply.taken_event_ids) == []
    assert list(result.reply.mutations) == []
    assert tester.send("1", "order.a").state.total == 2


def fail_with(error: BaseException) -> Agent[Any]:
    agent = Agent("order")

    @agent.on("*")
    def handle(turn: Any, event: Any) -> None:
        raise error

    return agent


class Mute(Exception):  # noqa: N818 - a user's own exception may be called anything
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "code", "advice", "retry_after", "message"),
    [
        (ValueError("x"), "AGENT_ERROR", "UNSPECIFIED", 0, "ValueError: x"),
        (StopIteration(), "AGENT_ERROR", "UNSPECIFIED", 0, "StopIteration: "),
        (SystemExit(3), "AGENT_ERROR", "UNSPECIFIED", 0, "called sys.exit(3)"),
        (Mute(), "AGENT_ERROR", "UNSPECIFIED", 0, "Mute"),
        (RetryableError("busy", after=1.5), "AGENT_ERROR", "RETRY", 1.5, "busy"),
        (RetryableError("busy", after=timedelta(minutes=1)), "AGENT_ERROR", "RETRY", 60, "busy"),
        (RetryableError("busy", after=-1), "AGENT_ERROR", "RETRY", 0, "busy"),
        (RetryableError("x", after=timedelta.max), "AGENT_ERROR", "RETRY", 36_600 * 86_400, "x"),
        (RetryableError(), "AGENT_ERROR", "RETRY", 0, "RetryableError"),
        (TerminalError("no"), "TERMINAL", "DEAD_LETTER", 0, "no"),
        (Park("ask Ann"), "AGENT_ERROR", "PARK", 0, "ask Ann"),
    ],
)
def test_errors_say_how_the_failure_is_treated(
    error: BaseException, code: str, advice: str, retry_after: float, message: str
) -> None:
    failure = AgentTester(fail_with(error)).send("1", "x").failure
    assert failure is not None
    assert (failure.code, failure.advice) == (code, advice)
    assert failure.retry_after == timedelta(seconds=retry_after)
    assert message in failure.message


def test_messages_are_cut_at_the_contracts_limit() -> None:
    failure = AgentTester(fail_with(ValueError("ü" * 9000))).send("1", "x").failure
    assert failure is not None
    assert 4000 < len(failure.message.encode()) <= 4096


def test_the_log_names_the_line_that_raised(caplog: pytest.LogCaptureFixture) -> None:
    tester = AgentTester(plain())
    with caplog.at_level(logging.WARNING, "headgate.sdk"):
        tester.send("17", "order.bad", id="e9")
    (text,) = [record.getMessage() for record in caplog.records]
    assert "order/17 turn 1" in text
    assert "'e9'" in text
    assert "in fails" in text


def test_an_unhandled_type_is_given_up() -> None:
    failure = AgentTester(plain()).send("1", "bank.paid").failure
    assert failure is not None
    assert (failure.code, failure.advice) == ("TERMINAL", "DEAD_LETTER")


def test_data_that_is_not_json_is_given_up() -> None:
    agent = Agent("a")
    agent.on("*")(lambda turn, event: event.data["x"])
    failure = AgentTester(agent).send("1", "x", b"{").failure
    assert failure is not None
    assert failure.code == "TERMINAL"
    assert "is not JSON" in failure.message


def test_stored_state_that_does_not_fit_parks_the_instance() -> None:
    request = pb.TurnRequest(
        base=b"b" * 16,
        events=[pb.Event(id="e", type="order.a")],
        state=pb.State(values={"total": b'"x"'}),
    )
    reply = run_inline(plain(), request)
    assert (reply.failed.code, reply.failed.advice) == (
        pb.FAILURE_CODE_AGENT_ERROR,
        pb.ADVICE_PARK,
    )
    assert "total: expected int, found 'x'" in reply.failed.message
    assert reply.base == b"b" * 16


def test_another_revision_is_refused() -> None:
    request = pb.TurnRequest(events=[pb.Event(type="order.a")], revision_pin="2")
    reply = run_inline(plain(), request)
    assert reply.failed.code == pb.FAILURE_CODE_UNKNOWN_AGENT
    assert run_inline(
        plain(), pb.TurnRequest(events=[pb.Event(type="order.a")], revision_pin="1")
    ).HasField("completed")


async def test_the_deadline_cancels_a_handler_and_keeps_the_prefix() -> None:
    agent = Agent("order", Order)
    was_cancelled = asyncio.Event()

    @agent.on("fast")
    async def fast(turn: Turn[Order], event: Event) -> None:
        turn.state.total += 1

    @agent.on("slow")
    async def slow(turn: Turn[Order], event: Event) -> None:
        turn.state.total += 10
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled.set()
            raise

    events = [pb.Event(id="1", type="fast"), pb.Event(id="2", type="slow")]
    deadline = asyncio.get_running_loop().time() + 0.02
    reply = await run(agent, pb.TurnRequest(events=events), deadline=deadline)
    assert was_cancelled.is_set()
    assert reply.failed.code == pb.FAILURE_CODE_DEADLINE_EXCEEDED
    assert reply.failed.event_id == "2"
    assert list(reply.taken_event_ids) == ["1"]
    assert [mutation.set for mutation in reply.mutations] == [b"1"]


async def test_a_handler_that_swallows_the_deadline_is_kept_and_the_next_one_cancelled() -> None:
    agent = Agent("order", Order)

    @agent.on("*")
    async def handle(turn: Turn[Order], event: Event) -> None:
        turn.state.total += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if event.id != "stubborn":
                raise

    events = [pb.Event(id="stubborn", type="x"), pb.Event(id="2", type="x")]
    deadline = asyncio.get_running_loop().time() + 0.02
    reply = await run(agent, pb.TurnRequest(events=events), deadline=deadline)
    assert list(reply.taken_event_ids) == ["stubborn"]
    assert reply.failed.code == pb.FAILURE_CODE_DEADLINE_EXCEEDED
    assert reply.failed.event_id == "2"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_error_while_the_deadline_cancels_is_told_as_it_is() -> None:
    agent = Agent("a")

    @agent.on("*")
    async def handle(turn: Any, event: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            fails()

    deadline = asyncio.get_running_loop().time() + 0.02
    reply = await run(agent, pb.TurnRequest(events=[pb.Event(type="x")]), deadline=deadline)
    assert reply.failed.code == pb.FAILURE_CODE_AGENT_ERROR
    assert "no such cake" in reply.failed.message


async def test_a_turn_cancelled_together_with_its_deadline_is_cancelled() -> None:
    agent = Agent("a")
    cancel_too: list[Callable[[], object]] = []

    @agent.on("*")
    async def handle(turn: Any, event: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancel_too[0]()
            raise

    deadline = asyncio.get_running_loop().time() + 0.02
    request = pb.TurnRequest(events=[pb.Event(type="x")])
    task = asyncio.ensure_future(run(agent, request, deadline=deadline))
    cancel_too.append(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_that_is_over_leaves_nothing_behind() -> None:
    agent = Agent("a")

    @agent.on("*")
    async def handle(turn: Any, event: Any) -> None:
        await asyncio.sleep(0)

    loop = asyncio.get_running_loop()
    deadline = loop.time() + 0.02
    request = pb.TurnRequest(events=[pb.Event(type="x"), pb.Event(type="x")])
    reply = await run(agent, request, deadline=deadline)
    assert reply.HasField("completed")
    is_over = asyncio.Event()
    loop.call_at(deadline + 0.001, is_over.set)
    await is_over.wait()  # were the turn's timer still set, it would cancel this test


@pytest.mark.parametrize("error", [TimeoutError, asyncio.CancelledError])
async def test_a_handlers_own_timeout_or_cancel_is_its_failure(
    error: Callable[[], BaseException],
) -> None:
    agent = Agent("a")

    @agent.on("*")
    async def handle(turn: Any, event: Any) -> None:
        raise error()

    deadline = asyncio.get_running_loop().time() + 60
    reply = await run(agent, pb.TurnRequest(events=[pb.Event(type="x")]), deadline=deadline)
    assert reply.failed.code == pb.FAILURE_CODE_AGENT_ERROR


async def test_cancelling_the_turn_itself_is_no_failure() -> None:
    agent = Agent("a")
    started = asyncio.Event()

    @agent.on("*")
    async def handle(turn: Any, event: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(run(agent, pb.TurnRequest(events=[pb.Event(type="x")])))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_asend_runs_in_the_callers_loop() -> None:
    result = await AgentTester(later()).asend("1", "order.a")
    assert result.state.total == 1


def test_a_turn_knows_where_it_is() -> None:
    agent = Agent("order", Order)
    seen: list[Any] = []

    @agent.on("*")
    def handle(turn: Turn[Order], event: Event) -> None:
        keys = (turn.step_key(event, "charge"), turn.step_key(event, "mail"))
        seen.append((turn.address, turn.turn_number, turn.attempt, turn.idempotency_key, keys))

    tester = AgentTester(agent)
    event = tester.event("x", id="e")
    tester.send_batch("17", [event], attempt=1)
    tester.send_batch("17", [tester.event("y"), event], attempt=2)
    tester.send_batch("18", [event])
    first, _, again, other = seen
    assert first[:3] == ("order/17", 1, 1)
    assert again[:3] == ("order/17", 2, 2)
    assert first[4] == again[4]
    assert len({*first[4], *other[4]}) == 4
    assert first[3] != again[3]


@dataclass
class Note:
    text: str


def test_outputs_carry_what_was_asked_for() -> None:
    agent = Agent("a")
    noon = datetime(2024, 5, 1, tzinfo=UTC)

    @agent.on("*")
    def handle(turn: Turn[Any], event: Event) -> None:
        turn.emit("t", {"when": noon, "note": Note("ü")}, subject="s", extensions={"tenant": "x"})
        turn.emit("b", b"\x00", datacontenttype="image/png")
        turn.emit("c", b"\x00")
        turn.cancel_timer("old")
        turn.set_timer("after", timedelta(seconds=2))
        turn.set_timer("at", noon, {"n": 1})

    agent.on("log")(lambda turn, event: turn.emit("t", Log()))
    tester = AgentTester(agent)
    reply = tester.send("1", "x").reply
    assert list(reply.outputs) == [
        pb.Output(
            type="t",
            data='{"when":"2024-05-01T00:00:00+00:00","note":{"text":"ü"}}'.encode(),
            subject="s",
            extensions={"tenant": "x"},
        ),
        pb.Output(type="b", data=b"\x00", datacontenttype="image/png"),
        pb.Output(type="c", data=b"\x00", datacontenttype="application/octet-stream"),
    ]
    assert list(reply.timers) == [
        pb.TimerChange(name="old", cancel=True),
        pb.TimerChange(name="after", after_ms=2000),
        pb.TimerChange(name="at", at_us=1714521600_000000, data=b'{"n":1}'),
    ]
    failed = tester.send("1", "log").failure
    assert failed is not None
    assert "Log cannot be sent as JSON" in failed.message


@pytest.mark.parametrize(
    "act",
    [
        lambda turn: turn.emit(""),
        lambda turn: turn.emit("t", extensions={"Tenant": "x"}),
        lambda turn: turn.emit("t", float("nan")),
        lambda turn: turn.send("billing", "t"),
        lambda turn: turn.set_timer("", timedelta(1)),
        lambda turn: turn.set_timer("n", datetime(2024, 5, 1)),  # noqa: DTZ001 - that is the point
    ],
)
def test_what_would_break_the_contract_fails_at_its_line(act: Callable[[Turn[Any]], None]) -> None:
    agent = Agent("a")
    agent.on("*")(lambda turn, event: act(turn))
    result = AgentTester(agent).send("1", "x")
    assert result.failure is not None
    assert result.failure.message.startswith("ValueError")
    assert not result.reply.outputs


def test_an_event_is_a_typed_view() -> None:
    event = Event(
        pb.Event(
            id="1",
            source="s",
            type="t",
            subject="sub",
            time_us=1_000_001,
            datacontenttype="application/vnd.x+json; charset=utf-8",
            data=b"[1]",
            extensions={"tenant": "x"},
            correlation_id="c",
        )
    )
    assert event.time == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)
    assert (event.data, event.raw, event.extensions) == ([1], b"[1]", {"tenant": "x"})
    assert event.data is event.data
    assert (event.subject, event.correlation_id) == ("sub", "c")
    plain = Event(pb.Event(datacontenttype="text/plain", data=b"[1]"))
    assert (plain.data, plain.time) == (b"[1]", None)


def test_only_the_window_of_a_log_travels() -> None:
    agent = Agent("order", Order)
    windows: list[tuple[int, list[str]]] = []

    @agent.on("*")
    def handle(turn: Turn[Order], event: Event) -> None:
        windows.append((len(turn.state.notes), list(turn.state.notes)))
        turn.state.notes.append(event.id)

    tester = AgentTester(agent, log_window=2)
    for name in "abcd":
        result = tester.send("1", "x", id=name)
    assert windows[-1] == (3, ["b", "c"])
    assert result.stored.logs["notes"] == (b'"a"', b'"b"', b'"c"', b'"d"')
