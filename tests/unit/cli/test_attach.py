"""attach, detach, pause and resume, with a registry in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from headgate.bootstrap import Bootstrap
from headgate.cli import app
from headgate.cli.attaching import UnfitServiceError
from headgate.cli.canary import CanaryError
from headgate.cli.job_topics import TopicNotReadError
from headgate.cli.registered import ChangedMeanwhileError, UnknownAgentError
from headgate.kafka import registry
from headgate.kafka.registry import Contents
from headgate.rpc import fitness, health
from headgate.rpc.health import Answer
from headgate.v1.turn_pb2 import AgentSpec, JobRecord, Route


class Registry:
    """A registry, and the health of the services that it names."""

    def __init__(self) -> None:
        self.specs: dict[str, AgentSpec] = {}
        self.job: JobRecord | None = JobRecord(name="headgate", topics=["messages", "web"])
        self.health = "serving"
        # By endpoint; "v1+v2" serves both.
        self.revisions: dict[str, str] = {}

    def read(self, bootstrap: Bootstrap, topic: str) -> Contents:
        return Contents({name: self.copy(name) for name in self.specs}, self.job)

    def copy(self, name: str) -> AgentSpec:
        return AgentSpec.FromString(self.specs[name].SerializeToString())

    def write(
        self, bootstrap: Bootstrap, topic: str, specs: Mapping[str, AgentSpec | None]
    ) -> None:
        for name, spec in specs.items():
            if spec is None:
                del self.specs[name]
            else:
                self.specs[name] = spec

    def ask(self, endpoints: list[str], ways: object) -> dict[str, Answer]:
        return {
            each: Answer(
                each,
                self.health,
                revisions=tuple(("order", r) for r in self.revisions.get(each, "v1").split("+")),
                contract_version=1,
            )
            for each in endpoints
        }


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Registry:
    """The registry that commands find, in a folder without headgate.toml."""
    made = Registry()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "read_contents", made.read)
    monkeypatch.setattr(registry, "write_specs", made.write)
    monkeypatch.setattr(fitness, "ask_all", made.ask)
    return made


def headgate(*arguments: str) -> Any:
    ran = CliRunner().invoke(
        app.app, ["agents", *arguments, "--bootstrap", "127.0.0.1:1", "-o", "json"]
    )
    if ran.exception is not None:
        raise ran.exception
    return json.loads(ran.stdout)


ATTACH = ("attach", "order", "--endpoint", "a:1", "--route", "messages:shop.*")


def test_attach_writes_what_was_given(held: Registry) -> None:
    said = headgate(*ATTACH, "--route", "web", "--deadline", "5s", "--rate", "2.5", "--tls")
    spec = held.specs["order"]
    assert (said["is_new"], said["problems"]) == (True, [])
    assert list(spec.routes) == [Route(topic="messages", type="shop.*"), Route(topic="web")]
    assert (spec.policy.deadline_ms, spec.limits.rate) == (5_000, 2.5)
    assert spec.connection.HasField("tls")
    assert spec.updated_ms


def test_attaching_again_keeps_pause_pin_and_routes_and_ends_draining(held: Registry) -> None:
    headgate(*ATTACH)
    headgate("pause", "order")
    headgate("detach", "order")
    held.specs["order"].revision = "v1"
    assert not headgate("attach", "order", "--endpoint", "b:2")["is_new"]
    spec = held.specs["order"]
    assert (list(spec.endpoints), spec.paused, spec.revision) == (["b:2"], True, "v1")
    assert list(spec.routes) == [Route(topic="messages", type="shop.*")]
    assert not spec.draining


def test_a_change_by_somebody_else_meanwhile_is_not_written_over(
    held: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause that comes while attach asks the services is somebody's pause."""
    headgate(*ATTACH)

    def pause_meanwhile(endpoints: list[str], ways: object) -> dict[str, Answer]:
        held.specs["order"].paused = True
        return held.ask(endpoints, ways)

    monkeypatch.setattr(fitness, "ask_all", pause_meanwhile)
    with pytest.raises(ChangedMeanwhileError, match="somebody else has changed order"):
        headgate("attach", "order", "--endpoint", "b:2")
    assert (list(held.specs["order"].endpoints), held.specs["order"].paused) == (["a:1"], True)
    assert not headgate("attach", "order", "--endpoint", "b:2")["is_new"]
    assert (list(held.specs["order"].endpoints), held.specs["order"].paused) == (["b:2"], True)


