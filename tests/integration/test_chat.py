"""The chat agent against a server that speaks the chat-completions API, well and badly."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from headgate.sdk.run import run
from headgate.sdk.testing import AgentTester, TurnResult
from headgate.v1 import agent_pb2 as pb
from headgate.v1 import agent_pb2_grpc
from tests import reference_agents
from tests.integration.completions_server import Says, ScriptedCompletions, call, text

pytest.importorskip("httpx", reason="httpx is not installed (extra [chat])")

chat = reference_agents.load("chat")
completions = reference_agents.load("chat", "completions")

KEY = "sk-a-very-secret-key"

tools = chat.Tools()
looked_up: list[str] = []


@tools.add
def order_status(order: str) -> str:
    """Tell where an order is."""
    if order == "0":
        message = "no such order"
        raise LookupError(message)
    looked_up.append(order)
    return "on its way"


@contextmanager
def talking(
    *script: Says, timeout_seconds: float = 30.0, **more: Any
) -> Iterator[tuple[ScriptedCompletions, AgentTester[Any]]]:
    """Serve a script and talk with an agent that asks there."""
    with ScriptedCompletions(*script) as server:
        settings = chat.Settings(server.url, "small", KEY, timeout_seconds)
        tester = AgentTester(chat.make_agent(chat.Completions(settings), tools, **more))
        yield server, tester
        tester.close()


def say(tester: AgentTester[Any], words: str = "where is 17?", **more: Any) -> TurnResult[Any]:
    return tester.send("customer-1", "chat.message", {"text": words}, **more)


def roles(asked: dict[str, Any]) -> list[str]:
    return [message["role"] for message in asked["messages"]]


def test_the_servers_spans_can_be_in_the_turns_trace() -> None:
    span = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with talking(text("Hello.")) as (server, tester):
        request = pb.TurnRequest(
            agent_type="chat",
            key="customer-1",
            traceparent=span,
            events=[pb.Event(id="1", type="chat.message", data=b'{"text": "Hi."}')],
        )
        assert asyncio.run(run(tester._agent, request)).HasField("completed")
    assert server.headers[0]["traceparent"] == span


def test_a_message_is_answered_and_both_are_kept() -> None:
    with talking(text("Hello."), text("As I said.")) as (server, tester):
        first = say(tester, "Hi.")
        second = say(tester, "What?")
    assert [r.outputs[0].data["text"] for r in (first, second)] == ["Hello.", "As I said."]
    assert [message.content for message in second.state.messages] == [
        "Hi.",
        "Hello.",
        "What?",
        "As I said.",
    ]
    # Appended, never rewritten: the second turn wrote its own two messages.
    assert [mutation.WhichOneof("change") for mutation in second.reply.mutations] == ["append"] * 2
    assert roles(server.asked[1]) == ["system", "user", "assistant", "user"]
    assert server.asked[0]["model"] == "small"
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_usage_is_reported_for_every_call_of_the_model() -> None:
    with talking(call(("order_status", '{"order": "17"}')), text("Soon.")) as (_, tester):
        result = say(tester)
    used = [(usage.model, usage.input_tokens, usage.output_tokens) for usage in result.usage]
    assert used == [("small-1", 11, 7)] * 2


def test_a_tool_is_called_and_its_result_told() -> None:
    script = (call(("order_status", '{"order": "17"}'), ("order_status", '{"order": "18"}')),)
    looked_up.clear()
    with talking(*script, text("Both are on their way.")) as (server, tester):
        result = say(tester)
    assert looked_up == ["17", "18"]
    assert result.outputs[0].data["text"] == "Both are on their way."
    assert result.outputs[0].data["tools"] == ["order_status"] * 2
    assert roles(server.asked[1]) == ["system", "user", "assistant", "tool", "tool"]
    results = [m for m in server.asked[1]["messages"] if m["role"] == "tool"]
    assert [(m["tool_call_id"], m["content"]) for m in results] == [
        ("call-0", "on its way"),
        ("call-1", "on its way"),
    ]
    names = [tool["function"]["name"] for tool in server.asked[0]["tools"]]
    assert names == ["order_status"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [('{"order": "0"}', "LookupError: no such order"), ('{"order": 17}', "order: expected str")],
)
def test_a_tool_that_fails_is_the_models_to_mend(arguments: str, told: str) -> None:
    with talking(call(("order_status", arguments)), text("I cannot.")) as (server, tester):
        result = say(tester)
    assert result.failure is None
    error = json.loads(server.asked[1]["messages"][-1]["content"])["error"]
    assert error.startswith(told)


def test_a_model_that_goes_round_and_round_is_stopped() -> None:
    circling = call(("order_status", '{"order": "17"}'))
    with talking(circling, circling, text("Enough."), rounds=2) as (server, tester):
        assert say(tester).outputs[0].data["text"] == "Enough."
    assert [asked["tool_choice"] for asked in server.asked] == ["auto", "auto", "none"]
    with talking(circling, circling, circling, rounds=2) as (server, tester):
        result = say(tester)
    assert result.failure is not None
    assert result.failure.advice == "DEAD_LETTER"
    assert len(server.asked) == len(result.usage) == 3  # paid for all the same
    assert not result.reply.mutations


def test_a_long_conversation_is_shown_from_a_users_message_on() -> None:
    answers = [call(("order_status", '{"order": "17"}')), text("A."), text("B."), text("C.")]
    with talking(*answers, context=4) as (server, tester):
        for words in ("one", "two", "three"):
            say(tester, words)
    assert [roles(asked) for asked in server.asked] == [
        ["system", "user"],
        ["system", "user", "assistant", "tool"],
        ["system", "user"],  # "one" with its tool call would be five messages
        ["system", "user", "assistant", "user"],
    ]


def test_a_call_has_the_same_key_when_the_turn_is_tried_again() -> None:
    with talking(Says(status=503), text("Hello."), text("Hello.")) as (server, tester):
        for event_id, attempt in (("e1", 1), ("e1", 2), ("e2", 1)):
            event = tester.event("chat.message", {"text": "Hi."}, id=event_id)
            tester.send_batch("customer-1", [event], attempt=attempt)
    first, again, other = [headers["Idempotency-Key"] for headers in server.headers]
    assert first == again != other


@pytest.mark.parametrize(
    ("says", "code", "advice", "seconds"),
    [
        (Says({"error": {"message": "slow down"}}, 429), "AGENT_ERROR", "RETRY", 0),
        (Says({}, 429, {"Retry-After": "7"}), "AGENT_ERROR", "RETRY", 7),
        (Says({}, 503, {"Retry-After": "1e9"}), "AGENT_ERROR", "RETRY", 3600),
        (Says({}, 503, {"Retry-After": "soon"}), "AGENT_ERROR", "RETRY", 0),
        (Says(b"<html>bad gateway</html>", 502), "AGENT_ERROR", "RETRY", 0),
        (Says({"error": "too long"}, 400), "TERMINAL", "DEAD_LETTER", 0),
        (Says(b"", 422), "TERMINAL", "DEAD_LETTER", 0),
        (Says({"error": {"message": f"wrong key {KEY}"}}, 401), "AGENT_ERROR", "PARK", 0),
        (Says({"error": {"message": "no model small"}}, 404), "AGENT_ERROR", "PARK", 0),
        (Says(b"not json"), "AGENT_ERROR", "RETRY", 0),
        (Says({"choices": []}), "AGENT_ERROR", "RETRY", 0),
        (Says([1]), "AGENT_ERROR", "RETRY", 0),
        (text("x" * (5 << 20)), "AGENT_ERROR", "RETRY", 0),
        (Says({"choices": []}, drops=True), "AGENT_ERROR", "RETRY", 0),
        (Says(hangs=True), "AGENT_ERROR", "RETRY", 0),
        (Says(b"x" * 100_000, drips=True), "AGENT_ERROR", "RETRY", 0),
    ],
    ids=lambda value: None if isinstance(value, Says) else str(value),
)
def test_a_failure_of_the_server(
    says: Says, code: str, advice: str, seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # Short only where the answer never comes.
    with talking(says, timeout_seconds=0.5 if says.hangs or says.drips else 30.0) as (_, tester):
        result = say(tester)
    failure = result.failure
    assert failure is not None
    assert (failure.code, failure.advice) == (code, advice)
    assert failure.retry_after.total_seconds() == seconds
    assert not result.reply.mutations
    assert KEY not in failure.message
    assert KEY not in caplog.text


def test_a_server_that_is_not_there() -> None:
    with ScriptedCompletions() as gone:
        url = gone.url
    tester = AgentTester(chat.make_agent(chat.Completions(chat.Settings(url, "small")), tools))
    failure = say(tester).failure
    tester.close()
    assert failure is not None
    assert failure.advice == "RETRY"


async def test_it_is_served_with_the_tools_of_a_file() -> None:
    script = (call(("delivery_days", '{"kind": "parcel", "is_abroad": true}')), text("Nine."))
    folder = reference_agents.AGENTS / "chat"
    command = [str(folder / "agent.py"), "--port=0", f"--tools={folder / 'sample_tools.py'}"]
    with ScriptedCompletions(*script) as server:
        environment = {"CHAT_BASE_URL": server.url, "CHAT_MODEL": "small", "CHAT_API_KEY": KEY}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | environment,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                line = (await process.stdout.readline()).decode()
            assert line.startswith("serving chat on ")
            event = pb.Event(id="e", type="chat.message", data=b'{"text": "How long abroad?"}')
            async with grpc.aio.insecure_channel(line.split()[-1]) as channel:
                stub: Any = agent_pb2_grpc.AgentServiceStub(channel)
                reply = await stub.Turn(pb.TurnRequest(agent_type="chat", key="1", events=[event]))
        finally:
            process.terminate()
            rest, _ = await process.communicate()
    assert json.loads(reply.outputs[0].data)["text"] == "Nine."
    assert server.asked[1]["messages"][-1]["content"] == "9"
    assert KEY not in line + rest.decode()


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    later = (now + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert completions.retry_after(later, now) == 90
    assert completions.retry_after("Thu, 01 Jan 2026 11:00:00 GMT", now) == 0
    assert completions.retry_after("nan", now) is None


def test_settings_come_from_the_environment_and_hide_the_key(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(f"{KEY}\n")
    environment = {"CHAT_BASE_URL": "http://localhost:1/v1/", "CHAT_MODEL": "small"}
    assert chat.Settings.read(environment | {"CHAT_API_KEY": "a"}).api_key == "a"
    settings = chat.Settings.read(environment | {"CHAT_API_KEY_FILE": str(key_file)})
    assert (settings.api_key, settings.base_url) == (KEY, "http://localhost:1/v1")
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"CHAT_MODEL": ""}, "CHAT_MODEL"),
        ({"CHAT_BASE_URL": "localhost"}, "CHAT_BASE_URL"),
        ({"CHAT_API_KEY_FILE": "/nowhere"}, "CHAT_API_KEY_FILE"),
        ({"CHAT_TIMEOUT_SECONDS": "long"}, "CHAT_TIMEOUT_SECONDS"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(SystemExit, match=told):
        chat.Settings.read({"CHAT_BASE_URL": "http://x", "CHAT_MODEL": "small"} | wrong)


@pytest.mark.parametrize("data", [None, "hi", {}, {"text": " "}, {"text": 3}])
def test_what_is_no_message_costs_no_call(data: Any) -> None:
    with talking() as (server, tester):
        result = tester.send("customer-1", "chat.message", data)
    assert result.failure is not None
    assert result.failure.code == "TERMINAL"
    assert server.asked == []
