"""Agents: how each is, and attaching, pausing and letting go on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headgate.cli.agent_views import describe, policy_summary, routes_summary
from headgate.cli.attaching import attach_agent
from headgate.cli.detach import set_paused
from headgate.cli.registered import find_agent, read, write
from headgate.errors import HeadgateError
from headgate.rpc.health import Answer
from headgate.ui.desk import Desk
from headgate.ui.pages.overview import turns_chart
from headgate.ui.render import render
from headgate.ui.saying import done, field, refuse
from headgate.ui.wrong import find_problems

TOPICS_SECONDS = 30.0
"""What the job reads is fixed when it starts; each look is a connection to Kafka."""


def routes(desk: Desk) -> list[Route]:
    """Return the pages' routes."""
    page = _Agents(desk)
    return [
        Route("/agents", page.all),
        Route("/agents", page.attach, methods=["POST"]),
        Route("/agents/{name}", page.one),
        Route("/agents/{name}/{verb:str}", page.change, methods=["POST"]),
    ]


class _Agents:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._topics: list[str] = []
        self._topics_read = -TOPICS_SECONDS

    async def all(self, request: Request) -> Response:
        self._desk.watch.look()
        facts = self._desk.watch.facts()
        if time.monotonic() - self._topics_read >= TOPICS_SECONDS:
            # The page is there without Kafka, too: it shows who is attached, as far as is known.
            with contextlib.suppress(HeadgateError):
                contents = await asyncio.to_thread(read, self._desk.broker)
                self._topics = list(contents.job.topics) if contents.job else []
                self._topics_read = time.monotonic()
        return render(request, "agents.html", facts=facts, topics=self._topics)

    async def one(self, request: Request) -> Response:
        self._desk.watch.look()
        name = request.path_params["name"]
        facts, window = self._desk.watch.facts(), self._desk.watch.window
        spec = self._desk.watch.registry.get(name)
        if spec is None:
            # Perhaps of a moment ago; if it is nowhere, that is said.
            spec = find_agent(await asyncio.to_thread(read, self._desk.broker), name)
        known = self._desk.watch.answers()
        targets = [*spec.endpoints, *spec.canary.endpoints]
        described = describe(spec, {e: known.get(e) or Answer(e, "not asked yet") for e in targets})
        return render(
            request,
            "agent.html",
            agent=next((each for each in facts.agents if each.name == name), None),
            described=described,
            policy=policy_summary(described["policy"]),
            routes=routes_summary(described["routes"]),
            long=window.total(facts.now_ms, name),
            chart=turns_chart(window, facts.now_ms, name),
            problems=[
                each for each in find_problems(facts) if each.link.endswith(f"/{quote(name)}")
            ],
            recent=window.recent(name)[:20],
        )

    async def change(self, request: Request) -> Response:
        name, verb = request.path_params["name"], request.path_params["verb"]
        broker = self._desk.broker

        def run() -> str:
            match verb:
                case "pause" | "resume":
                    _, changed = set_paused(broker, name, verb == "pause")
                    state = "is paused: its events wait" if verb == "pause" else "takes turns"
                    return f"{name} {state}{'' if changed else ' already'}"
                case "drain":
                    contents = read(broker)
                    spec = find_agent(contents, name)
                    spec.draining = True
                    write(broker, contents, name, spec)
                    return f"{name} drains: it gets no new events, and finishes what waits"
                case _:
                    refuse(f"there is no {verb!r} of agents")

        return done(request, await asyncio.to_thread(run), f"/agents/{quote(name)}")

    async def attach(self, request: Request) -> Response:
        name, endpoint = field(request, "name"), field(request, "endpoint")
        route = [each for each in field(request, "route").split() if each]
        if not name:
            refuse("an agent needs a name")

        def run() -> str:
            made = attach_agent(
                self._desk.broker,
                name,
                {"endpoint": endpoint} if endpoint else {},
                route=route or None,
                force=bool(field(request, "force")),
            )
            shown = "; ".join(made.problems)
            return f"{name} is attached at {endpoint}" + (f", although {shown}" if shown else "")

        return done(request, await asyncio.to_thread(run), f"/agents/{quote(name)}")
