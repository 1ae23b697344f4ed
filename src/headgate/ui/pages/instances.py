"""Instances: one's turns, and a slider through time: its state after any of them, and what that
turn did. How one is at this moment, what is in flight and what waits, only the job can say."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from headgate.cli.control import nothing_to_do, read_address
from headgate.cli.instance_views import NoAnswerError
from headgate.core.identity import address_of
from headgate.history.changes import changes_between
from headgate.history.client import HistoryClient
from headgate.history.errors import NeverSeenError
from headgate.history.times import read_moment
from headgate.history.views import state_view, turn_view
from headgate.kafka.controls import VERBS, send_control
from headgate.kafka.inspect import inspect
from headgate.kafka.reports import report_view
from headgate.ui.desk import Desk
from headgate.ui.payload import pretty
from headgate.ui.render import render
from headgate.ui.saying import done, field, refuse

TURNS = 40
"""On one page; older ones are a link away."""
ANSWER_SECONDS = 10.0
APPLIED_SECONDS = 15.0
"""A checkpoint shows it. During a failover it takes longer, and the page says that it is on its
way."""

_SAID = {
    "resume": "goes on",
    "skip": "has given its first event up: it is a dead letter",
    "cancel": "has dropped its turn in flight; its events are tried again",
    "reset": "has lost its state",
    "park": "is parked",
}


def routes(desk: Desk) -> list[Route]:
    """Return the pages' routes."""
    page = _Instances(desk)
    instance = "/instances/{type}/{key:path}"
    return [
        Route("/instances", page.all),
        Route("/payload/{type}/{key:path}", page.payload),
        Route("/now/{type}/{key:path}", page.now),
        Route(instance, page.one),
        Route("/control", page.control, methods=["POST"]),
    ]


class _Instances:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def all(self, request: Request) -> Response:
        address = request.query_params.get("address", "").strip()
        if address:
            agent_type, key = read_address(address)
            return RedirectResponse(f"/instances/{quote(agent_type)}/{quote(key)}", 303)
        facts = self._desk.watch.facts()
        recent = self._desk.watch.window.recent()
        parked = {each.address for each in facts.parked}
        return render(request, "instances.html", recent=recent, parked=parked)

    async def one(self, request: Request) -> Response:
        self._desk.watch.look()
        address = _address(request)
        asked = request.query_params
        turn, before = _number(asked.get("turn", "")), _number(asked.get("before", ""))
        at_us = read_moment(asked["as_of"], time.time_ns() // 1_000) if asked.get("as_of") else 0
        is_moment_only = asked.get("part") == "moment"

        def ask(past: HistoryClient) -> dict[str, Any]:
            newest = past.state(address)
            shown = past.state(address, at_us=at_us) if at_us else newest
            chosen = min(turn or shown.turn, newest.turn)
            found = {"newest": newest.turn, "chosen": chosen, **_moment(past, address, chosen)}
            if not is_moment_only:
                last = min(before - 1 if before else newest.turn, newest.turn)
                first = max(1, last - TURNS + 1)
                told = past.turns(address, first=first, last=last) if last else []
                found["turns"] = [turn_view(each) for each in reversed(told)]
                found["older"] = first if first > 1 else 0
                found["is_parked"] = newest.HasField("parked")
                found["incomplete"] = newest.is_incomplete
            return found

        found = await self._desk.past(ask)
        link = (
            f"/instances/{quote(request.path_params['type'])}/{quote(request.path_params['key'])}"
        )
        answer = render(
            request,
            "moment.html" if is_moment_only else "instance.html",
            address=address,
            link=link,
            payload=f"/payload{link.removeprefix('/instances')}",
            now=f"/now{link.removeprefix('/instances')}",
            living=not (turn or before or at_us),
            trace=self._trace(found["made"]),
            as_of=asked.get("as_of", ""),
            **found,
        )
        if is_moment_only:
            answer.headers["hx-replace-url"] = f"{link}?turn={found['chosen']}"
        return answer

    async def payload(self, request: Request) -> Response:
        """All of one value or list, or of one turn: what a page has cut."""
        address, asked = _address(request), request.query_params
        turn, name = _number(asked.get("turn", "")), asked.get("name", "")

        def ask(past: HistoryClient) -> Any:
            if not name:
                told = past.turns(address, first=turn, last=turn)
                return turn_view(told[0]) if told else None
            seen = state_view(past.state(address, turn=turn))
            return seen.get("values", {}).get(name, seen.get("lists", {}).get(name))

        return PlainTextResponse(pretty(await self._desk.past(ask), 0).text)

    async def now(self, request: Request) -> Response:
        """What the job answers: the turn in flight, what waits and for what, the last failure."""
        address, broker = _address(request), self._desk.broker
        found = await asyncio.to_thread(
            inspect, broker.bootstrap, broker.config, address, wait_seconds=ANSWER_SECONDS
        )
        if found is None:
            message = f"nobody answered how {address} is; does the job run?"
            raise NoAnswerError(message)
        return render(
            request,
            "now.html",
            address=address,
            link=f"/instances{request.url.path.removeprefix('/now')}",
            found=report_view(found),
        )

    async def control(self, request: Request) -> Response:
        address, verb = field(request, "address"), field(request, "verb")
        agent_type, key = read_address(address)
        if verb not in VERBS:
            refuse(f"there is no {verb!r} of instances")
        broker = self._desk.broker

        def run() -> str:
            found = inspect(broker.bootstrap, broker.config, address, wait_seconds=ANSWER_SECONDS)
            if found is None:
                refuse(f"nobody answered how {address} is; does the job run?")
            problem = nothing_to_do(verb, address, found)
            if problem:
                refuse(problem)
            _, made = send_control(
                broker.bootstrap,
                broker.config,
                address,
                verb,
                reason=field(request, "reason") or "by the console",
                wait_seconds=APPLIED_SECONDS,
            )
            if made is None:
                return f"{verb} of {address} is on its way"
            return f"{address} {_SAID[verb]} (turn {made.outcome.turn})"

        link = f"/instances/{quote(agent_type)}/{quote(key)}"
        return done(request, await asyncio.to_thread(run), link)

    def _trace(self, made: dict[str, Any] | None) -> tuple[str, str] | None:
        parts = (made or {}).get("traceparent", "").split("-")
        if len(parts) != 4:
            return None
        return parts[1], self._desk.trace_url.replace("{trace_id}", quote(parts[1], safe=""))


def _moment(past: HistoryClient, address: str, turn: int) -> dict[str, Any]:
    """Return an instance after a turn: its state, what the turn changed, and the turn itself."""
    if not turn:
        return {"state": {}, "changes": [], "made": None, "is_kept": True}
    try:
        state = past.state(address, turn=turn)
        told = past.turns(address, first=turn, last=turn)
    except NeverSeenError:
        return {"state": {}, "changes": [], "made": None, "is_kept": False}
    try:
        earlier = past.state(address, turn=turn - 1) if turn > 1 else type(state)()
        changes = changes_between(earlier, state)
    except NeverSeenError:
        changes = []
    made = turn_view(told[0]) if told else None
    return {"state": state_view(state), "changes": changes, "made": made, "is_kept": True}


def _address(request: Request) -> str:
    return address_of(request.path_params["type"], request.path_params["key"])


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0
