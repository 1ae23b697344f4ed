"""The console in a real browser, on a running job: what it shows, what it does, what it names.

A fault is planted, and the overview must name it within 15 s. Pictures of all pages are in
`$CONSOLE_PICTURES`, or a folder of the test's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headgate.kafka.money import TERMS_KEY, terms_of
from headgate.kafka.registry import write_own
from headgate.sdk import Agent, Event, Log, Park, TerminalError, Turn, log
from headgate.sdk.workflow import Context
from headgate.testing.serving import Serving
from headgate.v1.cost_pb2 import Price, Terms
from tests.browser import Watched, chromium, needs_chromium
from tests.flink.runtime import Runtime

pytestmark = [pytest.mark.flink, pytest.mark.slow, needs_chromium]

NAMED_SECONDS = 15.0
PAGE_MS = 30_000
CAUGHT_UP_MS = 240_000
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title="owned"</script>'


@contextmanager
def console(runtime: Runtime, *arguments: str) -> Iterator[str]:
    """A console as one starts it: a process of its own. Yield its URL."""
    command = [sys.executable, "-m", "headgate.cli.app", "ui", "--port", "0", "-o", "json"]
    command += ["--config", str(runtime.path), "--flink", runtime.stack.flink.rest_url]
    command += ["--history", runtime.stack.start_history(runtime.path).endpoint, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if line.startswith("}"):
                break
        try:
            yield json.loads(text)["url"]
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.fixture(scope="module")
def url(runtime: Runtime) -> str:
    """The console that `headgate dev` starts beside the rest."""
    runtime.stack.start_history(runtime.path)
    return runtime.stack.start_console(runtime.path).url


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("CONSOLE_PICTURES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    with chromium() as opened:
        yield opened()


@pytest.fixture
def seen(context: Any) -> Iterator[Watched]:
    page = context.new_page()
    page.set_default_timeout(PAGE_MS)
    watched = Watched(page)
    yield watched
    page.close()
    assert watched.complaints == []


@dataclass
class Order:
    """What an instance of the shop's keeps."""

    status: str = "new"
    notes: Log[str] = log()  # noqa: RUF009 - declares a field, as field() does


def shop(name: str, hang: threading.Event) -> Agent[Any]:
    """Make an agent that keeps what it is told, gives up, parks, or hangs until it is let go."""
    agent: Agent[Any] = Agent(name, state=Order)

    @agent.on("*", threads=True)
    def message(turn: Turn[Any], event: Event) -> None:
        match event.data["text"]:
            case "poison":
                text = f"cannot read {HOSTILE}"
                raise TerminalError(text)
            case "park":
                text = "look at me"
                raise Park(text)
            case "hang":
                hang.wait()
        turn.state.status = event.data["text"]
        turn.state.notes.append(event.data["text"])
        turn.used(model="small-1", input_tokens=30, output_tokens=4)
        turn.emit("shop.reply", {"notes": len(turn.state.notes)})

    return agent


def silent(name: str) -> Agent[Any]:
    """Make an agent that tells no usage: each of its calls has a price."""
    agent: Agent[Any] = Agent(name)

    @agent.on("*")
    def message(turn: Turn[Any], event: Event) -> None:
        turn.emit("shop.reply", event.data)

    return agent


def attach(runtime: Runtime, name: str, endpoint: str, *more: str) -> None:
    """Attach an agent to the offers of its type's, and wait until it is routed."""
    runtime.headgate(
        "agents", "attach", name, "--endpoint", endpoint, "--route", f"offers:{name}", *more
    )
    probe = f"{name}/probe-{time.time_ns()}"

    def send() -> Any:
        key = probe.partition("/")[2]
        runtime.send("offers", key, {"text": "are you there?"}, event_type=name)
        return runtime.records.outbox_of.get(probe)

    runtime.records.await_found(send, f"{name}, attached")


def tell(runtime: Runtime, name: str, key: str, *texts: str) -> None:
    for text in texts:
        runtime.send("offers", key, {"text": text}, event_type=name)


def named(watched: Watched, url: str, text: str, since: float) -> None:
    """Wait until the overview, which renews itself, names something; in time."""
    watched.page.goto(f"{url}/")
    watched.page.locator(".problems", has_text=text).wait_for()
    assert time.monotonic() - since <= NAMED_SECONDS, f"{text!r} was named too late"


