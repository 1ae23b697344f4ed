"""The front door on the running job: over HTTP, gRPC and the command line, and under kills."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from headgate.cli.ask import NoReplyError, NotTakenError
from headgate.config import load
from headgate.door.desk import Desk
from headgate.errors import HeadgateError
from headgate.rpc.query import QueryError
from headgate.sdk import Agent, Event, Turn
from headgate.sdk.calls import Refusal
from headgate.testing.serving import Serving
from headgate.testing.stack import HeadgateStack
from headgate.v1 import agent_pb2, door_pb2, door_pb2_grpc
from tests.flink.kills import Kills
from tests.flink.runtime import Runtime

pytestmark = [pytest.mark.flink, pytest.mark.slow]

REQUESTS, INSTANCES, CALLERS = 200, 10, 8
AGAIN_SECONDS = 3.0


@dataclass
class Count:
    """How often an instance was asked."""

    n: int = 0


def counter(name: str) -> Agent[Count]:
    """Make an agent that answers with how often it was asked."""
    agent = Agent(name, Count)

    @agent.on("count")
    def count(turn: Turn[Count], event: Event) -> Any:
        turn.state.n += 1
        turn.emit("counted", turn.state.n)
        return {"n": turn.state.n}

    @agent.on_query("count")
    def told(state: Count, data: Any) -> Any:
        return {"n": state.n, "asked": data}

    @agent.on("refuse")
    def refuse(turn: Turn[Count], event: Event) -> Any:
        return Refusal("closed")

    return agent


@contextmanager
def opened(config: Path, *options: str) -> Iterator[Any]:
    """Open a front door as one starts it, a process of its own; give where it listens."""
    command = [sys.executable, "-m", "headgate.cli.app", "door", "-o", "json", *options]
    ports = ["--http-port", "0", "--grpc-port", "0", "--config", str(config)]
    with subprocess.Popen([*command, *ports], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        text = ""
        for line in lines:
            text += line
            if line.startswith("}"):
                break
        try:
            yield json.loads(text)
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.fixture
def door(runtime: Runtime) -> Iterator[Any]:
    """A front door that asks nobody who he is."""
    with opened(runtime.path) as found:
        yield found


def await_known(http: httpx.Client, name: str, **headers: str) -> None:
    """Wait until the door has read that an agent is attached: it follows the registry by itself."""
    deadline = time.monotonic() + 30
    while http.get(f"/queries/{name}/x?name=count", headers=headers).status_code == 404:
        assert time.monotonic() < deadline


def named(caller: str, token: str, tenants: str) -> str:
    """Return a caller of a tokens file."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f'[callers.{caller}]\ntoken_sha256 = "{digest}"\ntenants = {tenants}\n'


def test_callers_reach_the_instances_of_their_tenants(runtime: Runtime, tmp_path: Path) -> None:
    name, tokens = runtime.fresh("counter"), tmp_path / "tokens.toml"
    tokens.write_text(named("shop", "of-acme", '["acme"]') + named("ops", "of-all", '["*"]'))
    with (
        Serving(counter(name)) as served,
        opened(runtime.path, "--tokens", str(tokens)) as door,
        httpx.Client(base_url=door["http"], timeout=60) as http,
        grpc.insecure_channel(door["grpc"]) as channel,
    ):
        given = ["--endpoint", served.endpoint, "--tenant-before", ":"]
        runtime.headgate("agents", "attach", name, *given)
        ours, theirs = f"/agents/{name}/acme:1", f"/agents/{name}/other:1"
        shop, ops = ({"authorization": f"Bearer {of}"} for of in ("of-acme", "of-all"))
        await_known(http, name, **ops)
        wait = {"prefer": "wait=60"}

        def asked(place: str, **headers: str) -> int:
            return http.post(f"{place}?type=count", headers={**wait, **headers}).status_code

        assert [asked(ours), asked(ours, authorization="Bearer x"), asked(theirs)] == [401] * 3
        assert [asked(theirs, **shop), asked(ours, **shop), asked(theirs, **ops)] == [403, 200, 200]
        assert http.get(ours, headers=shop).json()["values"] == {"n": 1}
        for place in (theirs, f"/requests/{name}/other:1?id=a", f"/workflows/{name}/other:1"):
            assert http.get(place, headers=shop).status_code == 403

        stub: Any = door_pb2_grpc.FrontDoorStub(channel)

        def state_of(key: str, *metadata: tuple[str, str]) -> Any:
            request = door_pb2.GetStateRequest(agent_type=name, key=key)
            try:
                return dict(stub.GetState(request, metadata=metadata, timeout=60).values)
            except grpc.RpcError as refused:
                return refused.code()

        as_shop = ("authorization", "Bearer of-acme")
        assert state_of("acme:1") is grpc.StatusCode.UNAUTHENTICATED
        assert state_of("other:1", as_shop) is grpc.StatusCode.PERMISSION_DENIED
        assert state_of("acme:1", as_shop) == {"n": b"1"}

        # The shop's token is replaced while the door serves.
        fresh = tmp_path / "fresh.toml"
        fresh.write_text(named("shop", "new", '["acme"]'))
        fresh.replace(tokens)
        deadline = time.monotonic() + 30
        while asked(ours, authorization="Bearer new") == 401:
            assert time.monotonic() < deadline
        assert (asked(ours, **shop), asked(ours, **ops)) == (401, 401)
        runtime.headgate("agents", "detach", name, "--now")
    runtime.assert_unharmed()


