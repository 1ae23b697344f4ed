"""The history service beside a running job: tokens that agents pass around are counted as of any
moment, while workers, TaskManagers, Kafka and the service itself are killed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate.config import load
from headgate.core.render import rfc3339
from headgate.history.client import HistoryClient
from headgate.history.errors import NeverSeenError, NotClosedError, StoreError
from headgate.kafka.publish import count_partitions
from headgate.kafka.span import Spans
from headgate.kafka.workflow_views import workflow_row
from headgate.local.history import History
from headgate.replay.file import read, write
from headgate.replay.payloads import Payloads
from headgate.replay.recording import Span, record
from headgate.sdk import Agent, Event, Turn
from headgate.sdk.workflow import Context
from headgate.sim.face import default_policy
from headgate.sim.recorded import replay
from headgate.testing.folding import stored_of
from headgate.testing.serving import Serving
from headgate.testing.stack import HeadgateStack
from headgate.v1.history_pb2 import StateAsOf
from headgate.v1.turn_pb2 import HistoryRecord, JournalRecord
from tests.flink.kills import Kills
from tests.flink.runtime import Mirror, Runtime, mirror

pytestmark = [pytest.mark.flink, pytest.mark.slow]

NODES, STARTS, TOKENS, HOPS = 12, 20, 5, 12
WAIT_SECONDS = 240.0
MOMENTS = 100


@dataclass
class Node:
    """Tokens that are here, and that were ever made here."""

    held: int = 0
    made: int = 0


def node() -> Agent[Node]:
    """Pass each token that comes on to another node, until it has made its hops."""
    agent = Agent("node", Node)

    def pass_on(turn: Turn[Node], event: Event, hops: int, number: int) -> None:
        # The same at every attempt, and spread.
        chosen = hashlib.sha256(f"{event.id}/{number}".encode()).digest()[0] % NODES
        turn.state.held -= 1
        turn.send(f"node/{chosen}", "token", {"hops": hops - 1})

    @agent.on("join")
    def join(turn: Turn[Node], event: Event) -> None:
        pass

    @agent.on("start")
    def start(turn: Turn[Node], event: Event) -> None:
        turn.state.held += TOKENS
        turn.state.made += TOKENS
        for number in range(TOKENS):
            pass_on(turn, event, HOPS, number)

    @agent.on("token")
    def token(turn: Turn[Node], event: Event) -> None:
        turn.state.held += 1
        hops = event.data["hops"]
        if hops:
            pass_on(turn, event, hops, 0)

    return agent


def started(stack: HeadgateStack) -> History:
    """Return the history service of a stack whose job runs."""
    local = stack.cluster.stack
    return local.start_history(local.home / "headgate.toml")


def asked(service: History, question: Any) -> Any:
    """Ask until it is answered: the service and Kafka may be away for a while."""
    waited = threading.Event()
    for _ in range(int(WAIT_SECONDS)):
        try:
            with HistoryClient(service.endpoint) as client:
                return question(client)
        except (StoreError, NotClosedError, NeverSeenError):
            waited.wait(1.0)
    pytest.fail("the history service does not answer")


def number(state: StateAsOf, name: str) -> int:
    return int(state.state.values.get(name, b"0"))


def tokens(client: HistoryClient, at_us: int) -> tuple[int, int, int]:
    """Return tokens held, under way and ever made, as of a moment."""
    nodes = list(client.snapshot(at_us=at_us, agent_type="node"))
    under_way = sum(m.type == "token" for m in client.in_flight(at_us=at_us))
    return sum(number(n, "held") for n in nodes), under_way, sum(number(n, "made") for n in nodes)


@pytest.mark.chaos
def test_no_token_is_lost_or_doubled_in_any_snapshot_whatever_is_killed(
    killed_stack: HeadgateStack, tmp_path: Path
) -> None:
    stack = killed_stack
    stack.attach(node())
    addresses = [f"node/{each}" for each in range(NODES)]
    for address in addresses:
        # Whom a test sends to for the first time is reset, lest another test has left something.
        stack.send(address, "join")
        stack.history(address)
    stack.send("node/0", "start")
    cluster, local = stack.cluster, stack.cluster.stack
    service = started(stack)
    begun_us = asked(service, lambda client: client.position().closed_us or _refuse())
    nudges = itertools.count()
    kills = Kills(
        local,
        cluster.job,
        seed=9,
        each=1,
        nudge=lambda: stack.send("node/0", "join", id=f"nudge {next(nudges)}"),
    )
    kills.start()
    for count in range(1, STARTS):
        stack.send(f"node/{count % NODES}", "start")
        if count % 5 == 0:
            service.kill()
        if count == STARTS // 2:
            kills.await_done(1)
            local.kafka.kill()
            local.kafka.start()
    kills.finish()
    service.kill()
    total = STARTS * TOKENS

    def rest() -> bool | None:
        return sum(stack.state(each).held for each in addresses) == total or None

    cluster.await_found(rest, "the rest of all tokens")
    histories = {each: cluster.history(each) for each in addresses}
    last_us = max(turn.at_us for turns in histories.values() for turn in turns)

    def all_closed(client: HistoryClient) -> int:
        until = client.position().closed_us
        return until if until >= last_us else _refuse()

    asked(service, all_closed)
    chance = random.Random(1)  # noqa: S311 - moments
    moments = [chance.randrange(begun_us, last_us) for _ in range(MOMENTS)]
    with HistoryClient(service.endpoint) as client:
        counted = [tokens(client, at_us) for at_us in moments]
        for held, under_way, made in counted:
            assert held + under_way == made
        assert any(under_way for _, under_way, _ in counted)
        assert tokens(client, last_us) == (total, 0, total)
        # As of every turn, it is what a fold of the topic makes.
        for address, turns in histories.items():
            for place, turn in enumerate(turns):
                found = client.state(address, turn=turn.outcome.turn)
                assert dict(found.state.values) == stored_of(turns[: place + 1]).values
        assert sum(p.late_turns for p in client.position().partitions) == 0
        told = sum(len(client.turns(address)) for address in addresses)
        assert told == sum(map(len, histories.values()))
        # And what the agents took under kills, they take in the same way again.
        config, file = load(local.home / "headgate.toml"), tmp_path / "turns.jsonl"
        with Spans(config.kafka.bootstrap, is_read_committed=False) as spans:
            payloads = Payloads(config.kafka.bootstrap, config, spans)
            past = record(client, payloads, addresses, Span())
            assert write(file, "node", default_policy(), past) == (told, [])
    assert replay(node(), file) == []
    assert replay(node(), file, carry=True) == []


def _refuse() -> Any:
    message = "not yet"
    raise NotClosedError(message)


@pytest.fixture(scope="module")
def service(runtime: Runtime) -> Iterator[History]:
    """The history service beside the job that all tests share."""
    yield runtime.stack.start_history(runtime.path)


def trip() -> Agent[Any]:
    agent: Agent[Any] = Agent("trip")

    @agent.workflow
    async def run(ctx: Context, data: Any) -> Any:
        ctx.show(customer=data["customer"])
        return await ctx.wait_signal("go")

    return agent


def test_commands_and_http_say_the_same(
    runtime: Runtime, service: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = runtime.fresh()
    address = f"mirror/{key}"
    for count in range(1, 4):
        runtime.send("events", key, {"n": count})
        runtime.answers(key, count)
    at = runtime.answers(key, 3)[1]["time"]
    given = ("--history", service.endpoint)

    def state(*arguments: str) -> Any:
        return runtime.headgate("state", *arguments, *given)

    runtime.records.await_found(
        lambda: asked(service, lambda client: client.state(address)).turn == 3 or None,
        "the third turn in the store",
    )
    assert state("get", address)["values"] == {"count": 3}
    assert state("get", address, "--as-of", at, "--wait", "60")["values"] == {"count": 2}
    assert state("get", address, "--turn", "1")["values"] == {"count": 1}
    assert [turn["turn"] for turn in state("history", address, "--last", "2")] == [2, 3]
    changes = state("diff", address, "--from", "#1")["changes"]
    assert changes == [{"name": "count", "change": "changed", "turn": 3, "from": 1, "to": 3}]
    explained = runtime.headgate("explain", address, "count", "--as-of", at, *given)
    assert explained["names"][0]["made_by"]["events"][0]["origin"]["topic"] == "events"
    with pytest.raises(NotClosedError, match="not closed yet"):
        state("get", address, "--as-of", "2099-01-01")
    http = httpx.Client(base_url=service.url, timeout=60)
    assert http.get(f"/state/{address}", params={"as_of": at}).json()["values"] == {"count": 2}
    found = http.get("/snapshot", params={"as_of": at, "type": "mirror", "where": "count=2"})
    assert address in found.text
    told = http.get(f"/explain/{address}", params={"as_of": at, "path": "count"}).json()
    assert (told["names"][0]["value"], told["names"][0]["turn"]) == (2, 2)
    assert http.get("/state/mirror/nobody").status_code == 404
    assert http.get(f"/state/{address}", params={"as_of": "2099-01-01"}).status_code == 409
    assert http.get(f"/state/{address}", params={"as_of": "soon"}).status_code == 400
    assert http.get("/health").json() == {"status": "serving"}
    monkeypatch.chdir(tmp_path)
    runtime.headgate_text("state", "export", "--file", "all.parquet", *given)
    assert (tmp_path / "all.parquet").stat().st_size > 0


def changed() -> Agent[Mirror]:
    """The mirror's next revision: it counts by two, and does not tell others any more."""
    agent = Agent("mirror", Mirror, revision="2")

    @agent.on("*")
    def answer(turn: Turn[Mirror], event: Event) -> None:
        turn.state.count += 2
        turn.emit("mirror.reply", {"count": turn.state.count})

    return agent


