"""The history over gRPC: `headgate.v1.History`; `history.proto` is its specification."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from sqlalchemy.exc import SQLAlchemyError

from headgate.core.identity import address_of
from headgate.errors import HeadgateError
from headgate.history.answers import Answers
from headgate.history.errors import MomentError, NeverSeenError, NotClosedError, RemovedError
from headgate.v1 import history_pb2 as pb
from headgate.v1 import history_pb2_grpc

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["History"].full_name

_CODES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    (MomentError, grpc.StatusCode.INVALID_ARGUMENT),
    (NeverSeenError, grpc.StatusCode.NOT_FOUND),
    (NotClosedError, grpc.StatusCode.FAILED_PRECONDITION),
    (RemovedError, grpc.StatusCode.FAILED_PRECONDITION),
    (HeadgateError, grpc.StatusCode.UNAVAILABLE),
    (SQLAlchemyError, grpc.StatusCode.UNAVAILABLE),
)


class History(history_pb2_grpc.HistoryServicer):
    """Serves `History` from a store."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def GetPosition(self, request: pb.GetPositionRequest, context: Any) -> pb.HistoryPosition:
        """Return how far the store is."""
        with _refusing(context):
            found = self._answers.position()
            found.problem = self._answers.problem
            return found

    def GetStateAsOf(self, request: pb.GetStateAsOfRequest, context: Any) -> pb.StateAsOf:
        """Return an instance's state at a moment."""
        with _refusing(context):
            address = address_of(request.agent_type, request.key)
            return self._answers.state(address, request.moment)

    def ListTurns(self, request: pb.ListTurnsRequest, context: Any) -> Iterator[pb.TurnAsOf]:
        """Return an instance's turns."""
        with _refusing(context):
            yield from self._answers.turns(
                address_of(request.agent_type, request.key),
                first=request.first,
                last=request.last,
                newest=request.newest,
            )

    def Snapshot(self, request: pb.SnapshotRequest, context: Any) -> Iterator[pb.StateAsOf]:
        """Return the states of all instances at one moment."""
        with _refusing(context):
            yield from self._answers.snapshot(
                request.moment,
                agent_type=request.agent_type,
                where=request.where,
                only=request.only,
            )

    def ListInFlight(
        self, request: pb.SnapshotRequest, context: Any
    ) -> Iterator[pb.InFlightMessage]:
        """Return the messages that are under way at one moment."""
        with _refusing(context):
            yield from self._answers.in_flight(request.moment)


@contextmanager
def _refusing(context: Any) -> Iterator[None]:
    try:
        yield
    except (HeadgateError, SQLAlchemyError) as error:
        code = next(code for kind, code in _CODES if isinstance(error, kind))
        context.abort(code, str(error))
