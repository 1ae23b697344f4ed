"""Turnstile: lets requests in, at most so many at once, and hands each reply to its asker."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from headgate.sdk.agent import Agent
from headgate.sdk.run import run, run_inline
from headgate.sdk.threads import Threads
from headgate.v1 import agent_pb2 as pb

# For handlers with threads=True. They wait more than they compute, so more than there are cores.
THREADS = 64

Answer = Callable[[pb.TurnReply], None]


class Ticket:
    """One request on its way: waiting, running or done."""

    __slots__ = ("agent", "answer", "deadline", "is_open", "request", "task")

    def __init__(
        self, agent: Agent[Any], request: pb.TurnRequest, answer: Answer, deadline: float | None
    ) -> None:
        self.agent = agent
        self.request = request
        self.answer = answer
        self.deadline = deadline
        self.task: asyncio.Task[None] | None = None
        self.is_open = True

    def cancel(self) -> None:
        """Give the turn up; nobody waits for its reply."""
        self.is_open = False
        if self.task is not None:
            self.task.cancel()


class Turnstile:
    """Runs turns of several agents.

    Plain handlers run at once, in line. Others get a task each, `limit` of them at most; further
    ones wait in order, and `has_room` turns false when as many wait as may run.
    """

    def __init__(self, agents: Mapping[str, Agent[Any]], limit: int) -> None:
        self._agents = agents
        self._limit = limit
        self._running: set[Ticket] = set()
        self._waiting: deque[Ticket] = deque()
        self._pool = Threads(min(limit, THREADS), "headgate-turn")
        self._room = asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()

    @property
    def running(self) -> int:
        return len(self._running)

    async def room(self) -> None:
        """Wait until another request may be read."""
        await self._room.wait()

    def submit(self, request: pb.TurnRequest, answer: Answer) -> Ticket | None:
        """Run a turn; None if it has been answered already."""
        agent = self._agents.get(request.stand_in or request.agent_type)
        if agent is None or not request.events:
            answer(_refusal(request, agent, list(self._agents)))
            return None
        if agent.is_inline:
            answer(run_inline(agent, request))
            return None
        wait = request.deadline_ms
        deadline = self._loop.time() + wait / 1000 if wait > 0 else None
        ticket = Ticket(agent, request, answer, deadline)
        if len(self._running) < self._limit:
            self._start(ticket)
        else:
            self._waiting.append(ticket)
            if len(self._waiting) >= self._limit:
                self._room.clear()
        return ticket

    def drop_waiting(self) -> None:
        """Forget what has not started: its askers take it as unavailable."""
        for ticket in self._waiting:
            ticket.is_open = False
        self._waiting.clear()
        self._room.set()

    def close(self) -> bool:
        """End the threads; False if handlers still run in some, which end with the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        return not self._pool.running

    def _start(self, ticket: Ticket) -> None:
        self._running.add(ticket)
        ticket.task = self._loop.create_task(self._run(ticket))

    async def _run(self, ticket: Ticket) -> None:
        try:
            reply = await run(
                ticket.agent, ticket.request, deadline=ticket.deadline, pool=self._pool
            )
            ticket.is_open = False
            ticket.answer(reply)
        finally:
            self._running.discard(ticket)
            self._start_next()

    def _start_next(self) -> None:
        while self._waiting and len(self._running) < self._limit:
            ticket = self._waiting.popleft()
            if not ticket.is_open:
                continue
            if ticket.deadline is not None and self._loop.time() >= ticket.deadline:
                # Headgate has given it up: running it would pay for an answer nobody takes.
                ticket.is_open = False
                ticket.answer(_too_late(ticket))
                continue
            self._start(ticket)
        if len(self._waiting) < self._limit:
            self._room.set()


def _too_late(ticket: Ticket) -> pb.TurnReply:
    request = ticket.request
    return pb.TurnReply(
        request_id=request.request_id,
        base=request.base,
        revision=ticket.agent.revision,
        failed=pb.Failure(
            code=pb.FAILURE_CODE_DEADLINE_EXCEEDED,
            message="the deadline passed while the turn waited for others to finish",
            event_id=request.events[0].id,
        ),
    )


def _refusal(request: pb.TurnRequest, agent: Agent[Any] | None, hosted: list[str]) -> pb.TurnReply:
    reply = pb.TurnReply(request_id=request.request_id, base=request.base)
    if agent is None:
        reply.failed.code = pb.FAILURE_CODE_UNKNOWN_AGENT
        reply.failed.message = (
            f"no agent of type {request.agent_type[:80]!r} here; hosted: {', '.join(hosted)}"
        )
    else:
        reply.revision = agent.revision
        reply.failed.code = pb.FAILURE_CODE_AGENT_ERROR
        reply.failed.message = "the request carries no events"
    return reply