def typed(runtime: Runtime, *arguments: str) -> tuple[int, Any]:
    """Run a command in a process of its own; return its exit code and what it says as JSON."""
    command = [sys.executable, "-m", "headgate.cli.app", *arguments, "-o", "json"]
    command += ["--config", str(runtime.path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def ends_of(spans: Spans, runtime: Runtime) -> dict[tuple[str, int], int]:
    """Return where each partition of each topic of the job ends."""
    topics = [*runtime.config.topic_names, *(topic.name for topic in runtime.config.topics)]
    bootstrap = runtime.config.kafka.bootstrap
    return {
        (topic, partition): spans.end(topic, partition)
        for topic in topics
        for partition in range(count_partitions(bootstrap, topic))
    }


def is_mark(topic: str, value: bytes) -> bool:
    """Tell whether a record is one of those that a job without work writes each second."""
    if topic.endswith("journal"):
        return JournalRecord.FromString(value).HasField("tick")
    return topic.endswith("history") and HistoryRecord.FromString(value).HasField("closed")


def test_past_turns_replay_apart_from_the_job(
    runtime: Runtime, service: History, tmp_path: Path
) -> None:
    """A message between agents, a timer and a signal: the same revision comes to the same, another
    one does not, and no topic has a record more for it.
    """
    key = runtime.fresh()
    address, other = f"mirror/{key}", f"mirror/{key}-told"
    runtime.send("events", key, {"n": 1})
    runtime.answers(key, 1)
    runtime.send("events", key, {"tell": other, "say": {"hello": key}})
    runtime.send("events", key, {"set": "soon", "after_ms": 200})
    runtime.headgate("signal", address, "approve", '{"by": "ann"}')
    runtime.answers(key, 5)
    runtime.answers_of(other, 1)

    def told(client: HistoryClient) -> list[HistoryRecord] | None:
        turns = [*client.turns(address), *client.turns(other)]
        records = [turn.record for turn in turns]
        return records if sum(len(each.outcome.taken) for each in records) == 6 else None

    turns = runtime.records.await_found(lambda: asked(service, told), "six events in the store")
    assert all(turn.outcome.asked_us for turn in turns)
    last_us = max(turn.at_us for turn in turns)
    asked(service, lambda client: client.position().closed_us >= last_us or _refuse())
    file = tmp_path / "turns.jsonl"
    given = ("--history", service.endpoint)
    # All instances of the type are asked for; only those of this test have had turns since then.
    which = ("--agent", "mirror", "--from", rfc3339(turns[0].at_us))
    code, wrote = typed(runtime, "record", *which, "--file", str(file), *given)
    assert (code, wrote["left_out"]) == (0, [])
    own = [each.record for each in read(file).turns if each.address in {address, other}]
    assert own == turns
    assert replay(mirror(), file) == []
    again = ("replay", *which, "--key", key, "--key", f"{key}-told", *given)
    with Spans(runtime.config.kafka.bootstrap, is_read_committed=False) as spans:
        before = ends_of(spans, runtime)
        with Serving(mirror()) as served:
            code, same = typed(runtime, *again, "--endpoint", served.endpoint)
        assert (code, same["turns"], same["different"]) == (0, len(turns), 0), same
        with Serving(changed()) as served:
            code, differs = typed(runtime, *again, "--endpoint", served.endpoint)
            _, each = typed(
                runtime, "replay", "--file", str(file), "--each", "--endpoint", served.endpoint
            )
        after = ends_of(spans, runtime)
        written = {
            (topic, partition, record.offset)
            for (topic, partition), end in after.items()
            for record in spans.records(topic, partition, before[topic, partition], end)
            if not is_mark(topic, record.value)
        }
    assert written == set()
    assert (code, differs["different"]) == (3, len(turns))
    assert differs["revisions"] == {"recorded": ["1"], "replayed": ["2"]}
    found = [
        {"address": instance["address"], **difference}
        for instance in differs["instances"]
        for turn in instance["differing"]
        for difference in turn["differences"]
    ]
    assert found[0] == {
        "address": address, "kind": "value", "name": "count", "change": "changed",
        "recorded": 1, "replayed": 2,
    }  # fmt: skip
    gone = {each["kind"] for each in found if each["change"] == "removed"}
    assert {"message", "timer"} <= gone
    assert {each["address"] for each in found} == {address, other}
    # Each from the state that was: there its count is one more than recorded, not twice as much.
    counts = [
        difference["replayed"] - difference["recorded"]
        for instance in each["instances"]
        if instance["address"] in {address, other}
        for turn in instance["differing"]
        for difference in turn["differences"]
        if difference["name"] == "count"
    ]
    taken = [len(turn.outcome.taken) for turn in turns]
    assert sorted(counts) == sorted(taken)


def test_workflows_are_found_by_status_and_by_what_they_show(
    runtime: Runtime, service: History
) -> None:
    given = ("--history", service.endpoint, "--type", "trip")
    with Serving(trip()) as served:
        runtime.headgate("agents", "attach", "trip", "--endpoint", served.endpoint)
        for key, customer in (("1", "ann"), ("2", "bob"), ("3", "ann")):
            runtime.headgate("workflows", "start", f"trip/{key}", f'{{"customer": "{customer}"}}')
        runtime.headgate("workflows", "signal", "trip/3", "go", '"now"')

        def listed(*wanted: str) -> list[str]:
            found = runtime.headgate("workflows", "list", *wanted, *given)
            return sorted(row["address"] for row in found)

        def settled() -> bool | None:
            return listed("--status", "completed") == ["trip/3"] or None

        runtime.records.await_found(settled, "the end of trip/3")
        assert listed() == ["trip/1", "trip/2", "trip/3"]
        assert listed("--status", "running") == ["trip/1", "trip/2"]
        assert listed("--where", "customer=ann") == ["trip/1", "trip/3"]
        assert listed("--where", "customer=ann", "--status", "running") == ["trip/1"]
        runtime.headgate("instances", "park", "trip/1")
        runtime.records.await_found(
            lambda: listed("--status", "parked") == ["trip/1"] or None, "trip/1 among the parked"
        )
        assert listed("--status", "running") == ["trip/2"]
        [row] = asked(
            service, lambda client: [*client.snapshot(agent_type="trip", where={"run": 1})][:1]
        )
        assert workflow_row(row) is not None
        runtime.headgate("instances", "reset", "trip/1")
        runtime.headgate("agents", "detach", "trip", "--now")
    runtime.assert_unharmed()
