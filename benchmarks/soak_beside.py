"""Whether Redis and the history store end with what the outbox ended with."""

import json
import time
from collections.abc import Mapping

from headgate.config.redis import RedisConfig
from headgate.errors import HeadgateError
from headgate.history.client import HistoryClient
from headgate.view import View

# They are a checkpoint behind, and may have been killed last.
LEVEL_SECONDS = 120.0
POLL_SECONDS = 0.5

Ends = Mapping[str, tuple[int, int]]
"""By address: its last turn, and how many events it has counted."""


async def redis_differs(settings: RedisConfig, ends: Ends) -> int:
    """Return of how many instances Redis has another state."""
    differ = 0
    level = time.monotonic() + LEVEL_SECONDS
    async with View(settings.url, prefix=settings.prefix) as view:
        for address, (turn, count) in ends.items():
            left = max(1.0, level - time.monotonic())
            try:
                seen = await view.get(address, at_least=turn, wait_seconds=left)
            except HeadgateError:
                differ += 1
                continue
            differ += (seen.turn, seen.value("count")) != (turn, count)
    return differ


def history_differs(endpoint: str, ends: Ends) -> int:
    """Return of how many instances the history store has another state."""
    differ = 0
    level = time.monotonic() + LEVEL_SECONDS
    with HistoryClient(endpoint) as asked:
        for address, end in ends.items():
            while (found := _state(asked, address)) != end and time.monotonic() < level:
                time.sleep(POLL_SECONDS)
            differ += found != end
    return differ


def _state(asked: HistoryClient, address: str) -> tuple[int, int]:
    try:
        found = asked.state(address)
    except HeadgateError:
        return 0, 0
    return found.turn, json.loads(found.state.values.get("count", b"0"))
