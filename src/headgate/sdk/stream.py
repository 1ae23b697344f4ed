"""One Turns stream: requests in, replies gathered into batches on their way out."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable

from headgate.sdk.turnstile import Ticket, Turnstile
from headgate.v1 import agent_pb2 as pb

# How long a reply waits for company while other turns run. A message of its own costs both sides
# more CPU than a whole turn of rules does.
GATHER_SECONDS = 0.001
# Well under the 4 MiB that gRPC clients accept by default.
BATCH_BYTES = 1 << 20
# A batch of plain handlers may hold the loop this long before others (health, writes) get theirs.
SLICE_SECONDS = 0.005

Write = Callable[[pb.TurnReplyBatch], Awaitable[None]]


class TurnStream:
    """Reads request batches into the turnstile and writes what comes out."""

    def __init__(self, turnstile: Turnstile, write: Write) -> None:
        self._turnstile = turnstile
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._open: set[Ticket] = set()
        self._replies: list[pb.TurnReply] = []
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_ending = False

    async def read(self, batches: AsyncIterable[pb.TurnRequestBatch]) -> None:
        """Take requests until the caller ends the stream."""
        clock = self._loop.time
        async for batch in batches:
            yielded = clock()
            for request in batch.requests:
                await self._turnstile.room()
                self._submit(request)
                if clock() - yielded > SLICE_SECONDS:
                    self._flush()
                    await asyncio.sleep(0)
                    yielded = clock()
            if self._replies and not self._open:
                self._flush()

    def _submit(self, request: pb.TurnRequest) -> None:
        ticket: Ticket | None = None

        def answer(reply: pb.TurnReply) -> None:
            if ticket is not None:
                self._open.discard(ticket)
            self._add(reply, is_last=ticket is not None and not self._open)

        ticket = self._turnstile.submit(request, answer)
        if ticket is not None:
            self._open.add(ticket)

    def _add(self, reply: pb.TurnReply, *, is_last: bool) -> None:
        self._replies.append(reply)
        if is_last or self._is_ending:
            self._flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(GATHER_SECONDS, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake.set()

    async def write(self) -> None:
        """Write replies until `end` has been called and all are out."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            replies, self._replies = self._replies, []
            for batch in _batches(replies):
                await self._write(batch)
            if self._is_ending and not self._open and not self._replies:
                return

    def end(self) -> None:
        """Take no more; `write` returns when the turns that run are answered."""
        self._is_ending = True
        self._flush()

    def drop_waiting(self) -> None:
        """Forget tickets that the turnstile has dropped."""
        self._open = {ticket for ticket in self._open if ticket.is_open}
        self._flush()

    def cancel(self) -> None:
        """The caller is gone: give up what still runs for it."""
        for ticket in self._open:
            ticket.cancel()
        self._open.clear()
        if self._timer is not None:
            self._timer.cancel()


def _batches(replies: list[pb.TurnReply]) -> list[pb.TurnReplyBatch]:
    batches: list[pb.TurnReplyBatch] = []
    pending: list[pb.TurnReply] = []
    size = 0
    for reply in replies:
        length = reply.ByteSize()
        if pending and size + length > BATCH_BYTES:
            batches.append(pb.TurnReplyBatch(replies=pending))
            pending, size = [], 0
        pending.append(reply)
        size += length
    if pending:
        batches.append(pb.TurnReplyBatch(replies=pending))
    return batches
