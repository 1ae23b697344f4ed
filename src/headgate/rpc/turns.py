"""headgate.v1.AgentService: one `Turns` stream where the service has it, else a `Turn` each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
import grpc.aio

from headgate.rpc.channel import CredentialError, Token
from headgate.rpc.pending import Pending
from headgate.v1.agent_pb2 import TurnReply, TurnReplyBatch, TurnRequestBatch

_Answer = TypeVar("_Answer")


class StreamWire:
    """All turns over one stream, in batches."""

    calls_are_alone = False

    def __init__(
        self,
        channel: grpc.aio.Channel,
        stream: Any,
        on_reply: Callable[[TurnReply], None],
        on_broken: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._on_reply = on_reply
        self._on_broken = on_broken
        self._stream = stream
        self._broken: BaseException | None = None
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def send(self, batch: list[Pending]) -> None:
        """Write one batch."""
        await self._stream.write(TurnRequestBatch(requests=[p.request for p in batch]))

    def raise_if_broken(self) -> None:
        """Raise what ended the stream."""
        if self._broken is not None:
            raise self._broken

    async def finish(self) -> None:
        """Close: a broken stream carries no more answers."""
        await self.close()

    async def close(self) -> None:
        """Cancel the stream and close the connection."""
        self._reader.cancel()
        self._stream.cancel()
        await self._channel.close(None)

    async def _read(self) -> None:
        try:
            replies: AsyncIterator[TurnReplyBatch] = self._stream
            async for batch in replies:
                for reply in batch.replies:
                    self._on_reply(reply)
            self._broken = ConnectionError("the service ended the stream")
        except Exception as error:
            self._broken = error
        self._on_broken()


class CallsWire:
    """Each turn by a call, or several, of its own: six times the agent's CPU where it is one
    ``Turn``.
    """

    calls_are_alone = True

    def __init__(
        self,
        channel: grpc.aio.Channel,
        ask: Callable[[Pending], Awaitable[TurnReply]],
        on_reply: Callable[[TurnReply], None],
        on_refused: Callable[[bytes, grpc.StatusCode, str], None],
    ) -> None:
        self._channel = channel
        self._ask = ask
        self._on_reply = on_reply
        self._on_refused = on_refused
        self._calls: set[asyncio.Task[None]] = set()

    async def send(self, batch: list[Pending]) -> None:
        """Start one call for each request."""
        for pending in batch:
            task = asyncio.get_running_loop().create_task(self._call(pending))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    def raise_if_broken(self) -> None:
        """Calls fail one by one; the endpoint draws its conclusions."""

    async def finish(self) -> None:
        """Let the calls under way end, each at its deadline at the latest, and close."""
        if self._calls:
            await asyncio.wait(self._calls)
        await self._channel.close(None)

    async def close(self) -> None:
        """Cancel the calls and close the connection."""
        for task in self._calls:
            task.cancel()
        await self._channel.close(None)

    async def _call(self, pending: Pending) -> None:
        code = grpc.StatusCode.INTERNAL
        try:
            reply = await self._ask(pending)
        except grpc.aio.AioRpcError as error:
            code, why = error.code(), error.details() or ""
        except CredentialError as error:
            code, why = grpc.StatusCode.UNAUTHENTICATED, str(error)
        except Exception as error:
            # An answer that is no message at all, or that its adapter did not foresee.
            why = f"{type(error).__name__}: {error}"
        else:
            # Whatever id it names, this is the answer to this call.
            reply.request_id = pending.name
            self._on_reply(reply)
            return
        self._on_refused(pending.name, code, why)


def parsed(answer: _Answer | None) -> _Answer:
    """Return a call's answer. grpc.aio gives None for bytes that are no message of its type.

    Raises:
        ValueError: it was none.
    """
    if answer is None:
        message = "the answer is no message of its type"
        raise ValueError(message)
    return answer


def unary_turns(stub: Any, token: Token) -> Callable[[Pending], Awaitable[TurnReply]]:
    """Return how to ask a service that has no stream."""

    async def ask(pending: Pending) -> TurnReply:
        # The endpoint's own deadline comes first and has the better message.
        reply: TurnReply | None = await stub.Turn(
            pending.request, timeout=pending.deadline_seconds + 1, metadata=token.metadata()
        )
        return parsed(reply)

    return ask
