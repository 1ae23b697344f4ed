"""Agent services made from the .proto alone, in Go and in Node: what the runtime makes of them."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from headgate.core.outcome import outcome_of
from headgate.rpc.health import ask
from headgate.rpc.wire import SERVICE
from headgate.sdk.testing import Stored
from headgate.v1 import agent_pb2 as pb
from headgate.v1 import agent_pb2_grpc
from headgate.v1.turn_pb2 import Call, Outcome, Policy

EXAMPLES = Path(__file__).parents[2] / "examples"
GO_STUBS = EXAMPLES / "go" / "headgatev1" / "agent.pb.go"
# The first build compiles gRPC: a minute on two slow cores. Later ones find it in Go's cache.
BUILD_SECONDS = 300


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build the Go example; return the command that serves it."""
    folder = EXAMPLES / "go"
    if shutil.which("go") is None:
        pytest.skip("no go on the PATH")
    wanted = re.findall(r"^go (\d+)\.(\d+)", (folder / "go.mod").read_text(), re.MULTILINE)
    have = re.findall(r"go(\d+)\.(\d+)", build(["go", "version"], folder))
    if [int(part) for part in have[0]] < [int(part) for part in wanted[0]]:
        pytest.skip(f"go {'.'.join(have[0])} is older than the {'.'.join(wanted[0])} of go.mod")
    program = tmp_path_factory.mktemp("go") / "tally"
    build(["go", "build", "-buildvcs=false", "-o", str(program), "."], folder)
    return [str(program)]


@pytest.fixture(scope="module")
def node() -> list[str]:
    """Install what the Node example needs, as locked; return the command that serves it."""
    folder = EXAMPLES / "node"
    if shutil.which("npm") is None:
        pytest.skip("no npm on the PATH")
    installed, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        build(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return ["node", str(folder / "agent.js")]


def build(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass
class Tally:
    """A running service, and what is stored of its one instance."""

    stub: Any
    address: str
    is_stream: bool
    stored: Stored = field(default_factory=Stored)
    turns: int = 0

    async def turn(self, *datas: bytes) -> Outcome:
        """Run a turn, let the core judge its reply as Invoke does, and apply the outcome."""
        self.turns += 1
        base = self.turns.to_bytes(16, "big")
        request = pb.TurnRequest(
            request_id=base + b"\x01",
            agent_type="tally",
            key="17",
            base=base,
            turn=self.turns,
            attempt=1,
            state=pb.State(values=self.stored.values),
            deadline_ms=30_000,
        )
        for place, data in enumerate(datas):
            request.events.add(id=f"e{place}", source="test", type="tally.add", data=data)
        for name, items in self.stored.logs.items():
            request.state.logs[name].CopyFrom(pb.LogWindow(length=len(items), items=items))
        reply = await self._ask(request)
        assert reply.request_id == request.request_id
        outcome = outcome_of(
            Call(request=request, policy=Policy(max_attempts=3, backoff_initial_ms=10)),
            reply,
            outcome_id=base,
            called_us=1,
            answered_us=2,
            max_record_bytes=1_000_000,
        )
        self.stored = self.stored.apply(outcome.mutations)
        return outcome

    async def _ask(self, request: pb.TurnRequest) -> pb.TurnReply:
        if not self.is_stream:
            unary: pb.TurnReply = await self.stub.Turn(request, timeout=30)
            return unary
        # A neighbour in the same message, of a type that is not served here: answered as well.
        stranger = pb.TurnRequest(request_id=b"other", agent_type="other", events=request.events)
        stream = self.stub.Turns(timeout=30)
        await stream.write(pb.TurnRequestBatch(requests=[stranger, request]))
        replies: dict[bytes, pb.TurnReply] = {}
        while len(replies) < 2:
            replies |= {each.request_id: each for each in (await stream.read()).replies}
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        assert replies[b"other"].failed.code == pb.FAILURE_CODE_UNKNOWN_AGENT
        return replies[request.request_id]


@pytest.fixture(params=["Turns", "Turn"])
def is_stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "Turns")


@pytest.fixture(params=["go", "node"])
async def tally(request: pytest.FixtureRequest, is_stream: bool) -> AsyncIterator[Tally]:
    command: list[str] = request.getfixturevalue(request.param)
    process = await asyncio.create_subprocess_exec(
        *command, "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("serving tally on 127.0.0.1:")
        address = line.split()[-1]
        async with grpc.aio.insecure_channel(address) as channel:
            yield Tally(agent_pb2_grpc.AgentServiceStub(channel), address, is_stream)
    finally:
        process.terminate()
        async with asyncio.timeout(30):
            code = await process.wait()
    assert code == 0


async def test_it_says_what_it_is(tally: Tally) -> None:
    answer = await asyncio.to_thread(ask, tally.address, 30.0)
    assert (answer.health, answer.problem) == ("serving", "")
    assert answer.revisions == (("tally", "1"),)
    async with grpc.aio.insecure_channel(tally.address) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        async for reply in asked:
            names = {service.name for service in reply.list_services_response.service}
            break
    assert SERVICE in names


async def test_state_is_carried_from_turn_to_turn(tally: Tally) -> None:
    first = await tally.turn(b'{"amount": 5}', b'{"amount": -7}')
    second = await tally.turn(b'{"amount": 40}')
    assert [outcome.WhichOneof("verdict") for outcome in (first, second)] == ["completed"] * 2
    assert [len(outcome.taken) for outcome in (first, second)] == [2, 1]
    assert [output.cause for output in first.outputs] == [0, 1]
    totals = [json.loads(output.data)["total"] for o in (first, second) for output in o.outputs]
    assert totals == [5, -2, 38]
    assert tally.stored.values == {"total": b"38"}
    assert tally.stored.logs == {"amounts": (b"5", b"-7", b"40")}


async def test_what_came_before_a_bad_event_still_counts(tally: Tally) -> None:
    outcome = await tally.turn(b'{"amount": 5}', b"five", b'{"amount": 6}')
    assert outcome.failed.code == pb.FAILURE_CODE_TERMINAL
    assert outcome.failed.dead_letter.event_id == "e1"
    assert tally.stored.values == {"total": b"5"}


async def test_a_state_that_it_cannot_read_parks_the_instance(tally: Tally) -> None:
    tally.stored = Stored(values={"total": b"{"})
    outcome = await tally.turn(b'{"amount": 5}')
    assert outcome.failed.park
    assert not outcome.mutations


def test_the_go_stubs_are_those_of_the_contract() -> None:
    text = GO_STUBS.read_text("utf-8").partition('_rawDesc = ""')[2].partition("\n\n")[0]
    literals = re.findall(r'^\t("(?:[^"\\]|\\.)*")', text, re.MULTILINE)
    embedded = b"".join(ast.literal_eval(f"b{literal}") for literal in literals)
    embedded_file = FileDescriptorProto.FromString(embedded)
    our_file = FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
    # protoc's plugins embed JSON names; Python's stubs leave them out.
    for message in (each for file in (embedded_file, our_file) for each in messages(file)):
        for each in message.field:
            each.ClearField("json_name")
    assert embedded_file == our_file


def messages(file: Any) -> Iterator[Any]:
    for message in file.message_type:
        yield from (message, *message.nested_type)
