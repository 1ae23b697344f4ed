"""Serving the history: the topic is followed into the store, and questions are answered from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

import grpc.aio

from headgate.bootstrap import Bootstrap
from headgate.history.answers import Answers
from headgate.history.follow import Follower
from headgate.history.http import make_app
from headgate.history.opening import open_store
from headgate.history.reading import Reader
from headgate.history.retention import Retention
from headgate.history.rpc import SERVICE_NAME, History
from headgate.listening import Places, announce, listen
from headgate.v1 import history_pb2_grpc


async def serve(
    bootstrap: Bootstrap,
    topic: str,
    store: str,
    places: Places,
    on_ready: Callable[[Places], None],
    *,
    keep: timedelta | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; ``on_ready`` is told where.

    topic: the history's. store: see `open_store`. keep: how long what has been replaced is kept;
        None: for ever.

    Raises:
        BindError: a port is taken.
        StoreError: the store cannot be used, or no longer.
    """
    with ExitStack() as opened:
        engine = await asyncio.to_thread(open_store, store, topic=topic)
        opened.callback(engine.dispose)
        loop, failed = asyncio.get_running_loop(), asyncio.Event()

        def fail() -> None:
            loop.call_soon_threadsafe(failed.set)

        follower = Follower(bootstrap, topic, engine, fail)
        opened.callback(follower.close)
        if keep is not None:
            opened.callback(Retention(engine, keep).close)
        answers = Answers(Reader(engine), follower)
        opened.callback(answers.close)
        over_grpc = grpc.aio.server()
        history_pb2_grpc.add_HistoryServicer_to_server(History(answers), over_grpc)
        await announce(over_grpc, SERVICE_NAME)
        await listen(make_app(answers), over_grpc, places, on_ready, until=failed)
        # Whoever started it hears of it, and may start it again: a store that does not go on would
        # answer ever older.
        if follower.failure is not None:
            raise follower.failure
