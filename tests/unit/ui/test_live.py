"""Streams of news: so many at once, and a closed one makes room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.requests import Request

from headgate.ui import live


class Watch:
    """Counts who looked."""

    looks = 0

    def look(self) -> None:
        self.looks += 1


async def _open(stopping: asyncio.Event, watch: Any, count: int) -> tuple[list[int], list[Any]]:
    (route,) = live.routes(watch, stopping)
    streams, codes = [], []
    for _ in range(count):
        answer = await route.endpoint(Request({"type": "http", "method": "GET", "headers": []}))
        codes.append(answer.status_code)
        if answer.status_code == 200:
            stream: AsyncGenerator[str, None] = answer.body_iterator
            assert (await anext(stream)).startswith("retry")
            streams.append(stream)
    return codes, [route, *streams]


def test_streams_are_bounded_and_one_that_ends_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STREAMS", 3)

    async def play() -> None:
        codes, (route, first, *_) = await _open(asyncio.Event(), Watch(), 5)
        assert codes == [200, 200, 200, 503, 503]
        await first.aclose()
        request = Request({"type": "http", "method": "GET", "headers": []})
        assert (await route.endpoint(request)).status_code == 200

    asyncio.run(play())


def test_a_stream_says_that_somebody_looks_and_ends_with_the_console() -> None:
    async def play() -> None:
        stopping, watch = asyncio.Event(), Watch()
        _, (_, stream) = await _open(stopping, watch, 1)
        assert "changed" in await anext(stream)
        assert watch.looks == 1
        stopping.set()
        assert [each async for each in stream] == []

    asyncio.run(play())