def test_a_door_over_http_grpc_and_the_command_line(runtime: Runtime, door: Any) -> None:
    name = runtime.fresh("counter")
    with Serving(counter(name)) as served, httpx.Client(base_url=door["http"], timeout=60) as http:
        assert http.post(f"/agents/{name}/a").status_code == 404
        runtime.headgate("agents", "attach", name, "--endpoint", served.endpoint)
        await_known(http, name)
        given = {"Idempotency-Key": "one", "prefer": "wait=60"}
        found = http.post(f"/agents/{name}/a?type=count", headers=given)
        assert (found.status_code, found.json().get("result")) == (200, {"n": 1}), found.text
        # The very same record as the outbox gets at the next checkpoint.
        (output,) = runtime.answers_of(f"{name}/a")
        assert found.json()["outputs"] == [{k: v for k, v in output.items() if k != "_record"}]
        assert http.post(f"/agents/{name}/a?type=count", headers=given).json() == found.json()
        state = http.get(f"/agents/{name}/a?at_least={found.json()['turn']}").json()
        assert (state["turn"], state["values"]) == (1, {"n": 1})
        found = http.post(f"/agents/{name}/a?type=refuse", headers={"prefer": "wait=60"})
        assert (found.status_code, found.json()["message"]) == (409, "closed")

        with grpc.insecure_channel(door["grpc"]) as channel:
            stub: Any = door_pb2_grpc.FrontDoorStub(channel)
            asked = door_pb2.AskRequest(
                agent_type=name, key="a", type="count", request_id="two", wait_ms=60_000
            )
            reply = stub.Ask(asked, timeout=60)
            assert (reply.status, json.loads(reply.result)) == (door_pb2.AskReply.DONE, {"n": 2})
            state = stub.GetState(
                door_pb2.GetStateRequest(agent_type=name, key="a", at_least=reply.turn), timeout=60
            )
            assert (state.turn, dict(state.values)) == (reply.turn, {"n": b"2"})
            asked.agent_type = "nobody"
            with pytest.raises(grpc.RpcError) as refused:
                stub.Ask(asked, timeout=60)
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND

        found = http.post(
            f"/queries/{name}/a?name=count&at_least={reply.turn}", json={"by": "http"}
        )
        assert (found.status_code, found.json()) == (200, {"n": 2, "asked": {"by": "http"}})
        assert runtime.headgate_plain("query", f"{name}/a", "count", "1") == {"n": 2, "asked": 1}
        with pytest.raises(QueryError, match="no query 'total'; it has count"):
            runtime.headgate_plain("query", f"{name}/a", "total")

        asked_again = runtime.headgate("ask", f"{name}/a", "count", "--id", "two", "--wait", "60")
        assert asked_again["result"] == {"n": 2}
        with pytest.raises(NotTakenError, match="closed"):
            runtime.headgate("ask", f"{name}/a", "refuse", "--wait", "60")
        runtime.headgate("agents", "pause", name)
        with pytest.raises(NoReplyError, match="ask again with --id three"):
            runtime.headgate("ask", f"{name}/b", "count", "--id", "three", "--wait", "0")
        place = f"/requests/{name}/b?id=three"
        assert http.get(place).json()["status"] == "pending"
        runtime.headgate("agents", "resume", name)
        assert http.get(place, headers={"prefer": "wait=60"}).json()["result"] == {"n": 1}
        runtime.headgate("agents", "detach", name, "--now")
    runtime.assert_unharmed()


@pytest.mark.chaos
def test_each_request_is_taken_once_and_told_whatever_is_killed(
    killed_stack: HeadgateStack,
) -> None:
    """Workers and TaskManagers die, and so does the door: callers ask again, at the next one."""
    stack = killed_stack
    stack.attach(counter("counted"))
    stack.send("counted/start", "count")
    stack.history("counted/start")
    cluster = stack.cluster
    config = load(cluster.stack.home / "headgate.toml")
    kills = Kills(cluster.stack, cluster.job, seed=7, each=1)
    doors = [Desk(config.kafka.bootstrap, config)]
    opened = threading.Lock()

    def desk() -> Desk:
        with opened:
            return doors[-1]

    def ask(number: int) -> Any:
        address = f"counted/{number % INSTANCES}"
        asked = agent_pb2.Event(id=f"r{number}", type="count")
        while True:
            at = desk()
            try:
                reply = at.ask(address, asked).result(AGAIN_SECONDS)
                # Read one's own write, also from a Gate that is replaying the journal.
                assert at.look(address, at_least=reply.turn, wait_seconds=120).control.turn > 0
            except (TimeoutError, HeadgateError):
                continue
            if number == REQUESTS // 2:
                with opened:
                    doors.append(Desk(config.kafka.bootstrap, config))
            return address, reply.turn, json.loads(reply.answer.data)["n"]

    kills.start()
    with ThreadPoolExecutor(CALLERS) as callers:
        told = list(callers.map(ask, range(REQUESTS)))
        kills.finish()
    for each in doors:
        each.close()
    for number in range(INSTANCES):
        address = f"counted/{number}"
        counts = sorted(n for where, _, n in told if where == address)
        assert counts == list(range(1, REQUESTS // INSTANCES + 1)), address

        def all_out(address: str = address) -> Any:
            found = cluster.outbox(address)
            return found if len(found) >= REQUESTS // INSTANCES else None

        outputs = cluster.await_found(all_out, f"all outputs of {address}") or []
        assert sorted(each["data"] for each in outputs) == counts
