"""What stands beside the job is asked: an agent service and a Redis that are real, and nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.config import loads
from headgate.doctor.beside import look_at_agents, look_at_services
from headgate.doctor.facts import Facts
from headgate.doctor.rules import diagnose
from headgate.redis.connect import open_redis
from headgate.sdk import Agent
from headgate.testing.serving import Serving
from headgate.v1.history_pb2 import HistoryPosition
from headgate.v1.turn_pb2 import AgentSpec
from tests.redis_server import redis_server

# Nobody listens there.
NOBODY = "127.0.0.1:1"


def test_each_service_of_an_agent_is_asked() -> None:
    agent: Agent[Any] = Agent("order")
    with Serving(agent) as serving:
        specs = [
            AgentSpec(type="order", endpoints=[serving.endpoint, NOBODY]),
            AgentSpec(type="invoice", endpoints=[serving.endpoint], paused=True),
        ]
        invoice, fine, away = look_at_agents(specs)
    assert (fine.agent, fine.endpoint, fine.problem) == ("order", serving.endpoint, "")
    assert "nothing listens there" in away.problem
    assert (invoice.agent, invoice.is_paused) == ("invoice", True)
    assert "does not host 'invoice'" in invoice.problem


def test_a_redis_that_evicts_is_found_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        config = loads(f'[redis]\nurl = "{server.url}"\n')
        facts = Facts(config, services=tuple(look_at_services(config)))
        assert [each.name for each in facts.services] == ["redis"]
        assert diagnose(facts) == []
        client = open_redis(server.url)
        client.config_set("maxmemory-policy", "volatile-lru")
        client.close()
        [found] = diagnose(Facts(config, services=tuple(look_at_services(config))))
    assert found.rule == "redis-evicts"
    assert "volatile-lru" in found.what


def test_services_are_asked_where_the_file_has_a_section_of_theirs() -> None:
    assert list(look_at_services(loads(""))) == []
    text = f'[history]\nendpoint = "{NOBODY}"\n[redis]\nurl = "redis://:secret@{NOBODY}/0"\n'
    config = loads(text)
    found = diagnose(Facts(config, services=tuple(look_at_services(config))))
    assert [each.rule for each in found] == ["history-away", "redis-away"]
    assert "secret" not in "".join(each.what + each.cure for each in found)


class Standing:
    """A double: a history service whose store waits, which takes a Kafka to bring about."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def __enter__(self) -> Standing:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def position(self) -> HistoryPosition:
        return HistoryPosition(problem="no key named k2")


def test_a_history_that_answers_and_does_not_go_on_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headgate.history.client.HistoryClient", Standing)
    config = loads(f'[history]\nendpoint = "{NOBODY}"\n')
    [found] = diagnose(Facts(config, services=tuple(look_at_services(config))))
    assert found.rule == "history-stands"
    assert "no key named k2" in found.what
