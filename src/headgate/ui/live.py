"""News for open pages: server-sent events that say "changed"; a page then asks for its living part
again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from headgate.ui.desk import Watching

SECONDS = 2.0
"""Between two of them: what is watched changes no faster, and one could not read faster."""
STREAMS = 100
"""Open at once. A browser that is refused goes on asking, every few seconds."""


def routes(watch: Watching, stopping: asyncio.Event) -> list[Route]:
    """Return the route of the news; they end when ``stopping`` is set."""
    opened: set[object] = set()

    async def news() -> AsyncIterator[str]:
        mark = object()
        opened.add(mark)
        try:
            yield "retry: 3000\n\n"
            while not stopping.is_set():
                watch.look()
                yield "event: changed\ndata: \n\n"
                try:
                    await asyncio.wait_for(stopping.wait(), SECONDS)
                except TimeoutError:
                    continue
        finally:
            opened.discard(mark)

    async def live(request: Request) -> Response:
        if len(opened) >= STREAMS:
            return PlainTextResponse("too many pages are open", 503)
        return StreamingResponse(news(), media_type="text/event-stream")

    return [Route("/live", live)]
