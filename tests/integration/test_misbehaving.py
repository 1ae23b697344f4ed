"""Every way to misbehave, on every wire, beside agents that do well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from headgate.v1.agent_pb2 import (
    FAILURE_CODE_BAD_REPLY,
    FAILURE_CODE_DEADLINE_EXCEEDED,
    FAILURE_CODE_RPC_ERROR,
    FAILURE_CODE_TOO_LARGE,
)
from headgate.v1.turn_pb2 import Outcome
from tests.integration import misbehaving as bad
from tests.integration.doubles import (
    ListJournal,
    Service,
    call,
    completed,
    dispatcher,
    serve,
    until,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

CALLS = 4
PATIENCE_SECONDS = 120.0
"""50 MB through gRPC take seconds on a busy machine."""

BYSTANDERS = 40

DONE = "completed"
DROPPED = "dropped"


def scripted(answer: bad.Answer) -> Callable[[str], Any]:
    return lambda wire: bad.Misbehaving(wire, answer)


def refusing(wire: str) -> Any:
    return bad.Misbehaving(wire, bad.well, health=HealthCheckResponse.NOT_SERVING)


# What it does, how long its calls may take (ms), and what may become of them.
MATRIX: dict[str, tuple[Callable[[str], Any], int, set[Any]]] = {
    "slow": (scripted(bad.slow), 20_000, {DONE}),
    "hanging": (scripted(bad.hanging), 400, {FAILURE_CODE_DEADLINE_EXCEEDED}),
    "crashing": (scripted(bad.crashing), 3_000, {FAILURE_CODE_RPC_ERROR, DROPPED}),
    "flapping": (bad.Flapping, 5_000, {DONE, DROPPED, FAILURE_CODE_RPC_ERROR}),
    "garbage": (scripted(bad.garbage), 3_000, {FAILURE_CODE_RPC_ERROR, DROPPED}),
    "wrong base": (scripted(bad.wrong_base), 20_000, {FAILURE_CODE_BAD_REPLY}),
    "wrong request": (
        scripted(bad.wrong_request),
        400,
        # Nobody knows which call it was for; a unary answer can only be for its own.
        {FAILURE_CODE_DEADLINE_EXCEEDED, FAILURE_CODE_BAD_REPLY, DONE},
    ),
    "50 MB": (scripted(bad.large), 110_000, {FAILURE_CODE_TOO_LARGE}),
    "half-open": (lambda _: bad.HalfOpen(), 400, {DROPPED}),
    "refuses health": (refusing, 400, {DROPPED}),
}


@pytest.mark.parametrize("wire", bad.WIRES)
@pytest.mark.parametrize("behaviour", MATRIX)
async def test_it_harms_itself_only_and_every_call_is_accounted_for(
    wire: str, behaviour: str
) -> None:
    make, deadline_ms, expected = MATRIX[behaviour]
    calls = 1 if behaviour == "50 MB" else CALLS
    journal = ListJournal()

    def answered(count: int) -> bool:
        return len(of("good", journal)) >= count

    async with AsyncExitStack() as closing:
        healthy, port = await serve(Service(completed))
        closing.push_async_callback(healthy.stop, None)
        mine = dispatcher(journal, answer_bytes=4 * 1024 * 1024)
        # A failing test must not leave it calling a service that the next ones share cores with.
        closing.push_async_callback(mine.close)
        service = await closing.enter_async_context(make(wire))
        for number in range(calls):
            made = call(
                number,
                service.port,
                deadline_ms=deadline_ms,
                agent_type="bad",
                connection=bad.connection_by(wire),
            )
            mine.take(made)
        # One after the other, while the other's calls are under way or fail.
        for number in range(BYSTANDERS):
            mine.take(call(1_000 + number, port, agent_type="good"))
            await until(partial(answered, number + 1), PATIENCE_SECONDS)
        await until(
            lambda: len(of("bad", journal)) + mine.counts.dropped == calls, PATIENCE_SECONDS
        )
    assert all(outcome.HasField("completed") for outcome in of("good", journal))
    became = Counter(
        DONE if outcome.HasField("completed") else outcome.failed.code
        for outcome in of("bad", journal)
    )
    assert set(became) | ({DROPPED} if mine.counts.dropped else set()) <= expected
    if behaviour == "50 MB" and wire != "stream":
        # Refused by its first bytes: taken in whole, ten at a time, they cost others a quarter.
        [outcome] = of("bad", journal)
        assert "larger than max" in outcome.failed.message
    # Nothing twice: an outcome for each call, or a count.
    assert len({outcome.key for outcome in of("bad", journal)}) == became.total()


def of(agent_type: str, journal: ListJournal) -> list[Outcome]:
    return [outcome for outcome in journal.outcomes if outcome.agent_type == agent_type]