def test_the_same_new_agent_from_two_places_is_attached_once(
    held: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attach_elsewhere(endpoints: list[str], ways: object) -> dict[str, Answer]:
        held.specs["order"] = AgentSpec(type="order", endpoints=["b:2"])
        return held.ask(endpoints, ways)

    monkeypatch.setattr(fitness, "ask_all", attach_elsewhere)
    with pytest.raises(ChangedMeanwhileError):
        headgate(*ATTACH)
    assert list(held.specs["order"].endpoints) == ["b:2"]


def test_an_unfit_service_is_not_attached_unless_forced(held: Registry) -> None:
    held.health = "not_serving"
    with pytest.raises(UnfitServiceError, match="a:1: its health is NOT_SERVING"):
        headgate(*ATTACH)
    assert held.specs == {}
    assert headgate(*ATTACH, "--force")["problems"] == [
        "a:1: its health is NOT_SERVING: it takes no turns now"
    ]
    assert "order" in held.specs


def test_only_topics_that_the_job_reads(held: Registry) -> None:
    arguments = ("attach", "order", "--endpoint", "a:1", "--route", "mesages")
    with pytest.raises(TopicNotReadError, match=r"did you mean 'messages'.*fixed when the job"):
        headgate(*arguments, "--force")
    held.job = None
    with pytest.raises(TopicNotReadError, match="no job has started yet"):
        headgate(*ATTACH)
    Path("headgate.toml").write_text('[[topics]]\nname = "messages"\n', encoding="utf-8")
    assert headgate(*ATTACH)["is_new"], "before its first start the job is what the file says"


def test_detach_drains_or_takes_out(held: Registry) -> None:
    headgate(*ATTACH)
    assert headgate("detach", "order") == {"type": "order", "state": "draining"}
    assert held.specs["order"].draining
    assert headgate("detach", "order", "--now") == {"type": "order", "state": "detached"}
    assert held.specs == {}
    for verb in ("detach", "pause", "resume", "describe", "health"):
        with pytest.raises(UnknownAgentError, match="no agent 'order' is attached, nor is any"):
            headgate(verb, "order")


def test_pause_and_resume_are_written_once(held: Registry) -> None:
    headgate(*ATTACH)
    assert headgate("pause", "order")["paused"]
    written = held.specs["order"].updated_ms
    assert headgate("pause", "order")["paused"]
    assert held.specs["order"].updated_ms == written
    assert not headgate("resume", "order")["paused"]
    assert not held.specs["order"].paused


def test_health_fails_where_a_service_is_unfit(held: Registry) -> None:
    headgate(*ATTACH)
    assert headgate("health") == [
        {"agent": "order", "endpoint": "a:1", "health": "serving", "problem": ""}
    ]
    held.health = "not_serving"
    with pytest.raises(SystemExit) as ended:
        headgate("health", "order")
    assert ended.value.code == 1


def said_to_people(*arguments: str) -> str:
    ran = CliRunner().invoke(app.app, ["agents", *arguments, "--bootstrap", "127.0.0.1:1"])
    assert ran.exception is None, ran.exception
    return " ".join(ran.stdout.split())


def test_people_read_the_same(held: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ask_all", held.ask)
    monkeypatch.setenv("COLUMNS", "200")
    assert "No agents are attached" in said_to_people("list")
    attached = said_to_people(*ATTACH, "--token-env", "TOKEN", "--tls-ca", "ca.crt")
    assert "order is attached at a:1; routes: messages:shop.*" in attached
    assert "order is paused: its events wait" in said_to_people("pause", "order")
    assert "order is paused already" in said_to_people("pause", "order")
    assert "It is paused" in said_to_people("attach", "order", "--endpoint", "b:2")
    assert "order (paused) messages:shop.* b:2 serving" in said_to_people("list")
    assert "order takes turns" in said_to_people("resume", "order")
    assert "order drains: it gets no new events" in said_to_people("detach", "order")
    assert "order drains already" in said_to_people("detach", "order")
    said_to_people(*ATTACH, "--token-env", "TOKEN", "--tls-ca", "ca.crt", "--rate", "2.5")
    described = said_to_people("describe", "order")
    for part in ("messages:shop.*", "policy.max_batch 64", "TOKEN", "ca.crt", "limits.rate 2.5"):
        assert part in described
    assert "order a:1 serving" in said_to_people("health")
    assert "order is detached" in said_to_people("detach", "order", "--now")
    assert "It has no route" in said_to_people("attach", "order", "--endpoint", "a:1")


CANARY = ("attach", "order", "--endpoint", "b:2", "--revision", "v2", "--canary", "12.5%")


def test_a_canary_leaves_the_agent_as_it_is_until_it_is_promoted(held: Registry) -> None:
    headgate(*ATTACH, "--deadline", "5s")
    before = held.copy("order")
    held.revisions["b:2"] = "v2"
    said = headgate(*CANARY)
    assert said["canary"] == {"revision": "v2", "endpoints": ["b:2"], "percent": 12.5}
    spec = held.copy("order")
    assert spec.canary.share == 1_250
    spec.ClearField("canary")
    spec.updated_ms = before.updated_ms
    assert spec == before
    # Attached again without a word of it, it stays.
    headgate(*ATTACH)
    assert held.specs["order"].canary.revision == "v2"
    headgate("promote", "order")
    spec = held.specs["order"]
    assert (list(spec.endpoints), spec.revision, spec.promoted) == (["b:2"], "v2", True)
    assert not spec.HasField("canary")
    assert spec.policy == before.policy or spec.policy.deadline_ms
    with pytest.raises(CanaryError, match="order has no canary"):
        headgate("promote", "order")
    # Attached anew, the registry has no more to say against headgate.toml.
    headgate("attach", "order", "--endpoint", "b:2")
    assert not held.specs["order"].promoted


def test_a_canary_is_rolled_back(held: Registry) -> None:
    headgate(*ATTACH)
    before = held.copy("order")
    held.revisions["b:2"] = "v2"
    headgate(*CANARY)
    headgate("rollback", "order")
    spec = held.copy("order")
    spec.updated_ms = before.updated_ms
    assert spec == before
    with pytest.raises(CanaryError, match="order has no canary"):
        headgate("rollback", "order")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--canary", "0%", "--revision", "v2"), "give a percentage"),
        (("--canary", "101", "--revision", "v2"), "give a percentage"),
        (("--canary", "many", "--revision", "v2"), "give a percentage"),
        (("--canary", "nan", "--revision", "v2"), "give a percentage"),
        (("--canary", "10%"), "which revision"),
        (("--canary", "10%", "--revision", "v2", "--deadline", "1s"), "not policy"),
        (("--canary", "10%", "--revision", "v2", "--route", "web"), "not route"),
        (("--canary", "10%", "--revision", "v2", "--file", "order.toml"), "not file"),
    ],
)
def test_a_canary_that_makes_no_sense_is_refused(
    held: Registry, arguments: tuple[str, ...], problem: str
) -> None:
    headgate(*ATTACH)
    before = held.copy("order")
    with pytest.raises(CanaryError, match=problem):
        headgate("attach", "order", "--endpoint", "b:2", *arguments)
    assert held.specs["order"] == before