def test_an_instance_from_its_first_turn_to_its_last(
    runtime: Runtime, url: str, seen: Watched, pictures: Path
) -> None:
    from playwright.sync_api import expect

    name, page = runtime.fresh("shop"), seen.page
    with Serving(shop(name, threading.Event())) as served:
        # One event a turn: a turn for each text.
        attach(runtime, name, served.endpoint, "--max-batch", "1")
        page.goto(f"{url}/agents")
        page.get_by_role("link", name=name, exact=True).wait_for()
        # A page of what is not there yet becomes the page of it, with its title.
        page.goto(f"{url}/instances/{name}/late")
        assert page.title() == "Not found · Headgate"
        tell(runtime, name, "late", "first")
        page.get_by_role("heading", name="After turn 1 of 1").wait_for()
        expect(page).to_have_title(f"{name}/late · Headgate")
        tell(runtime, name, "a", "first", HOSTILE, "third")
        runtime.answers_of(f"{name}/a", 3)
        page.goto(f"{url}/instances/{name}/a")
        page.get_by_role("heading", name="After turn 3 of 3").wait_for()
        # It is live: what comes is seen without loading anything.
        tell(runtime, name, "a", "fourth")
        page.get_by_role("heading", name="After turn 4 of 4").wait_for()
        # By keyboard alone: the slider goes back through time.
        page.locator("#turn").focus()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        page.get_by_role("heading", name="After turn 2 of 4").wait_for()
        assert page.locator("#moment dd pre").first.inner_text() == HOSTILE
        page.keyboard.press("Home")
        page.get_by_role("heading", name="After turn 1 of 4").wait_for()
        assert "first" in page.locator("#moment").inner_text()
        page.wait_for_url("**?turn=1")
        expect(page.locator("tr.chosen th")).to_have_text("1")
        # What an agent says is text, wherever it stands.
        assert page.title() == f"{name}/a · Headgate"
        page.get_by_role("link", name=f"offers/{_place_of(page)}").click()
        page.get_by_role("heading", name="Event offers/").wait_for()
        assert '"first"' in page.locator("pre").inner_text()
        page.goto(f"{url}/instances/{name}/a?turn=2")
        seen.shoot(pictures, "instance")
        runtime.headgate("agents", "detach", name, "--now")


def _place_of(page: Any) -> str:
    found: str = page.locator("#moment a[href^='/records/']").first.inner_text()
    return found.removeprefix("offers/")


def test_what_needs_a_hand_gets_one_in_the_browser(
    runtime: Runtime, url: str, seen: Watched, pictures: Path
) -> None:
    name, page = runtime.fresh("shop"), seen.page
    with Serving(shop(name, threading.Event())) as served:
        attach(runtime, name, served.endpoint)
        begin = time.monotonic()
        tell(runtime, name, "p", "poison")
        tell(runtime, name, "q", "park")
        named(seen, url, f"given up (terminal) of {name}/p", begin)
        named(seen, url, f"{name}/q is parked", begin)
        seen.shoot(pictures, "overview")
        page.goto(f"{url}/letters?agent={name}")
        page.get_by_role("button", name=f"Skip event of {name}/q").wait_for()
        seen.shoot(pictures, "letters")
        page.get_by_role("button", name=f"Skip event of {name}/q").click()
        page.get_by_text(f"{name}/q has given its first event up").wait_for()
        # Its letter is replayed, and given up again: there are two then, one of them settled.
        page.goto(f"{url}/letters?agent={name}&reason=terminal")
        page.get_by_role("checkbox", name=f"Choose {name}/p/1").check()
        page.get_by_role("button", name="Replay the chosen").click()
        page.get_by_text("1 dead letter was replayed").wait_for()
        page.get_by_role("link", name=f"{name}/p/2").wait_for()
        listed = runtime.headgate("dead-letters", "list", "--agent", name, "--all")
        fates = {each["id"]: each.get("settled", {}).get("fate") for each in listed}
        assert fates[f"{name}/p/1"] == "replayed"
        # Paused and let go on.
        page.goto(f"{url}/agents/{name}")
        page.get_by_role("button", name="Pause").click()
        page.get_by_text(f"{name} is paused").wait_for()
        assert runtime.headgate("agents", "describe", name)["paused"]
        page.get_by_role("button", name="Resume").click()
        page.get_by_text(f"{name} takes turns").wait_for()
        seen.shoot(pictures, "agent")
        runtime.headgate("agents", "detach", name, "--now")


