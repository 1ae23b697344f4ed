"""The overview: what is wrong now, and how much flows."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headgate.ui.charts import Bar, bars
from headgate.ui.counts import Spent
from headgate.ui.desk import Desk
from headgate.ui.facts import Facts
from headgate.ui.render import clock, render
from headgate.ui.window import RATE_STEPS, STEP_SECONDS, STEPS, Window
from headgate.ui.wrong import find_problems


def routes(desk: Desk) -> list[Route]:
    """Return the page's routes."""

    async def overview(request: Request) -> Response:
        desk.watch.look()
        facts, window = desk.watch.facts(), desk.watch.window
        latest = window.total(facts.now_ms, steps=RATE_STEPS)
        long = window.total(facts.now_ms)
        spent = Spent()
        for _, _, each in window.spent(facts.now_ms // 60_000 - 60):
            spent.add(each)
        busy = [agent.busy for agent in facts.agents if agent.busy is not None]
        return render(
            request,
            "overview.html",
            facts=facts,
            problems=find_problems(facts),
            chart=turns_chart(window, facts.now_ms),
            rate=window.rate(facts.now_ms),
            latest=latest,
            long=long,
            outputs=latest.outputs / (RATE_STEPS * STEP_SECONDS),
            busy=sum(busy) if busy else None,
            spent=spent,
            flow=_flow(facts),
        )

    return [Route("/", overview)]


def turns_chart(window: Window, now_ms: int, agent: str = "") -> object:
    """Return turns over the window, as a picture."""
    counts = window.chart(now_ms, agent)
    first = now_ms // (STEP_SECONDS * 1_000) - len(counts) + 1
    columns = [
        Bar(
            (good, bad),
            f"{clock((first + i) * STEP_SECONDS * 1_000)}: {good} completed, {bad} failed",
        )
        for i, (good, bad) in enumerate(counts)
    ]
    total, failed = sum(g for g, _ in counts), sum(b for _, b in counts)
    minutes = STEPS * STEP_SECONDS // 60
    most = max((g + b for g, b in counts), default=0) / STEP_SECONDS
    label = (
        f"Turns of the last {minutes} minutes: {total} completed, {failed} failed; "
        f"at most {most:.1f} a second"
    )
    return bars(columns, label=label)


def _flow(facts: Facts) -> list[tuple[str, str]]:
    """Name the worst state of each stage of the flow."""
    flink = facts.flink
    job = "good" if flink is None or flink.state == "RUNNING" else "bad"
    agents = [
        "bad" if agent.unhealthy_since_ms else "idle" if agent.state != "attached" else "good"
        for agent in facts.agents
    ]
    worst = "bad" if "bad" in agents else "good" if agents else "idle"
    return [("job", job), ("agents", worst)]
