"""Load on Temporal by its own client, a process of its own: closed loop or open loop.

A workflow takes from the request that starts it until its client has the result.
"""

import argparse
import asyncio
import json
import os
import resource
import time
import uuid

from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

from benchmarks.client_load import OK, STARTED
from benchmarks.temporal.worker import QUEUE
from benchmarks.temporal.workflows import Steps

FAILED = 500


class Run:
    """A load: each workflow adds (due, took, status); times in seconds."""

    def __init__(self, client: Client, steps: int) -> None:
        self._client = client
        self._steps = steps
        self.answers: list[tuple[float, float, int]] = []

    async def one(self, due: float) -> None:
        """Start a workflow and wait for its result."""
        status = OK
        try:
            await self._client.execute_workflow(
                Steps.run, self._steps, id=uuid.uuid4().hex, task_queue=QUEUE
            )
        except (RPCError, WorkflowFailureError):
            status = FAILED
        self.answers.append((due, time.time() - due, status))

    async def closed(self, concurrency: int, deadline: float) -> None:
        """So many at once: one that ends is followed by the next."""

        async def go() -> None:
            while (began := time.time()) < deadline:
                await self.one(began)

        await asyncio.gather(*(go() for _ in range(concurrency)))

    async def open(self, rate: float, deadline: float) -> None:
        """Workflows are due at a rate, whatever becomes of them."""
        running: set[asyncio.Task[None]] = set()
        first, number = time.time(), 0
        while (now := time.time()) < deadline:
            while first + number / rate <= now:
                task = asyncio.create_task(self.one(first + number / rate))
                running.add(task)
                task.add_done_callback(running.discard)
                number += 1
            await asyncio.sleep(0.001)
        await asyncio.gather(*running)


async def run(arguments: argparse.Namespace) -> None:
    load = Run(await Client.connect(arguments.target), arguments.steps)
    print(STARTED, flush=True)
    deadline = time.time() + arguments.seconds
    if arguments.rate:
        await load.open(arguments.rate, deadline)
    else:
        await load.closed(arguments.concurrency, deadline)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = used.ru_utime + used.ru_stime
    print(json.dumps({"cpu_seconds": cpu_seconds, "answers": load.answers}), flush=True)
    # The library's own threads may call into an interpreter that is ending, and abort it.
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.0, help="workflows/s; 0: closed loop")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
