"""The intent agent as it is served, with its network, in its own environment."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from headgate.v1 import agent_pb2 as pb
from headgate.v1 import agent_pb2_grpc

INTENT = Path(__file__).parents[2] / "agents" / "intent"
# `make agent-intent` makes it; another one may be named.
PYTHON = os.environ.get("HEADGATE_INTENT_PYTHON", str(INTENT / ".venv" / "bin" / "python"))

pytestmark = pytest.mark.skipif(
    not Path(PYTHON).exists(), reason="the intent agent is not installed (make agent-intent)"
)

# Likeness of the first to each, as the weights' publisher documents it (computed by PyTorch).
SENTENCES = [
    "That is a happy person",
    "That is a happy dog",
    "That is a very happy person",
    "Today is a sunny day",
]
LIKENESS = [1.0, 0.6945773363113403, 0.9429150819778442, 0.2568760812282562]


@pytest.fixture
async def address() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        PYTHON, str(INTENT / "agent.py"), "--port=0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(120):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("serving intent on ")
        yield line.split()[-1]
    finally:
        process.terminate()
        async with asyncio.timeout(30):
            await process.wait()


async def recognise(address: str, texts: list[str], batch: int) -> list[dict[str, Any]]:
    """Send each text to a key of its own, `batch` of them a message."""
    requests = []
    for number, text in enumerate(texts):
        key, data = str(number), json.dumps({"text": text}).encode()
        event = pb.Event(id="e", type="intent.utterance", data=data)
        requests.append(
            pb.TurnRequest(request_id=key.encode(), agent_type="intent", key=key, events=[event])
        )
    found: dict[int, dict[str, Any]] = {}
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = agent_pb2_grpc.AgentServiceStub(channel)
        stream = stub.Turns()
        for start in range(0, len(requests), batch):
            message = pb.TurnRequestBatch(requests=requests[start : start + batch])
            await stream.write(message)
            until = len(found) + len(message.requests)
            while len(found) < until:
                for reply in (await stream.read()).replies:
                    assert reply.HasField("completed"), reply.failed.message
                    found[int(reply.request_id)] = json.loads(reply.outputs[0].data)
        stream.cancel()
    return [found[number] for number in range(len(texts))]


async def test_utterances_it_has_never_seen(address: str) -> None:
    held_out = json.loads((INTENT / "data" / "held_out.json").read_text("utf-8"))
    labels = [label for label, texts in held_out.items() for _ in texts]
    texts = [text for group in held_out.values() for text in group]
    together = await recognise(address, texts, batch=len(texts))
    told = [each["intent"] for each in together]
    right = [wanted == intent for wanted, intent in zip(labels, told, strict=True)]
    assert sum(right) == 40
    assert all(intent == "none" for label, intent in zip(labels, told, strict=True)
               if label == "none")  # fmt: skip
    # One by one they are what they are in a batch.
    assert await recognise(address, texts, batch=1) == together


def test_the_network_is_the_one_that_others_run() -> None:
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); from minilm import MiniLM\n"
        "vectors = MiniLM()(json.loads(sys.argv[2]))\n"
        "print(json.dumps((vectors @ vectors[0]).tolist()))"
    )
    command = [PYTHON, "-c", code, str(INTENT), json.dumps(SENTENCES)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout) == pytest.approx(LIKENESS, abs=2e-6)
