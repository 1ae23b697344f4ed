"""The pages in a real Chromium, over recorded data: what is hostile stays text, and it can be
used."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headgate.listening import _bound, _server
from headgate.ui.app import make_app
from headgate.ui.facts import ParkedFact
from headgate.ui.guard import Access
from headgate.v1.agent_pb2 import Usage
from tests.browser import Watched, chromium, needs_chromium
from tests.unit.ui.conftest import NOW, World
from tests.unit.ui.test_pages import ALL, hostile
from tests.unit.ui.test_window import turn

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browsers() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def context(browsers: Any) -> Any:
    return browsers()


@pytest.fixture
def seen(context: Any) -> Iterator[Watched]:
    page = context.new_page()
    page.set_default_timeout(20_000)
    watched = Watched(page)
    yield watched
    page.close()
    assert watched.complaints == []


@pytest.fixture
def url(world: World) -> Iterator[str]:
    """The console of a world, on loopback."""
    listening = _bound("127.0.0.1", 0)
    stopping = asyncio.Event()
    server = _server(make_app(world.desk(), Access(), stopping))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    thread.join()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("CONSOLE_PICTURES", tmp_path))
    folder.mkdir(exist_ok=True)
    return folder


def test_what_agents_say_runs_on_no_page(
    world: World, url: str, seen: Watched, pictures: Path
) -> None:
    world.watched.known = hostile(world.watched.known)
    used = (Usage(model=world.past.text, input_tokens=5),)
    world.watched.window.take(turn(1, key=world.past.text, usage=used, tenant=world.past.text))
    for path in ALL:
        seen.page.goto(url + path)
        assert seen.page.title().endswith("· Headgate")
        assert seen.page.evaluate("document.scripts.length") == 3
        name = path.strip("/").replace("/", "-") or "overview"
        seen.shoot(pictures, f"hostile-{name}")


def test_the_slider_goes_through_time_by_keyboard(url: str, seen: Watched) -> None:
    page = seen.page
    page.goto(f"{url}/instances/order/17")
    page.get_by_role("heading", name="After turn 100 of 100").wait_for()
    page.locator("#turn").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", name="After turn 97 of 100").wait_for()
    assert page.locator("#moment pre").first.inner_text() == "97"
    page.wait_for_url(f"{url}/instances/order/17?turn=97")
    # Where it was put it stays, though turns go on.
    page.keyboard.press("Home")
    page.get_by_role("heading", name="After turn 1 of 100").wait_for()
    assert page.evaluate("document.activeElement.id") == "turn"


def test_a_page_renews_itself_and_leaves_hands_alone(world: World, url: str, seen: Watched) -> None:
    page = seen.page
    page.goto(f"{url}/agents")
    page.get_by_label("Endpoint").fill("half-typed")
    page.goto(f"{url}/")
    page.get_by_text("Nothing that the console can see").wait_for()
    page.get_by_role("link", name="order", exact=True).focus()
    parked = ParkedFact("order/7", NOW - 60_000, "agent_error", "oh")
    world.watched.known = replace(world.watched.known, parked=(parked,))
    page.locator(".problems", has_text="order/7 is parked").wait_for()
    # The keyboard is where it was.
    assert page.evaluate("document.activeElement.textContent") == "order"


def test_news_takes_nothing_half_filled_away(url: str, seen: Watched) -> None:
    """Not even news that was asked for just before somebody began."""
    page = seen.page
    page.goto(f"{url}/agents")
    page.get_by_label("Name").fill("half-typed")
    page.get_by_label("Endpoint").focus()
    page.evaluate("""() => new Promise(done => {
        live.addEventListener("htmx:afterRequest", () => done(), {once: true});
        htmx.trigger(live, "changed");
    })""")
    assert page.get_by_label("Name").input_value() == "half-typed"
    page.get_by_role("button", name="Pause order").focus()
    assert page.evaluate("isBeingUsed()"), "it waits for who has only looked elsewhere"
    page.get_by_label("Name").fill("")
    page.get_by_role("button", name="Pause order").focus()
    assert not page.evaluate("isBeingUsed()")


def test_an_agent_is_paused_by_keyboard(world: World, url: str, seen: Watched) -> None:
    page = seen.page
    page.goto(f"{url}/agents")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_role("button", name="Pause order").focus()
    page.keyboard.press("Enter")
    page.get_by_text("order is paused: its events wait").wait_for()
    assert world.specs["order"].paused


def test_without_scripts_everything_is_there(url: str, browsers: Any) -> None:
    page = browsers(java_script_enabled=False).new_page()
    page.set_default_timeout(20_000)
    page.goto(f"{url}/instances/order/17")
    page.get_by_role("link", name="98", exact=True).click()
    page.get_by_role("heading", name="After turn 98 of 100").wait_for()
    page.goto(f"{url}/agents")
    page.get_by_role("button", name="Pause order").click()
    page.get_by_text("order is paused").wait_for()
    page.close()
