"""What each page shows of what was recorded, with agents' data as text and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from headgate.bootstrap import Bootstrap
from headgate.errors import HeadgateError
from headgate.kafka import registry
from headgate.ui.app import make_app
from headgate.ui.facts import BudgetFact, Facts, FlinkFact, LetterFact, ParkedFact, Vertex
from headgate.ui.guard import Access
from headgate.ui.pages import instances
from headgate.ui.payload import CHARS
from headgate.v1.agent_pb2 import (
    FAILURE_CODE_AGENT_ERROR,
    FAILURE_CODE_BUDGET,
    Event,
    Usage,
)
from headgate.v1.turn_pb2 import InstanceReport, StoredControl
from tests.unit.ui.conftest import HOSTILE, NOW
from tests.unit.ui.test_window import turn

ALL = ["/", "/agents", "/agents/order", "/instances", "/instances/order/17", "/workflows"]
ALL += ["/letters", "/cost", "/cluster", "/login"]


def hostile(known: Facts) -> Facts:
    """Facts in which everything that others can write is a script."""
    return replace(
        known,
        agents=(replace(known.agents[0], problem=HOSTILE, health="unreachable", routes=HOSTILE),),
        parked=(ParkedFact(f"order/{HOSTILE}", NOW - 9, "agent_error", HOSTILE, HOSTILE),),
        letters=(LetterFact(f"order/{HOSTILE}/1", NOW - 9, HOSTILE, f"order/{HOSTILE}", HOSTILE),),
        letters_open=1,
        flink=FlinkFact(
            "j", "RUNNING", restarted_ms=NOW - 9, restart_cause=HOSTILE,
            vertices=(Vertex(HOSTILE, "RUNNING", 1, 0.5, 0.1),),
        ),
        budgets=(BudgetFact(HOSTILE, 9, 10, "day", "USD"),),
        unreadable={"Kafka": HOSTILE},
    )  # fmt: skip


@pytest.mark.parametrize("path", ALL)
def test_what_others_write_is_text(world: Any, path: str) -> None:
    world.watched.known = hostile(world.watched.known)
    world.watched.window.take(
        turn(1, key=HOSTILE, usage=(Usage(model=HOSTILE),), tenant=HOSTILE, cost=5)
    )
    client = world.client()
    for headers in ({}, {"hx-request": "true"}):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        assert HOSTILE not in answer.text
        assert not re.search(r"<script(?! src=\"/static/)", answer.text)
        if not headers:
            assert answer.text.startswith("<!doctype html>")
            assert answer.text.count("<h1") == 1
        else:
            assert "<html" not in answer.text


def test_the_overview_says_first_what_is_wrong(world: Any) -> None:
    text = world.client().get("/").text
    assert "Nothing that the console can see" in text
    world.watched.known = replace(
        world.watched.known, parked=(ParkedFact("order/7", NOW - 60_000, "agent_error", "oh"),)
    )
    text = world.client().get("/").text
    assert "order/7 is parked (agent_error): oh" in text
    assert text.index("What is wrong now") < text.index("Flow")
    assert "for 1 min" in text


def test_an_instance_after_any_turn(world: Any) -> None:
    client = world.client()
    text = client.get("/instances/order/17?turn=3").text
    assert "After turn 3 of 100" in text
    assert '<input type="range" id="turn" name="turn" min="1" max="100" value="3"' in text
    assert re.search(r"<dt class=\"changed\">n .*?<pre tabindex=\"0\">3</pre>", text, re.DOTALL)
    assert "<del>2</del>" in text
    assert "<ins>3</ins>" in text
    assert f"https://traces.example/trace/{'a' * 32}" in text
    # The first turn began from nothing; what was not asked for is the newest, with its turns.
    assert "<del>" not in client.get("/instances/order/17?turn=1").text
    newest = client.get("/instances/order/17").text
    assert "After turn 100 of 100" in newest
    assert newest.count("?turn=") >= 40
    assert "?before=61" in newest
    assert "data-living" in newest
    assert "data-living" not in text


def told_now(monkeypatch: pytest.MonkeyPatch, world: Any, report: InstanceReport | None) -> Any:
    monkeypatch.setattr(instances, "inspect", lambda *_, **__: report)
    return world.client().get("/now/order/17")


def test_how_an_instance_is_now_is_what_the_job_answers(
    monkeypatch: pytest.MonkeyPatch, world: Any
) -> None:
    control = StoredControl(turn=6, attempts=1, mailbox_head=10, mailbox_tail=23)
    control.in_flight.attempt, control.in_flight.sent_ms, control.in_flight.sends = 2, NOW, 3
    control.in_flight.fingerprints.append(b"f")
    control.failure_code, control.failure_message = FAILURE_CODE_AGENT_ERROR, HOSTILE
    waiting = [Event(id=f"e{number}", type="t", source=HOSTILE) for number in range(2)]
    report = InstanceReport(address="order/17", control=control, waiting=waiting, now_ms=NOW)
    text = told_now(monkeypatch, world, report).text
    assert "in flight</span>" in text
    assert re.search(r"1 event since \d{4}-.*Z, attempt 2, sent 3 times", text)
    assert "agent_error" in text
    assert "13 events, those in flight among them" in text
    assert "and 11 more" in text
    assert "<code>e1</code>" in text
    assert HOSTILE not in text
    link = '<a href="/now/order/17">'
    assert link in world.client().get("/instances/order/17").text


def test_what_waits_for_a_budget_says_so(monkeypatch: pytest.MonkeyPatch, world: Any) -> None:
    control = StoredControl(turn=6, mailbox_tail=1, not_before_us=(NOW + 60_000) * 1_000)
    control.failure_code, control.failure_message = FAILURE_CODE_BUDGET, "budget daily: 1 of 1"
    report = InstanceReport(address="order/17", control=control, now_ms=NOW)
    text = told_now(monkeypatch, world, report).text
    assert "waits to try again</span>" in text
    assert "budget daily: 1 of 1" in text
    assert 'or at once when <a href="/cost">the budget</a> is raised' in text


def test_nobody_who_answers_is_said(monkeypatch: pytest.MonkeyPatch, world: Any) -> None:
    answer = told_now(monkeypatch, world, None)
    assert (answer.status_code, "does the job run?" in answer.text) == (503, True)


def test_the_slider_asks_for_the_moment_alone(world: Any) -> None:
    answer = world.client().get(
        "/instances/order/17?turn=5&part=moment", headers={"hx-request": "true"}
    )
    assert answer.text.lstrip().startswith('<div id="moment"')
    assert 'id="slider"' not in answer.text
    assert answer.headers["hx-replace-url"] == "/instances/order/17?turn=5"


def test_a_large_payload_is_cut_and_there_is_a_way_to_all_of_it(world: Any) -> None:
    world.past.text = "y" * (3 * CHARS)
    client = world.client()
    text = client.get("/instances/order/17?turn=2").text
    assert "y" * (CHARS + 1) not in text
    link = re.search(r'href="(/payload/order/17\?turn=2&amp;name=text)"', text)
    assert link
    whole = client.get(link[1].replace("&amp;", "&"))
    assert whole.text == "y" * (3 * CHARS)
    assert whole.headers["content-type"].startswith("text/plain")
    assert '"verdict": "completed"' in client.get("/payload/order/17?turn=2").text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/instances/order/none", 404),
        ("/instances/order/17?as_of=yesterday", 400),
        ("/instances?address=order", 503),
        ("/agents/nobody", 404),
        ("/nowhere", 404),
        ("/records/secrets/0/0", 404),
    ],
)
def test_what_is_not_there_is_said(world: Any, path: str, status: int) -> None:
    answer = world.client().get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text


def test_an_address_that_is_typed_leads_to_its_instance(world: Any) -> None:
    answer = world.client().get("/instances", params={"address": "order/a b/c"})
    assert answer.headers["location"] == "/instances/order/a%20b/c"


def test_an_agent_is_attached_by_the_form_as_by_the_command(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headgate.rpc import fitness

    monkeypatch.setattr(fitness, "examine", lambda spec: [{"endpoint": "h:2", "problem": "away"}])
    client = world.client()
    token = re.search(r'name="form_token" value="(\w+)"', client.get("/agents").text)
    assert token
    given = {"form_token": token[1], "name": "second", "endpoint": "h:2", "route": "messages"}
    answer = client.post("/agents", data=given)
    assert answer.status_code == 303
    assert "second" not in world.specs
    assert answer.headers["location"] == "/agents", "where the form is"
    assert "second is not attached" in client.get(answer.headers["location"]).text
    answer = client.post("/agents", data={**given, "force": "1"})
    assert list(world.specs["second"].endpoints) == ["h:2"]
    assert [route.topic for route in world.specs["second"].routes] == ["messages"]
    assert answer.headers["location"] == "/agents/second"


def test_workflows_say_what_they_wait_for(world: Any) -> None:
    text = world.client().get("/workflows").text
    assert "refund/one" in text
    assert "signal approve" in text
    assert "No failed workflows" in world.client().get("/workflows?status=failed").text


def test_cost_is_by_agent_model_and_tenant(world: Any) -> None:
    window = world.watched.window
    window.take(
        turn(1, usage=(Usage(model="small", input_tokens=1_000),), tenant="acme", cost=10**9)
    )
    text = world.client().get("/cost").text
    for said in ("<strong>1.00</strong>", "By agent", "By model", "small", "By tenant", "acme"):
        assert said in text


def test_cost_says_where_prices_come_from_while_there_are_none(world: Any) -> None:
    usage = Usage(model="small", input_tokens=210_000, output_tokens=35_000)
    world.watched.window.take(turn(1, usage=(usage,)))
    assert "No price is known" in world.client().get("/cost").text
    world.watched.window.take(turn(2, usage=(usage,), cost=1))
    assert "No price is known" not in world.client().get("/cost").text


def test_the_cluster_shows_the_job_and_leads_to_flinks_own_console(world: Any) -> None:
    flink = FlinkFact("job-1", "RUNNING", NOW, 1, 1, vertices=(Vertex("gate", "RUNNING", 2, 0.95),))
    world.watched.known = replace(world.watched.known, flink=flink)
    text = world.client().get("/cluster").text
    for said in ("job-1", "http://h:8081", "gate", "95 %"):
        assert said in text


def test_letters_are_filtered(world: Any) -> None:
    letters = tuple(LetterFact(f"a{n}/1/{n}", NOW, "not_json", f"a{n}/1") for n in range(3))
    world.watched.known = replace(world.watched.known, letters=letters, letters_open=3)
    text = world.client().get("/letters?agent=a1").text
    assert "/letters/a1/1/1" in text
    assert "/letters/a2/1/2" not in text


def test_a_defect_is_a_page_without_a_trace(world: Any) -> None:
    world.watched.window = None
    app = make_app(world.desk(), Access())
    browser = TestClient(app, "http://localhost", raise_server_exceptions=False)
    answer = browser.get("/")
    assert (answer.status_code, "AttributeError" in answer.text) == (500, True)
    assert "Traceback" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_without_kafka_the_agents_are_those_that_are_known(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(bootstrap: Bootstrap, topic: str) -> Any:
        message = "no broker"
        raise HeadgateError(message)

    monkeypatch.setattr(registry, "read_contents", away)
    answer = world.client().get("/agents")
    assert (answer.status_code, "order" in answer.text) == (200, True)
