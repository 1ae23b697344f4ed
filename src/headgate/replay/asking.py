"""Asking a service over the wire, with Invoke's own connections and judgement and without a
journal: what comes back is an outcome that nobody writes down.
"""

from __future__ import annotations

import asyncio
import time
from typing import Self

from headgate.core.identity import digest
from headgate.core.outcome import outcome_of
from headgate.errors import HeadgateError
from headgate.rpc.endpoint import EndpointLimits
from headgate.rpc.pending import Pending
from headgate.rpc.pools import Pools
from headgate.rpc.probe import why_unreachable
from headgate.v1.agent_pb2 import TurnReply
from headgate.v1.connection_pb2 import Service
from headgate.v1.turn_pb2 import Call, Outcome


class ServiceAwayError(HeadgateError):
    """The service that turns are put to does not take them any more.

    Operator action: start it again, see its log, and replay again: nothing was written anywhere.
    """


class Asking:
    """Puts calls to services from within one event loop.

    >>> async with Asking(max_record_bytes=1_000_000) as asking:  # doctest: +SKIP
    ...     outcome = await asking.ask(call)
    """

    def __init__(self, *, max_record_bytes: int) -> None:
        """max_record_bytes: the largest record that an outcome may become, as in the job."""
        self._max_record_bytes = max_record_bytes
        self._waiting: dict[bytes, asyncio.Future[Outcome]] = {}
        self._pools = Pools(
            EndpointLimits(), on_reply=self._answered, on_dropped=self._dropped, now_us=_now_us
        )

    async def ask(self, call: Call) -> Outcome:
        """Return the outcome of a call: what was answered, held to the contract; or its failure.

        Raises:
            ServiceAwayError: the service was not there for as long as a call may take.
        """
        name = call.request.request_id
        waiting: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[name] = waiting
        try:
            self._pools.pool_of(call).submit(call)
            return await waiting
        finally:
            self._waiting.pop(name, None)

    async def close(self) -> None:
        """Close all connections."""
        await self._pools.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _answered(self, pending: Pending, reply: TurnReply) -> None:
        waiting = self._waiting.get(pending.name)
        if waiting is None or waiting.done():
            return
        try:
            outcome = outcome_of(
                pending.call,
                reply,
                # Nothing is built on it.
                outcome_id=digest("replayed", pending.name),
                called_us=pending.called_us,
                answered_us=_now_us(),
                max_record_bytes=self._max_record_bytes,
            )
        except Exception as error:
            waiting.set_exception(error)
        else:
            waiting.set_result(outcome)

    def _dropped(self, pending: Pending) -> None:
        waiting = self._waiting.get(pending.name)
        if waiting is None or waiting.done():
            return
        call = pending.call
        connection = Service.FromString(call.service).connection
        why = why_unreachable(call.endpoint, connection) or "it does not take the call"
        message = (
            f"{call.endpoint} was not there for {call.request.deadline_ms / 1000:g} s for turn "
            f"{call.request.turn} of {call.request.agent_type}/{call.request.key}: {why}"
        )
        waiting.set_exception(ServiceAwayError(message))


def _now_us() -> int:
    return time.time_ns() // 1_000
