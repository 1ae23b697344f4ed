"""What stands in the way of attaching a service, in one sentence each."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from headgate.rpc.fitness import examine, objection
from headgate.rpc.health import Answer
from headgate.v1.connection_pb2 import Connection, Tls
from headgate.v1.turn_pb2 import AgentSpec

PLAIN = Connection()
HOSTED = (("order", "v1"),)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("e:1", "serving", revisions=HOSTED, contract_version=1), ""),
        (Answer("e:1", "serving", is_a2a=True), ""),
        (Answer("e:1", "no_health_service", is_a2a=True), ""),
        (Answer("e:1", "no_health_service", revisions=HOSTED, contract_version=1), "no health"),
        (
            Answer("e:1", "no_health_service", "GetTask: UNIMPLEMENTED: ?", is_a2a=True),
            "takes no A2A calls: GetTask",
        ),
        (Answer("e:1", "no_health_service", revisions=HOSTED), "--wire a2a"),
        (Answer("e:1", "not_serving", revisions=HOSTED, contract_version=1), "NOT_SERVING"),
        (Answer("e:1", "serving", "Describe: UNIMPLEMENTED: ?"), "what it hosts: Describe"),
        (Answer("e:1", "serving", revisions=HOSTED, contract_version=2), "version 2 of the"),
        (Answer("e:1", "serving", revisions=HOSTED), "version 0 of the contract"),
        (
            Answer("e:1", "serving", revisions=(("a", ""), ("b", "")), contract_version=1),
            "does not host 'order'; it hosts a, b",
        ),
    ],
)
def test_each_has_its_sentence(answer: Answer, said: str) -> None:
    found = objection(answer, "order", PLAIN)
    assert said in found
    assert bool(found) == bool(said)


@pytest.fixture
def silent() -> Iterator[str]:
    """An endpoint that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_nobody_listens() -> None:
    [found] = examine(AgentSpec(type="order", endpoints=["127.0.0.1:9"]))
    assert (found["agent"], found["health"]) == ("order", "unreachable")
    assert "nothing listens there" in found["problem"]


def test_a_service_that_only_listens_speaks_no_tls(silent: str) -> None:
    spec = AgentSpec(type="order", endpoints=[silent], connection=Connection(tls=Tls()))
    [found] = examine(spec)
    assert "does not speak TLS" in found["problem"]


def test_a_service_that_only_listens_gives_no_answer(silent: str) -> None:
    [found] = examine(AgentSpec(type="order", endpoints=[silent]))
    assert found["problem"] == (
        "not reachable: something listens there, but it answers no gRPC call in time"
    )


def test_a_socket_file_that_is_not_there() -> None:
    [found] = examine(AgentSpec(type="order", endpoints=["unix:/nowhere/agent.sock"]))
    assert "nothing listens there" in found["problem"]


def test_a_file_that_is_not_here_is_named() -> None:
    tls = Connection(tls=Tls(ca_file="/nowhere/ca.crt"))
    [found] = examine(AgentSpec(type="order", endpoints=["127.0.0.1:9"], connection=tls))
    assert "/nowhere/ca.crt" in found["problem"]
