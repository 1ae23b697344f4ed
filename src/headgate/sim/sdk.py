"""An agent of the SDK as a simulated world calls it: its own handlers, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from headgate.sdk.agent import Agent
from headgate.sdk.run import run, run_inline
from headgate.sim.agents import Answer
from headgate.v1.agent_pb2 import TurnReply, TurnRequest


class SdkAgent:
    """Runs the handlers of an :class:`headgate.sdk.Agent`. They take no time of the world's
    clock.
    """

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        self._thread: ThreadPoolExecutor | None = None
        self._runner = asyncio.Runner()

    def answer(self, request: TurnRequest) -> Answer:
        """Run a turn, through the bytes that would travel."""
        travelled = TurnRequest.FromString(request.SerializeToString())
        if self._agent.is_inline:
            reply = run_inline(self._agent, travelled)
        else:
            reply = self._wait_for(run(self._agent, travelled))
        return TurnReply.FromString(reply.SerializeToString())

    def takes_ms(self, request: TurnRequest) -> int:
        """Take no time."""
        return 0

    def close(self) -> None:
        """End the loop and the thread that coroutines ran in."""
        if self._thread is not None:
            self._thread.submit(self._runner.close).result()
            self._thread.shutdown()
            self._thread = None

    def _wait_for(self, turn: Coroutine[Any, Any, TurnReply]) -> TurnReply:
        # A thread of its own: the test itself may be a coroutine, whose loop cannot be entered
        # twice. One loop for all turns: clients that an agent keeps are bound to theirs.
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="headgate-sim")
        return self._thread.submit(self._runner.run, turn).result()
