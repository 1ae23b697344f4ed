"""Workflows: what waits on what since when, and the steps of one as a timeline."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headgate.cli.control import read_address
from headgate.core.identity import address_of
from headgate.core.render import rfc3339
from headgate.core.statuses import ENDED
from headgate.errors import HeadgateError
from headgate.history.client import HistoryClient
from headgate.kafka.signals import send_signal
from headgate.kafka.workflow_views import ROW_VALUES, workflow_row, workflow_view
from headgate.sdk.workflow.steps import CANCEL
from headgate.ui.charts import Span, timeline
from headgate.ui.desk import Desk
from headgate.ui.render import render
from headgate.ui.saying import done, field, refuse
from headgate.v1.history_pb2 import StateAsOf
from headgate.v1.turn_pb2 import InstanceReport, Signal

ROWS = 50
STATUSES = ("running", "parked", "completed", "failed", "cancelled", "terminated")


def routes(desk: Desk) -> list[Route]:
    """Return the pages' routes."""
    page = _Workflows(desk)
    return [
        Route("/workflows", page.all),
        Route("/workflows/{type}/{key:path}", page.one),
        Route("/signal", page.signal, methods=["POST"]),
    ]


class _Workflows:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def all(self, request: Request) -> Response:
        status = request.query_params.get("status", "")

        def ask(past: HistoryClient) -> tuple[int, list[dict[str, Any]]]:
            found = past.snapshot(only=ROW_VALUES)
            rows = [row for row in map(workflow_row, found) if row is not None]
            wanted = [row for row in rows if status in {"", row["status"]}]
            wanted.sort(
                key=lambda row: (row["status"] in ENDED, row.get("started", "")), reverse=False
            )
            shown = wanted[:ROWS]
            for row in shown:
                row["since"] = _since(past, row)
            return len(wanted), shown

        count, rows = await self._desk.past(ask)
        return render(
            request, "workflows.html", rows=rows, count=count, wanted=status, statuses=STATUSES
        )

    async def one(self, request: Request) -> Response:
        agent_type, key = request.path_params["type"], request.path_params["key"]
        address = address_of(agent_type, key)

        def ask(past: HistoryClient) -> tuple[StateAsOf, str]:
            found = past.state(address)
            turn = found.changed.get("pending", 0)
            told = past.turns(address, first=turn, last=turn) if turn else []
            return found, rfc3339(told[0].record.at_us) if told else ""

        found, since = await self._desk.past(ask)
        seen = workflow_view(report_of(found))
        link = f"{quote(agent_type)}/{quote(key)}"
        return render(
            request,
            "workflow.html",
            address=address,
            link=link,
            seen=seen,
            since=since,
            steps=_drawn(seen),
            is_ended=seen["status"] in ENDED,
        )

    async def signal(self, request: Request) -> Response:
        address, name = field(request, "address"), field(request, "name")
        agent_type, key = read_address(address)
        data = field(request, "data")
        if not name:
            refuse("a signal needs a name")
        if data:
            try:
                json.loads(data)
            except ValueError as error:
                refuse(f"the signal's data is not JSON: {error}")
        broker = self._desk.broker
        given = Signal(name=name, signal_id=str(uuid.uuid4()), data=data.encode())

        def run() -> None:
            send_signal(broker.bootstrap, broker.config, address, given)

        await asyncio.to_thread(run)
        said = (
            f"{address} is told to end" if name == CANCEL else f"signal {name} is sent to {address}"
        )
        return done(request, said, f"/workflows/{quote(agent_type)}/{quote(key)}")


def report_of(found: StateAsOf) -> InstanceReport:
    """Return a state of the history as the job would report it: `workflow_view` reads those."""
    made = InstanceReport(address=address_of(found.agent_type, found.key), state=found.state)
    made.control.turn, made.control.at_us = found.turn, found.at_us
    if found.HasField("parked"):
        made.control.parked = True
        made.control.failure_code = found.parked.code
        made.control.failure_message = found.parked.message
    return made


def _since(past: HistoryClient, row: dict[str, Any]) -> str:
    """Since when a workflow is as it is: the time of its last turn."""
    try:
        told = past.turns(row["address"], newest=1)
    except HeadgateError:
        return ""
    return rfc3339(told[0].record.at_us) if told else ""


def _drawn(seen: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps with where they are in time: each from the one before to its own end."""
    steps = seen.get("steps", [])
    times = [_seconds(each["at"]) for each in steps]
    begin = _seconds(seen["started"]) if seen.get("started") else min(times, default=0.0)
    whole = (max(times, default=begin) - begin) or 1.0
    drawn, last = [], begin
    for step, at in zip(steps, times, strict=True):
        kind = "bad" if isinstance(step["came to"], dict) and "error" in step["came to"] else "s0"
        span = Span((last - begin) / whole, (at - begin) / whole, kind)
        label = f"{step['step']}: {at - last:.1f} s, ended {at - begin:.1f} s after the start"
        drawn.append({**step, "took": at - last, "picture": timeline(span, label=label)})
        last = at
    return drawn


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
