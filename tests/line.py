"""A line between two parts of a system that a test can cut: connections pass through this process.

Cut, its connections are reset and new ones are reset at once, as when a process or a firewall says
no. Silent, nothing comes through and nothing is refused, as when packets are lost: what was sent
meanwhile arrives once it is mended, unless somebody has given the connection up.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import Self

from headgate.local.ports import LOOPBACK

CHUNK = 1 << 16
# SO_LINGER on, for no time: closing sends a reset and nothing else.
RESET = struct.pack("ii", 1, 0)


class Line:
    """Forwards connections to HOST:PORT, from a port of its own."""

    def __init__(self, target: str, port: int = 0) -> None:
        """Listen; `target` need not serve yet."""
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._whole.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._thread.start()
        opening = asyncio.start_server(self._take, LOOPBACK, port)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def endpoint(self) -> str:
        """HOST:PORT, which leads to the target."""
        return f"{LOOPBACK}:{self.port}"

    def cut(self) -> None:
        """Reset everything, until `mend`."""
        self._do(self._cut)

    def silence(self) -> None:
        """Let nothing through, until `mend`."""
        self._do(self._whole.clear)

    def mend(self) -> None:
        """Let through again."""
        self._do(self._mend)

    def close(self) -> None:
        """Stop listening and reset what is open."""
        self._do(self._server.close)
        self._do(self._cut)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _do(self, what: object) -> None:
        async def do() -> None:
            what()  # type: ignore[operator]

        asyncio.run_coroutine_threadsafe(do(), self._loop).result()

    def _cut(self) -> None:
        self._is_cut = True
        for writer in self._writers:
            _reset(writer)

    def _mend(self) -> None:
        self._is_cut = False
        self._whole.set()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            _reset(writer)
            return
        await self._whole.wait()
        host, _, port = self._target.rpartition(":")
        try:
            far, onward = await asyncio.open_connection(host, int(port))
        except OSError:
            _reset(writer)
            return
        ends = {writer, onward}
        self._writers |= ends
        try:
            await asyncio.gather(self._pass(reader, onward), self._pass(far, writer))
        finally:
            self._writers -= ends

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._whole.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
