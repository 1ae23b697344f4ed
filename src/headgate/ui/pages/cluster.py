"""The cluster: the job, its checkpoints and restarts, and where it is held up."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headgate.ui.desk import Desk
from headgate.ui.render import render
from headgate.ui.wrong import find_problems


def routes(desk: Desk) -> list[Route]:
    """Return the page's routes."""

    async def cluster(request: Request) -> Response:
        desk.watch.look()
        facts = desk.watch.facts()
        return render(
            request,
            "cluster.html",
            facts=facts,
            flink_url=desk.flink_url,
            problems=[each for each in find_problems(facts) if each.link == "/cluster"],
            bootstrap=desk.broker.bootstrap,
            history=desk.history,
        )

    return [Route("/cluster", cluster)]
