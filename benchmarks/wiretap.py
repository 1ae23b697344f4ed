"""Counts the bytes between a runtime and its workers: connections pass through this process."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass
from typing import Self

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Bytes:
    """What has passed: to whom connections lead, and back."""

    there: int
    back: int

    def since(self, earlier: "Bytes") -> "Bytes":
        """Return what has passed since then."""
        return Bytes(self.there - earlier.there, self.back - earlier.back)


class Wiretap:
    """Forwards connections on loopback; `lead` returns an address that leads to another."""

    def __init__(self) -> None:
        self._there = self._back = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def passed(self) -> Bytes:
        """Return what has passed so far."""
        return Bytes(self._there, self._back)

    def lead(self, target: str) -> str:
        """Listen on a port of its own for connections to `host:port`; return its address."""
        return asyncio.run_coroutine_threadsafe(self._listen(target), self._loop).result()

    async def _listen(self, target: str) -> str:
        host, _, port = target.rpartition(":")

        async def take(near: asyncio.StreamReader, reply: asyncio.StreamWriter) -> None:
            try:
                far, onward = await asyncio.open_connection(host, int(port))
            except OSError:
                reply.close()  # it is not up, and whoever asks may see that
                return
            await asyncio.gather(self._pass(near, onward, True), self._pass(far, reply, False))

        server = await asyncio.start_server(take, "127.0.0.1", 0)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_there: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if is_there:
                    self._there += len(chunk)
                else:
                    self._back += len(chunk)
                writer.write(chunk)
                await writer.drain()
        writer.close()
