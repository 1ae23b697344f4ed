"""Turns per second of the intent agent, one text at a time against batches across keys.

Two services, alike but for `--max-batch`, are asked in turn over the gRPC stream `Turns`, as
Headgate asks; both are up all the time and only one is ever asked, so what else the machine does
meets both alike. No Flink, no Kafka.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import statistics
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc.aio

from headgate.v1 import agent_pb2 as pb
from headgate.v1 import agent_pb2_grpc

HERE = Path(__file__).parent
# Answered before the clock runs: connections, caches, the first pages of the weights.
WARM_UP_SECONDS = 1.0


def requests() -> Iterator[pb.TurnRequest]:
    """Yield turns of ever new keys, with the utterances of the data files round and round."""
    files = [json.loads(path.read_text()) for path in sorted((HERE / "data").glob("*.json"))]
    texts = [text for file in files for group in file.values() for text in group]
    for number, text in enumerate(itertools.cycle(texts)):
        event = pb.Event(
            id=str(number),
            source="bench",
            type="intent.utterance",
            data=json.dumps({"text": text}).encode(),
        )
        yield pb.TurnRequest(
            request_id=number.to_bytes(8, "big"),
            agent_type="intent",
            key=str(number),
            base=bytes(16),
            turn=1,
            attempt=1,
            events=[event],
            deadline_ms=60_000,
        )


@contextlib.asynccontextmanager
async def service(max_batch: int) -> AsyncIterator[str]:
    """Serve the agent in a process of its own; give its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "agent.py"),
        "--port=0",
        f"--max-batch={max_batch}",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        if not line.startswith("serving"):
            message = f"the agent did not start: {line!r}"
            raise SystemExit(message)
        yield line.split()[-1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def rate(address: str, seconds: float, in_flight: int) -> float:
    """Turns per second with so many in flight: each reply is followed by a new request."""
    loop = asyncio.get_running_loop()
    given = requests()
    answered, begun = 0, 0.0
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = agent_pb2_grpc.AgentServiceStub(channel)
        stream = stub.Turns()

        async def ask(count: int) -> None:
            await stream.write(pb.TurnRequestBatch(requests=itertools.islice(given, count)))

        await ask(in_flight)
        warm = loop.time() + WARM_UP_SECONDS
        async for batch in stream:
            now = loop.time()
            for reply in batch.replies:
                assert reply.HasField("completed"), reply.failed.message
            if begun:
                answered += len(batch.replies)
            elif now >= warm:
                begun = now
            if begun and now - begun >= seconds:
                stream.cancel()
                return answered / (now - begun)
            await ask(len(batch.replies))
    message = "the service ended the stream"
    raise ConnectionError(message)


async def compare(rounds: int, seconds: float, in_flight: int, max_batch: int) -> dict[str, Any]:
    """Ask both in turn, `rounds` times; return rates and the ratio of their medians."""
    rates: dict[int, list[float]] = {1: [], max_batch: []}
    async with service(1) as alone, service(max_batch) as together:
        for _ in range(rounds):
            for size, address in ((1, alone), (max_batch, together)):
                rates[size].append(await rate(address, seconds, in_flight))
                print(f"batch {size:3d}: {rates[size][-1]:7.1f} turns/s", file=sys.stderr)
    medians = {size: statistics.median(each) for size, each in rates.items()}
    return {
        "in_flight": in_flight,
        "turns_per_second": {
            str(size): [round(rate, 1) for rate in each] for size, each in rates.items()
        },
        "median": {str(size): round(rate, 1) for size, rate in medians.items()},
        "ratio": round(medians[max_batch] / medians[1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="of each, in turn")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each round")
    parser.add_argument("--in-flight", type=int, default=64, help="turns at once, each of its key")
    parser.add_argument("--max-batch", type=int, default=32, help="against 1")
    args = parser.parse_args()
    found = asyncio.run(compare(args.rounds, args.seconds, args.in_flight, args.max_batch))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
