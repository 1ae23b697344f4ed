"""Agent services as children: awaited until SERVING, replaced on the same port, ended in order."""

import time
from pathlib import Path

import pytest

from headgate.errors import HeadgateError
from headgate.local.agents import Agents, is_serving
from headgate.local.process import Family, ProcessDiedError
from headgate.local.supervisor import Supervisor

SERVICE = """
import sys
from concurrent.futures import ThreadPoolExecutor
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
server = grpc.server(ThreadPoolExecutor(1))
servicer = health.HealthServicer()
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
servicer.set("", health_pb2.HealthCheckResponse.{health})
server.add_insecure_port("127.0.0.1:" + sys.argv[sys.argv.index("--port") + 1])
server.start()
server.wait_for_termination()
"""


def test_a_service_is_awaited_and_replaced_on_its_port(tmp_path: Path) -> None:
    script = tmp_path / "agent.py"
    script.write_text(SERVICE.format(health="SERVING"))
    with Family() as family:
        supervisor = Supervisor(family)
        agents = Agents(family, supervisor, tmp_path)
        endpoint = agents.start("echo", script)
        port = int(endpoint.rpartition(":")[2])
        assert is_serving(port)
        with pytest.raises(HeadgateError, match="runs already"):
            agents.start("echo", script)
        killed = agents.kill("echo")
        deadline = time.monotonic() + 10.0
        while agents.pid("echo") in {killed, None}:
            assert time.monotonic() < deadline
        agents.await_serving("echo")
        assert agents.endpoint("echo") == endpoint
        supervisor.stop()
        agents.stop_all()
        assert agents.names() == []
        assert not is_serving(port)


def test_a_service_that_ends_at_once_is_an_error(tmp_path: Path) -> None:
    script = tmp_path / "agent.py"
    script.write_text("raise SystemExit('no model key')")
    with Family() as family:
        supervisor = Supervisor(family)
        agents = Agents(family, supervisor, tmp_path)
        with pytest.raises(ProcessDiedError, match="no model key"):
            agents.start("broken", script)
        assert agents.names() == []
        supervisor.stop()


def test_a_service_that_is_not_serving_is_not_ready(tmp_path: Path) -> None:
    script = tmp_path / "agent.py"
    script.write_text(SERVICE.format(health="NOT_SERVING"))
    with Family() as family:
        supervisor = Supervisor(family)
        agents = Agents(family, supervisor, tmp_path)
        with pytest.raises(ProcessDiedError, match="not ready after 1 s"):
            agents.start("shy", script, ready_seconds=1.0)
        supervisor.stop()
