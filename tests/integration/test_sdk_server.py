"""A real server and real clients: the three calls, health, reflection, limits and draining."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from headgate.sdk import Agent, Event, Server, Turn
from headgate.sdk.errors import DefinitionError, ServeError
from headgate.v1 import agent_pb2 as pb
from headgate.v1 import agent_pb2_grpc

ECHO = Path(__file__).parents[2] / "agents" / "echo" / "agent.py"
SERVICE = "headgate.v1.AgentService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Gates:
    """An agent whose handlers wait until the test opens the gate of their key."""

    def __init__(self) -> None:
        self.agent = Agent("gated")
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.most = 0
        self._running = 0
        self._open: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Condition()
        self.agent.on("*")(self._handle)

    def gate(self, key: str) -> asyncio.Event:
        return self._open.setdefault(key, asyncio.Event())

    async def until(self, holds: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(holds)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _handle(self, turn: Turn[Any], event: Event) -> None:
        self.started.append(turn.key)
        self._running += 1
        self.most = max(self.most, self._running)
        await self._tell()
        try:
            await self.gate(turn.key).wait()
        except asyncio.CancelledError:
            self.cancelled.append(turn.key)
            raise
        finally:
            self._running -= 1
            await self._tell()
        turn.emit("opened", {"key": turn.key})


def plain() -> Agent[Any]:
    agent = Agent("plain", revision="9", summary="Says it back")
    agent.on("plain.*")(lambda turn, event: turn.emit("said", event.data))
    return agent


def request(kind: str, key: str, *, data: bytes = b"1", deadline_ms: int = 0) -> pb.TurnRequest:
    return pb.TurnRequest(
        request_id=key.encode(),
        agent_type=kind,
        key=key,
        base=key.encode().ljust(16, b"."),
        turn=1,
        attempt=1,
        deadline_ms=deadline_ms,
        events=[pb.Event(id=f"e{key}", source="test", type=f"{kind}.x", data=data)],
    )


def many(kind: str, *keys: str, deadline_ms: int = 0) -> pb.TurnRequestBatch:
    return pb.TurnRequestBatch(
        requests=[request(kind, key, deadline_ms=deadline_ms) for key in keys]
    )


@asynccontextmanager
async def serving(*agents: Agent[Any], **options: Any) -> AsyncIterator[tuple[Server, Any]]:
    async with (
        asyncio.timeout(30),  # a test that waits for what never comes fails here
        Server(*agents, port=0, **options) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield server, channel


async def read_replies(call: Any, count: int) -> list[pb.TurnReply]:
    replies: list[pb.TurnReply] = []
    while len(replies) < count:
        batch = await call.read()
        assert batch is not grpc.aio.EOF
        replies.extend(batch.replies)
    assert len(replies) == count
    return replies


def keys_of(replies: list[pb.TurnReply]) -> list[str]:
    return [reply.request_id.decode() for reply in replies]


async def test_a_unary_turn_is_answered() -> None:
    async with serving(plain()) as (_, channel):
        stub = agent_pb2_grpc.AgentServiceStub(channel)
        reply = await stub.Turn(request("plain", "17", data=b'{"a":1}'))
    assert reply.request_id == b"17"
    assert reply.base == b"17".ljust(16, b".")
    assert list(reply.taken_event_ids) == ["e17"]
    assert reply.WhichOneof("result") == "completed"
    assert [output.data for output in reply.outputs] == [b'{"a":1}']
    assert reply.revision == "9"


async def test_describe_tells_what_is_hosted() -> None:
    async with serving(plain(), Agent("other")) as (_, channel):
        told = await agent_pb2_grpc.AgentServiceStub(channel).Describe(pb.DescribeRequest())
    assert told.contract_version == 1
    assert told.serves_turns_stream
    assert told.sdk.startswith("headgate-python/")
    assert [agent.type for agent in told.agents] == ["plain", "other"]
    assert list(told.agents[0].event_types) == ["plain.*"]


async def test_turns_are_answered_as_they_finish_not_as_they_came() -> None:
    gates = Gates()
    keys = [str(number) for number in range(200)]
    async with serving(gates.agent) as (_, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        for start in range(0, 200, 50):
            await call.write(many("gated", *keys[start : start + 50]))
        await gates.until(lambda: len(gates.started) == 200)
        for start in (150, 0, 100, 50):
            for key in keys[start : start + 50]:
                gates.gate(key).set()
            replies = await read_replies(call, 50)
            assert sorted(keys_of(replies)) == sorted(keys[start : start + 50])
            for reply in replies:
                key = reply.request_id.decode()
                assert reply.base == key.encode().ljust(16, b".")
                assert [output.data.decode() for output in reply.outputs] == [f'{{"key":"{key}"}}']
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_replies_travel_in_batches() -> None:
    gates = Gates()
    keys = [str(number) for number in range(100)]
    async with serving(gates.agent) as (_, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        await call.write(many("gated", *keys))
        await gates.until(lambda: len(gates.started) == 100)
        for key in keys:
            gates.gate(key).set()
        batch = await call.read()
        call.cancel()
    assert len(batch.replies) > 10


async def test_five_thousand_plain_turns_over_one_stream() -> None:
    keys = [str(number) for number in range(5000)]
    async with serving(plain()) as (_, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()

        async def write() -> None:
            for start in range(0, 5000, 250):
                await call.write(many("plain", *keys[start : start + 250]))
            await call.done_writing()

        writing = asyncio.ensure_future(write())
        replies = await read_replies(call, 5000)
        await writing
    assert keys_of(replies) == keys
    assert all(reply.HasField("completed") for reply in replies)


async def test_batches_stay_under_the_size_that_clients_accept() -> None:
    data = b'"' + b"x" * 400_000 + b'"'
    async with serving(plain()) as (_, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        for start in range(0, 30, 5):
            batch = [request("plain", str(n), data=data) for n in range(start, start + 5)]
            await call.write(pb.TurnRequestBatch(requests=batch))
        replies = await read_replies(call, 30)  # gRPC's default: 4 MiB, or RESOURCE_EXHAUSTED
        call.cancel()
    assert len(set(keys_of(replies))) == 30


async def test_no_more_turns_at_once_than_allowed() -> None:
    gates = Gates()
    keys = [str(number) for number in range(20)]
    async with serving(gates.agent, max_turns=3) as (_, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        for key in keys:
            await call.write(many("gated", key))
        await gates.until(lambda: len(gates.started) == 3)
        for key in keys:
            gates.gate(key).set()
        replies = await read_replies(call, 20)
        call.cancel()
    assert sorted(keys_of(replies)) == sorted(keys)
    assert gates.started == keys
    assert gates.most == 3


async def test_the_deadline_ends_a_turn_and_one_that_waited_past_it_is_not_run() -> None:
    gates = Gates()
    async with serving(gates.agent, max_turns=1) as (_, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        await call.write(many("gated", "first", "second", deadline_ms=30))
        replies = await read_replies(call, 2)
        call.cancel()
    assert gates.started == ["first"]
    assert gates.cancelled == ["first"]
    assert {reply.failed.code for reply in replies} == {pb.FAILURE_CODE_DEADLINE_EXCEEDED}
    assert [reply.failed.event_id for reply in replies] == ["efirst", "esecond"]


@pytest.mark.parametrize("is_stream", [True, False])
async def test_turns_of_a_caller_that_left_are_cancelled(is_stream: bool) -> None:
    gates = Gates()
    async with serving(gates.agent) as (_, channel):
        stub = agent_pb2_grpc.AgentServiceStub(channel)
        if is_stream:
            call = stub.Turns()
            await call.write(many("gated", "1"))
        else:
            call = stub.Turn(request("gated", "1"))
        await gates.until(lambda: gates.started == ["1"])
        call.cancel()
        await gates.until(lambda: gates.cancelled == ["1"])


async def test_a_failing_turn_costs_its_neighbours_nothing() -> None:
    agent = Agent("mixed")

    @agent.on("*")
    async def handle(turn: Turn[Any], event: Event) -> None:
        if event.data != 1:
            message = "not one"
            raise ValueError(message)

    async with serving(agent) as (_, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        batch = many("mixed", "1", "2", "3")
        batch.requests[1].events[0].data = b"2"
        await call.write(batch)
        replies = {reply.request_id: reply for reply in await read_replies(call, 3)}
        call.cancel()
    assert [replies[key].WhichOneof("result") for key in (b"1", b"2", b"3")] == [
        "completed",
        "failed",
        "completed",
    ]
    assert replies[b"2"].failed.message == "ValueError: not one"


async def test_requests_that_make_no_sense_are_answered() -> None:
    async with serving(plain()) as (_, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        empty = pb.TurnRequest(request_id=b"e", agent_type="plain", base=b"b")
        await call.write(pb.TurnRequestBatch(requests=[request("nobody", "1"), empty]))
        await call.write(pb.TurnRequestBatch())
        unknown, without = await read_replies(call, 2)
        call.cancel()
    assert unknown.failed.code == pb.FAILURE_CODE_UNKNOWN_AGENT
    assert "hosted: plain" in unknown.failed.message
    assert without.base == b"b"
    assert "no events" in without.failed.message


@pytest.mark.parametrize("method", ["Turn", "Turns", "Describe", "Nothing"])
async def test_garbage_is_an_error_to_its_sender_alone(method: str) -> None:
    gates = Gates()
    async with serving(plain(), gates.agent) as (_, channel):
        neighbour = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        await neighbour.write(many("gated", "1"))
        await gates.until(lambda: gates.started == ["1"])

        path = f"/{SERVICE}/{method}"
        if method == "Turns":
            call = channel.stream_stream(path)()
            await call.write(b"\xff\xff\xff")
            code = await call.code()
        else:
            code = await channel.unary_unary(path)(b"\xff\xff\xff").code()
        assert code not in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)

        gates.gate("1").set()
        assert keys_of(await read_replies(neighbour, 1)) == ["1"]
        neighbour.cancel()


async def health_of(channel: Any, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    reply = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    status: int = reply.status
    return status


async def test_health_tells_serving_for_the_server_and_the_service() -> None:
    async with serving(plain()) as (_, channel):
        assert await health_of(channel, "") == SERVING
        assert await health_of(channel, SERVICE) == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_of(channel, "nobody")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_the_services() -> None:
    async with serving(plain()) as (_, channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        names = {each.name for each in (await call.read()).list_services_response.service}
        await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE))
        found = (await call.read()).file_descriptor_response.file_descriptor_proto
        call.cancel()
    assert {SERVICE, "grpc.health.v1.Health"} <= names
    assert any(b"TurnRequestBatch" in each for each in found)


async def test_draining_finishes_what_runs_and_takes_nothing_new() -> None:
    gates = Gates()
    async with serving(gates.agent, max_turns=2) as (server, channel):
        stub = agent_pb2_grpc.AgentServiceStub(channel)
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=SERVICE)
        )
        assert (await watch.read()).status == SERVING
        call = stub.Turns()
        await call.write(many("gated", "1", "2", "waiting"))
        await gates.until(lambda: len(gates.started) == 2)

        stopping = asyncio.ensure_future(server.stop())
        assert (await watch.read()).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Turn(request("gated", "new"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not stopping.done()

        gates.gate("1").set()
        gates.gate("2").set()
        assert sorted(keys_of(await read_replies(call, 2))) == ["1", "2"]
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        assert await stopping is True
    assert gates.started == ["1", "2"]


async def test_draining_finishes_unary_turns_and_sends_waiting_ones_elsewhere() -> None:
    gates = Gates()
    async with serving(gates.agent, max_turns=1) as (server, channel):
        stub = agent_pb2_grpc.AgentServiceStub(channel)
        running = stub.Turn(request("gated", "running"))
        await gates.until(lambda: gates.started == ["running"])
        waiting = stub.Turn(request("gated", "waiting"))
        # Calls arrive in their order: once this is back, the turn before it is waiting.
        await stub.Describe(pb.DescribeRequest())
        stopping = asyncio.ensure_future(server.stop())
        assert await waiting.code() is grpc.StatusCode.UNAVAILABLE
        gates.gate("running").set()
        assert (await running).HasField("completed")
        assert await stopping is True


async def test_draining_ends_when_its_time_is_up() -> None:
    gates = Gates()
    async with serving(gates.agent, drain_seconds=0.05) as (server, channel):
        call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
        await call.write(many("gated", "1"))
        await gates.until(lambda: gates.started == ["1"])
        assert await server.stop() is False
        await gates.until(lambda: gates.cancelled == ["1"])
        assert await call.code() is not grpc.StatusCode.OK


async def test_a_taken_port_is_told_in_a_sentence() -> None:
    async with Server(plain(), port=0) as server:
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(ServeError, match=f"cannot listen on 127.0.0.1:{port}: the port is"):
            await Server(plain(), port=port).start()
        out = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ECHO),
            "--port",
            str(port),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        # It used to hang at its end, one time in ten.
        _, told = await asyncio.wait_for(out.communicate(), 60)
    assert out.returncode == 1
    assert b"Traceback" not in told
    assert f"cannot listen on 127.0.0.1:{port}".encode() in told


@pytest.mark.parametrize("agents", [(), (plain(), plain())])
async def test_what_cannot_be_served_is_refused(agents: tuple[Agent[Any], ...]) -> None:
    with pytest.raises(DefinitionError, match="each name once"):
        await Server(*agents, port=0).start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_echo_agent_finish_its_turn(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ECHO),
        "--port=0",
        "--delay-ms=300",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        async with grpc.aio.insecure_channel(address) as channel:
            stub = agent_pb2_grpc.AgentServiceStub(channel)
            call = stub.Turns()
            # Two at a time: when the first pair is back, the second is certainly running.
            await call.write(many("echo", "1", "2"))
            await read_replies(call, 2)
            await call.write(many("echo", "3", "4"))
            await stub.Describe(pb.DescribeRequest())
            process.send_signal(number)
            assert (await process.stdout.readline()).strip() == b"draining"
            replies = await read_replies(call, 2)
            assert await call.read() is grpc.aio.EOF
        assert Counter(keys_of(replies)) == Counter(["3", "4"])
        assert [reply.mutations[0].set for reply in replies] == [b"1", b"1"]
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


STUCK = """
import time
from headgate.sdk import Agent, serve

agent = Agent("stuck")

@agent.on("*", threads=True)
def hang(turn, event):
    print("hangs", flush=True)
    time.sleep(1_000_000)

serve(agent, port=0, drain_seconds=0.2)
"""


async def test_a_handler_that_hangs_in_a_thread_does_not_keep_the_service_from_its_end() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUCK, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        async with grpc.aio.insecure_channel(address) as channel:
            call = agent_pb2_grpc.AgentServiceStub(channel).Turns()
            await call.write(many("stuck", "1", deadline_ms=50))
            assert (await process.stdout.readline()).strip() == b"hangs"
            # Its turn is over, and nobody waits for the handler any more.
            (reply,) = await read_replies(call, 1)
            assert reply.HasField("failed")
            process.send_signal(signal.SIGTERM)
            told = [(await process.stdout.readline()).strip() for _ in range(2)]
        assert told == [b"draining", b"left turns that ran longer than 0.2 s"]
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
