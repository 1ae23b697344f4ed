"""Asking a history service from Python.

>>> with HistoryClient("127.0.0.1:7091") as history:  # doctest: +SKIP
...     history.state("order/17", at_us=1_700_000_000_000_000).state.values["total"]
b'500'
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import grpc

from headgate.core.identity import split_address
from headgate.history.errors import (
    MomentError,
    NeverSeenError,
    NotClosedError,
    StoreError,
)
from headgate.v1 import history_pb2 as pb
from headgate.v1 import history_pb2_grpc

MESSAGE_BYTES = 64 << 20

SECONDS = 60.0
"""Of an answer, its wait apart: one of a million instances is a stream, and each of its parts comes
at once."""

CONNECT_SECONDS = 5.0
"""Whoever mistyped the address waits this long for the answer."""

_ERRORS: dict[grpc.StatusCode, type[Exception]] = {
    grpc.StatusCode.INVALID_ARGUMENT: MomentError,
    grpc.StatusCode.NOT_FOUND: NeverSeenError,
    grpc.StatusCode.FAILED_PRECONDITION: NotClosedError,
}


class HistoryClient:
    """Asks one history service. Times are microseconds since the epoch; 0 stands for now, and for
    questions about all instances for the newest closed moment.

    Every method raises `NotClosedError` for a moment that is not closed yet or has been removed,
    `NeverSeenError` for an instance or turn that is not there, `MomentError` for a question that
    cannot be answered and `StoreError` where nobody answers.
    """

    def __init__(self, endpoint: str) -> None:
        """endpoint: HOST:PORT of `headgate history serve`'s gRPC."""
        self._endpoint = endpoint
        options = [("grpc.max_receive_message_length", MESSAGE_BYTES)]
        self._channel = grpc.insecure_channel(endpoint, options)
        self._stub = history_pb2_grpc.HistoryStub(self._channel)

    def close(self) -> None:
        """Disconnect."""
        self._channel.close()

    def __enter__(self) -> Self:
        with self._asking():
            try:
                grpc.channel_ready_future(self._channel).result(CONNECT_SECONDS)
            except grpc.FutureTimeoutError as error:
                self.close()
                raise StoreError(self._nobody()) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def position(self) -> pb.HistoryPosition:
        """Return how far the store is."""
        with self._asking():
            found: pb.HistoryPosition = self._stub.GetPosition(
                pb.GetPositionRequest(), timeout=SECONDS
            )
            return found

    def state(
        self,
        address: str,
        *,
        at_us: int = 0,
        turn: int = 0,
        valid_us: int = 0,
        wait_seconds: float = 0.0,
    ) -> pb.StateAsOf:
        """Return an instance's state at a moment or after a turn; ``valid_us`` asks the second
        axis: what was known then of how it stood at that time.
        """
        moment = _moment(at_us, wait_seconds)
        moment.valid_us = valid_us
        if turn:
            moment.turn = turn
        agent_type, key = split_address(address)
        request = pb.GetStateAsOfRequest(agent_type=agent_type, key=key, moment=moment)
        with self._asking():
            found: pb.StateAsOf = self._stub.GetStateAsOf(request, timeout=SECONDS + wait_seconds)
            return found

    def explain(
        self,
        address: str,
        path: str = "",
        *,
        at_us: int = 0,
        turn: int = 0,
        wait_seconds: float = 0.0,
    ) -> pb.Explanation:
        """Return which turn made each value and list of an instance's state what it was at a moment
        or after a turn. ``path``: only that name, or ``customer.city`` for a key of a JSON object,
        ``notes.0`` for an item of a list.

        Raises:
            NeverSeenError: there is no such instance, or nothing at that path.
        """
        moment = _moment(at_us, wait_seconds)
        if turn:
            moment.turn = turn
        agent_type, key = split_address(address)
        request = pb.ExplainRequest(agent_type=agent_type, key=key, moment=moment, path=path)
        with self._asking():
            found: pb.Explanation = self._stub.Explain(request, timeout=SECONDS + wait_seconds)
            return found

    def turns(
        self, address: str, *, first: int = 0, last: int = 0, newest: int = 0
    ) -> list[pb.TurnAsOf]:
        """Return an instance's turns, oldest first; ``newest``: so many at most."""
        agent_type, key = split_address(address)
        request = pb.ListTurnsRequest(
            agent_type=agent_type, key=key, first=first, last=last, newest=newest
        )
        with self._asking():
            return list(self._stub.ListTurns(request))

    def snapshot(
        self,
        *,
        at_us: int = 0,
        agent_type: str = "",
        where: Mapping[str, Any] | None = None,
        only: tuple[str, ...] = (),
        wait_seconds: float = 0.0,
    ) -> Iterator[pb.StateAsOf]:
        """Yield the states of all instances at a closed moment.

        where: what values must be, by path (``{"customer.city": "Rome"}``).
        only: names of values; all, and lists, if there are none.
        """
        request = pb.SnapshotRequest(
            moment=_moment(at_us, wait_seconds), agent_type=agent_type, only=only
        )
        for path, equals in (where or {}).items():
            request.where.add(path=path, equals=json.dumps(equals))
        with self._asking():
            yield from self._stub.Snapshot(request)

    def in_flight(
        self, *, at_us: int = 0, wait_seconds: float = 0.0
    ) -> Iterator[pb.InFlightMessage]:
        """Yield the messages that were sent at or before a closed moment, and not taken by then."""
        request = pb.SnapshotRequest(moment=_moment(at_us, wait_seconds))
        with self._asking():
            yield from self._stub.ListInFlight(request)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            call: Any = error
            if call.code() is grpc.StatusCode.UNIMPLEMENTED:
                message = f"{self._endpoint} is another service, not the history's"
                raise StoreError(message) from error
            kind = _ERRORS.get(call.code(), StoreError)
            is_away = call.code() is grpc.StatusCode.UNAVAILABLE and not call.trailing_metadata()
            raise kind(self._nobody() if is_away else call.details()) from error

    def _nobody(self) -> str:
        return (
            f"no history service answers at {self._endpoint}. `headgate dev` has one, `headgate "
            "history serve` is one; another is named with --history HOST:PORT, its gRPC port"
        )


def _moment(at_us: int, wait_seconds: float) -> pb.Moment:
    moment = pb.Moment(wait_ms=int(wait_seconds * 1000))
    if at_us:
        moment.at_us = at_us
    return moment