def test_an_agent_is_attached_in_the_browser(
    runtime: Runtime, url: str, seen: Watched, pictures: Path
) -> None:
    name, page = runtime.fresh("shop"), seen.page
    with Serving(shop(name, threading.Event())) as served:
        page.goto(f"{url}/agents")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Endpoint").fill(served.endpoint)
        page.get_by_label("Routes").fill("no-such-topic")
        page.get_by_role("button", name="Attach").click()
        page.get_by_role("alert").wait_for()
        assert "no-such-topic" in page.get_by_role("alert").inner_text()
        page.goto(f"{url}/agents")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Endpoint").fill(served.endpoint)
        page.get_by_label("Routes").fill(f"offers:{name}")
        # What somebody fills in is left alone while news come.
        page.wait_for_timeout(5_000)
        assert page.get_by_label("Routes").input_value() == f"offers:{name}"
        page.get_by_role("button", name="Attach").click()
        page.wait_for_url(lambda at: not at.endswith("/agents"))
        # What it says instead is the reason, where it fails.
        assert page.locator(".said").inner_text().startswith(f"{name} is attached at")
        probe = f"{name}/1"

        def send() -> Any:
            tell(runtime, name, "1", "hello")
            return runtime.records.outbox_of.get(probe)

        runtime.records.await_found(send, "an answer of the agent that was attached")
        page.get_by_role("link", name=probe, exact=True).wait_for()
        page.goto(f"{url}/agents")
        seen.shoot(pictures, "agents")
        page.goto(f"{url}/cost")
        page.get_by_text("small-1").wait_for()
        seen.shoot(pictures, "cost")
        page.goto(f"{url}/cluster")
        page.get_by_text("RUNNING").first.wait_for()
        seen.shoot(pictures, "cluster")
        runtime.headgate("agents", "detach", name, "--now")


def test_a_workflow_is_seen_waiting_and_is_signalled(
    runtime: Runtime, url: str, seen: Watched, pictures: Path
) -> None:
    name, page = runtime.fresh("approval"), seen.page
    agent: Agent[Any] = Agent(name)

    @agent.workflow
    async def run(ctx: Context, data: Any) -> Any:
        await ctx.activity(lambda: {"checked": data})
        return await ctx.wait_signal("approve", timeout=timedelta(days=3))

    with Serving(agent) as served:
        runtime.headgate("agents", "attach", name, "--endpoint", served.endpoint)
        runtime.headgate("workflows", "start", f"{name}/one", '{"n": 1}')
        page.goto(f"{url}/workflows")
        row = page.get_by_role("row", name=f"{name}/one")
        row.get_by_text("signal approve").wait_for()
        seen.shoot(pictures, "workflows")
        page.get_by_role("link", name=f"{name}/one").click()
        page.get_by_text("activity").first.wait_for()
        page.get_by_label("Signal").fill("approve")
        page.get_by_label("Data, JSON").fill('"yes"')
        page.get_by_role("button", name="Send").click()
        page.get_by_text("completed", exact=True).wait_for()
        seen.shoot(pictures, "workflow")
        runtime.headgate("agents", "detach", name, "--now")


def test_an_agent_that_hangs_is_named(runtime: Runtime, url: str, seen: Watched) -> None:
    name, hang = runtime.fresh("shop"), threading.Event()
    with Serving(shop(name, hang)) as served:
        attach(runtime, name, served.endpoint)
        try:
            begin = time.monotonic()
            tell(runtime, name, "h", "hang")
            named(seen, url, f"Agent {name} hangs", begin)
        finally:
            hang.set()
        runtime.answers_of(f"{name}/h")
        problem = seen.page.locator(".problems", has_text=f"Agent {name} hangs")
        problem.wait_for(state="detached")
        # A service that is gone is named too, and with what it leaves waiting.
    begin = time.monotonic()
    tell(runtime, name, "h", "after")
    named(seen, url, f"Agent {name} is unreachable", begin)
    runtime.headgate("agents", "detach", name, "--now")