def test_what_stays_when_attached_again_is_asked_for_too(held: Registry) -> None:
    headgate(*ATTACH)
    held.revisions["b:2"] = "v2"
    headgate(*CANARY)
    headgate("promote", "order")
    before = held.copy("order")
    with pytest.raises(UnfitServiceError, match="a:1: it serves 'order' in revision 'v1', not in"):
        headgate(*ATTACH)
    assert held.specs["order"] == before
    headgate(*ATTACH, "--revision", "v1")
    assert held.specs["order"].revision == "v1"
    headgate(*ATTACH, "--revision", "")
    assert held.specs["order"].revision == "", "any will do again"


def test_a_canary_may_be_where_its_agent_is(held: Registry) -> None:
    headgate(*ATTACH)
    held.revisions["a:1"] = "v1+v2"
    said = headgate("attach", "order", "--revision", "v2", "--canary", "10%")
    assert said["canary"] == {"revision": "v2", "endpoints": ["a:1"], "percent": 10}
    headgate("promote", "order")
    spec = held.specs["order"]
    assert (list(spec.endpoints), spec.revision) == (["a:1"], "v2")


def test_a_canary_stays_where_it_is_when_its_share_grows(held: Registry) -> None:
    headgate(*ATTACH)
    held.revisions |= {"b:2": "v2", "a:1": "v1+v3"}
    headgate(*CANARY)
    headgate("attach", "order", "--revision", "v2", "--canary", "50%")
    canary = held.specs["order"].canary
    assert (list(canary.endpoints), canary.share) == (["b:2"], 5_000)
    headgate("attach", "order", "--revision", "v3", "--canary", "1%")
    canary = held.specs["order"].canary
    assert (list(canary.endpoints), canary.revision) == ([], "v3")


def test_a_canary_needs_its_agent_and_a_service_of_that_revision(held: Registry) -> None:
    with pytest.raises(UnknownAgentError):
        headgate(*CANARY)
    headgate(*ATTACH)
    with pytest.raises(UnfitServiceError, match="b:2: it serves 'order' in revision 'v1', not in"):
        headgate(*CANARY)
