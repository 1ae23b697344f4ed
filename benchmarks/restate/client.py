"""Load through Restate's HTTP ingress, a process of its own: closed loop or open loop.

HTTP/1.1 over connections that stay open, with as little Python per request as possible: the two
cores are for what is measured.
"""

import argparse
import asyncio
import json
import random
import resource
import time
import uuid

CHUNKED = b"transfer-encoding: chunked"
LENGTH = b"content-length:"
STARTED = "started"


class Connection:
    """One open connection; one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def post(self, path: str, body: bytes) -> int:
        """Send one request, read its whole answer, return the status."""
        if self._reader is None or self._writer is None:
            message = "the connection is not open"
            raise RuntimeError(message)
        self._writer.write(
            b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (path.encode(), len(body), body)
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        at = head.find(LENGTH)
        if at >= 0:
            end = head.index(b"\r\n", at)
            await self._reader.readexactly(int(head[at + len(LENGTH) : end]))
        elif CHUNKED in head:
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                await self._reader.readexactly(size + 2)
            await self._reader.readexactly(2)
        return int(head[9:12])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class Run:
    """A load: each answer adds (began, took, status); times in seconds."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self.answers: list[tuple[float, float, int]] = []
        keys = [f"/Echo/k{number}/turn" for number in range(arguments.keys)]
        random.Random(7).shuffle(keys)
        self._paths = keys
        self._number = 0
        # A workflow's id is its for ever: those of another load are others.
        self._load = uuid.uuid4().hex

    async def closed(self, connections: list[Connection], deadline: float) -> None:
        """Each connection sends its next request when it has its answer."""

        async def go(connection: Connection) -> None:
            while (began := time.time()) < deadline:
                status = await connection.post(*self._next())
                self.answers.append((began, time.time() - began, status))

        await asyncio.gather(*map(go, connections))

    async def open(self, connections: list[Connection], rate: float, deadline: float) -> None:
        """Requests are due at a rate; one that finds no connection free waits, and that counts."""
        free: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in connections:
            free.put_nowait(connection)
        running: set[asyncio.Task[None]] = set()

        async def go(due: float) -> None:
            connection = await free.get()
            status = await connection.post(*self._next())
            free.put_nowait(connection)
            self.answers.append((due, time.time() - due, status))

        first, number = time.time(), 0
        while (now := time.time()) < deadline:
            while first + number / rate <= now:
                task = asyncio.create_task(go(first + number / rate))
                running.add(task)
                task.add_done_callback(running.discard)
                number += 1
            await asyncio.sleep(0.001)
        await asyncio.gather(*running)

    def _next(self) -> tuple[str, bytes]:
        self._number += 1
        if self._arguments.steps:
            body = b'{"steps":%d}' % self._arguments.steps
            return f"/Steps/{self._load}-{self._number}/run", body
        return self._paths[self._number % len(self._paths)], b'{"n":%d}' % self._number


async def run(arguments: argparse.Namespace) -> None:
    load = Run(arguments)
    connections = [Connection("127.0.0.1", arguments.port) for _ in range(arguments.concurrency)]
    await asyncio.gather(*(connection.open() for connection in connections))
    print(STARTED, flush=True)
    deadline = time.time() + arguments.seconds
    if arguments.rate:
        await load.open(connections, arguments.rate, deadline)
    else:
        await load.closed(connections, deadline)
    for connection in connections:
        connection.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = used.ru_utime + used.ru_stime
    print(json.dumps({"cpu_seconds": cpu_seconds, "answers": load.answers}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="requests/s; 0: closed loop")
    parser.add_argument("--keys", type=int, default=5_000)
    parser.add_argument("--steps", type=int, default=0, help="start workflows of so many steps")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
