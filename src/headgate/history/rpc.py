"""The history over gRPC: `headgate.v1.History`; `history.proto` is its specification."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
from sqlalchemy.exc import SQLAlchemyError

from headgate.core.identity import address_of
from headgate.errors import HeadgateError
from headgate.history.answers import Answers
from headgate.history.errors import (
    MomentError,
    NeverSeenError,
    NoSuchPathError,
    NotClosedError,
    RemovedError,
    said,
)
from headgate.v1 import history_pb2 as pb
from headgate.v1 import history_pb2_grpc

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["History"].full_name

_CODES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (MomentError, grpc.StatusCode.INVALID_ARGUMENT),
    (NeverSeenError, grpc.StatusCode.NOT_FOUND),
    (NoSuchPathError, grpc.StatusCode.NOT_FOUND),
    (NotClosedError, grpc.StatusCode.FAILED_PRECONDITION),
    (RemovedError, grpc.StatusCode.FAILED_PRECONDITION),
    (HeadgateError, grpc.StatusCode.UNAVAILABLE),
    (SQLAlchemyError, grpc.StatusCode.UNAVAILABLE),
)


class History(history_pb2_grpc.HistoryServicer):
    """Serves `History` from a store."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def GetPosition(self, request: pb.GetPositionRequest, context: Any) -> pb.HistoryPosition:
        """Return how far the store is."""
        async with _refusing(context):
            return await self._answers.position()

    async def GetStateAsOf(self, request: pb.GetStateAsOfRequest, context: Any) -> pb.StateAsOf:
        """Return an instance's state at a moment."""
        async with _refusing(context):
            address = address_of(request.agent_type, request.key)
            return await self._answers.state(address, request.moment)

    async def Explain(self, request: pb.ExplainRequest, context: Any) -> pb.Explanation:
        """Return which turns made an instance's state."""
        async with _refusing(context):
            address = address_of(request.agent_type, request.key)
            return await self._answers.explain(address, request.moment, request.path)

    # Written by hand, not yielded: a generator whose caller has gone is closed when it happens to
    # be collected, and holds a connection of the store until then.

    async def ListTurns(self, request: pb.ListTurnsRequest, context: Any) -> None:
        """Return an instance's turns."""
        async with _refusing(context):
            found = await self._answers.turns(
                address_of(request.agent_type, request.key),
                first=request.first,
                last=request.last,
                newest=request.newest,
            )
            for each in found:
                await context.write(each)

    async def Snapshot(self, request: pb.SnapshotRequest, context: Any) -> None:
        """Return the states of all instances at one moment."""
        found = self._answers.snapshot(
            request.moment, agent_type=request.agent_type, where=request.where, only=request.only
        )
        async with _refusing(context), aclosing(found):
            async for each in found:
                await context.write(each)

    async def ListInFlight(self, request: pb.SnapshotRequest, context: Any) -> None:
        """Return the messages that are under way at one moment."""
        async with _refusing(context), aclosing(self._answers.in_flight(request.moment)) as found:
            async for each in found:
                await context.write(each)


@asynccontextmanager
async def _refusing(context: Any) -> AsyncIterator[None]:
    try:
        yield
    except (HeadgateError, SQLAlchemyError) as error:
        code = next(code for kind, code in _CODES if isinstance(error, kind))
        await context.abort(code, said(error))