def test_a_spent_budget_is_named(runtime: Runtime, url: str, seen: Watched, pictures: Path) -> None:
    name, budget = runtime.fresh("shop"), runtime.fresh("budget")
    names, bootstrap = runtime.config.topic_names, runtime.config.kafka.bootstrap
    unit, now_ms = 1_000_000_000, time.time_ns() // 1_000_000
    terms = Terms(currency="EUR", prices=[Price(agent=name, call_nanos=unit)], schema_version=1)
    # The newest counts: that of headgate.toml was written when the job started.
    terms.updated_ms = now_ms
    with Serving(silent(name)) as served:
        write_own(bootstrap, names.registry, TERMS_KEY, terms.SerializeToString())
        attach(runtime, name, served.endpoint)
        runtime.headgate(
            "budgets", "set", budget, "--limit", "2", "--window", "day", "--per", "agent",
            "--agent", name,
        )  # fmt: skip
        try:
            begin = time.monotonic()
            for number in range(6):
                tell(runtime, name, str(number), "hello")
            named(seen, url, f"The budget {budget} ({name}) is spent", begin)
            seen.page.get_by_role("row", name=budget).wait_for()
            seen.shoot(pictures, "budgets")
            seen.page.goto(f"{url}/cost")
            seen.page.get_by_role("row", name=budget).wait_for()
            seen.shoot(pictures, "cost")
        finally:
            runtime.headgate("budgets", "drop", budget)
            before = terms_of(runtime.config)
            before.updated_ms = now_ms + 1
            write_own(bootstrap, names.registry, TERMS_KEY, before.SerializeToString())
        runtime.headgate("agents", "detach", name, "--now")


def test_a_poisoned_event_is_named(runtime: Runtime, url: str, seen: Watched) -> None:
    begin = time.monotonic()
    runtime.publish("events", runtime.fresh("poisoned"), b"\x00 no json", {})
    named(seen, url, "given up", begin)


def test_a_stopped_task_manager_is_named(runtime: Runtime, url: str, seen: Watched) -> None:
    (pid,) = runtime.stack.task_manager_pids()
    begin = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        named(seen, url, "A TaskManager has stopped", begin)
    finally:
        os.kill(pid, signal.SIGCONT)
    problem = seen.page.locator(".problems", has_text="A TaskManager has stopped")
    problem.wait_for(state="detached")
    runtime.stack.flink.rest.await_running(runtime.job)


def test_a_console_that_was_killed_knows_what_was(
    runtime: Runtime, url: str, seen: Watched
) -> None:
    name = runtime.fresh("shop")
    with Serving(shop(name, threading.Event())) as served:
        attach(runtime, name, served.endpoint)
        seen.page.goto(f"{url}/agents/{name}")
        address = seen.page.get_by_role("link", name=f"{name}/probe").first
        address.wait_for()
        killed = runtime.stack.beside.pids()["console"]
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        seen.page.get_by_text("not live: trying again").wait_for()
        # It is started again, and the page goes on by itself.
        seen.page.get_by_text("not live: trying again").wait_for(state="hidden")
        seen.page.reload()
        # It reads a quarter of an hour again, with all that other tests put there.
        address.wait_for(timeout=CAUGHT_UP_MS)
        assert runtime.stack.beside.pids()["console"] != killed
        runtime.headgate("agents", "detach", name, "--now")
    # The browser and htmx complain of a server that is gone, and are right.
    seen.complaints.clear()


def test_read_only_with_a_token(
    runtime: Runtime, seen: Watched, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = runtime.path.read_text(encoding="utf-8")
    guarded = runtime.path.with_name("guarded.toml")
    guarded.write_text(f'{text}\n[ui]\ntoken_env = "CONSOLE_TOKEN"\n', encoding="utf-8")
    monkeypatch.setenv("CONSOLE_TOKEN", "open sesame")
    page = seen.page
    with console(runtime, "--config", str(guarded), "--read-only") as url:
        page.goto(url)
        seen.shoot(pictures, "login")
        page.get_by_label("Token").fill("open sesame")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="What is wrong now").wait_for()
        page.get_by_text("read-only").wait_for()
        page.goto(f"{url}/agents")
        # What changes something is not there; logging out changes nothing.
        assert page.locator("main").get_by_role("button").count() == 0
