"""The desk behind the doors: what HTTP, gRPC and the command line have in common."""

from __future__ import annotations

import time
from concurrent.futures import Future
from pathlib import Path
from typing import Self

from headgate.bootstrap import Bootstrap
from headgate.config import Config
from headgate.core import asked
from headgate.core.decode import MAX_KEY_CHARS
from headgate.core.identity import split_address
from headgate.core.report import STATE_BYTES
from headgate.door.access import Access, refuse_strangers
from headgate.door.errors import BadRequestError, NoAnswerError, UnknownAgentError
from headgate.door.replies import Replies
from headgate.kafka.inspect import Inspector
from headgate.kafka.publish import Publisher
from headgate.kafka.registry import RegistryTable
from headgate.rpc.query import QueryError, ask_query
from headgate.v1.agent_pb2 import Event
from headgate.v1.query_pb2 import QueryReply, QueryRequest
from headgate.v1.turn_pb2 import AgentSpec, InboxRecord, InstanceReport, Reply, Signal

REGISTRY_SECONDS = 15.0
"""A broker that has just started answers within seconds; longer, and the door says so."""

BEHIND_SECONDS = 0.05
"""Between two looks at an instance that is behind the turn that the caller has seen: a Gate that
has been restored reads thousands of outcomes in that time."""


class Desk:
    """Passes on what is asked, and knows the replies. Threads may share it; all calls may block.

    >>> with Desk("127.0.0.1:9092", Config()) as desk:  # doctest: +SKIP
    ...     reply = desk.ask("order/17", Event(id="a", type="shop.order.ask")).result(30)
    """

    def __init__(self, bootstrap: Bootstrap, config: Config) -> None:
        """Connect.

        Raises:
            ConfigError: the tokens file is not as it must be.
            HeadgateError: the broker does not answer, or topics are missing.
        """
        self._config = config
        tokens = config.door.tokens_file
        self._access = None if tokens is None else Access(Path(tokens))
        names = config.topic_names
        self._replies = Replies(bootstrap, names.replies)
        self._registry = RegistryTable(bootstrap, names.registry)
        self._inspector = Inspector(bootstrap, config)
        self._inbox = Publisher(bootstrap, max_record=config.limits.max_record)

    def close(self) -> None:
        """Disconnect."""
        self._inbox.close()
        self._inspector.close()
        self._registry.close()
        self._replies.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def asks_who(self) -> bool:
        """Whether callers must say who they are."""
        return self._access is not None

    def admit(self, authorization: str, address: str) -> None:
        """Let a caller through to an instance, by its header `Authorization`, or refuse it.

        Raises:
            UnauthenticatedError, NotEntitledError: it is refused.
            NoAnswerError: whose the instance is cannot be known yet.
        """
        if self._access is None:
            return
        caller = self._access.caller_of(authorization)
        refuse_strangers(caller, address, self._spec_of(split_address(address)[0]))

    def ask(self, address: str, event: Event) -> Future[Reply]:
        """Hand an event to an instance; return its reply, once. It is on its way when this returns.

        The same address and id again is the same request: it is taken once within the agent's dedup
        window, and has one reply.

        Raises:
            BadRequestError, UnknownAgentError: it was not passed on.
            HeadgateError: the inbox was not written.
        """
        self._check(address)
        fault = asked.fault_of(event)
        if fault:
            raise BadRequestError(fault)
        reply = self._replies.expect(address, event.id)
        if not reply.done():
            try:
                self._send(address, InboxRecord(asked=event))
            except BaseException:
                reply.cancel()
                raise
        return reply

    def reply(self, address: str, request_id: str) -> Future[Reply]:
        """Return the reply to what was asked before, at whichever door."""
        return self._replies.expect(address, request_id)

    def signal(self, address: str, signal: Signal) -> None:
        """Tell an instance something by name.

        Raises:
            BadRequestError, UnknownAgentError: it was not passed on.
            HeadgateError: the inbox was not written.
        """
        self._check(address)
        if not (signal.name and signal.signal_id):
            message = "a signal has a name and an id"
            raise BadRequestError(message)
        self._send(address, InboxRecord(signal=signal))

    def look(
        self, address: str, *, at_least: int = 0, wait_seconds: float = 30.0
    ) -> InstanceReport:
        """Return how an instance is, after turn ``at_least`` at the earliest: read your writes.

        Raises:
            NoAnswerError: the job does not answer, or has not come so far in time.
        """
        deadline = time.monotonic() + wait_seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            found = self._inspector.report(address, wait_seconds=left)
            if found is None:
                message = f"nobody answered how {address} is within {wait_seconds:g} s"
                raise NoAnswerError(message)
            if found.control.turn >= at_least:
                return found
            if time.monotonic() + BEHIND_SECONDS >= deadline:
                message = f"{address} is at turn {found.control.turn}, not yet at {at_least}"
                raise NoAnswerError(message)
            # Only a Gate that replays the journal after a failure is behind what it has told.
            time.sleep(BEHIND_SECONDS)

    def query(self, address: str, question: QueryRequest, *, at_least: int = 0) -> QueryReply:
        """Ask an agent about an instance: its name and data are set. Changes nothing.

        Raises:
            UnknownAgentError, QueryError, NoAnswerError: there is no answer.
        """
        spec = self._check(address)
        found = self.look(address, at_least=at_least)
        if found.problem:
            raise QueryError(found.problem)
        # Of a report that is far too large the names are left out, too.
        if found.truncated and len(found.state.values) != len(found.control.values):
            message = f"{address} has more state than a query can be told, {STATE_BYTES} bytes"
            raise QueryError(message)
        question.agent_type, question.key = split_address(address)
        question.state.CopyFrom(found.state)
        question.turn, question.at_us = found.control.turn, found.control.at_us
        return ask_query(spec, question)

    def _check(self, address: str) -> AgentSpec:
        agent_type, key = split_address(address)
        if not 1 <= len(key) <= MAX_KEY_CHARS:
            message = f"the key has {len(key)} characters; 1 to {MAX_KEY_CHARS} are allowed"
            raise BadRequestError(message)
        spec = self._spec_of(agent_type)
        if spec is None:
            message = f"no agent of type {agent_type!r} is attached"
            raise UnknownAgentError(message)
        return spec

    def _spec_of(self, agent_type: str) -> AgentSpec | None:
        if not self._registry.await_complete(REGISTRY_SECONDS):
            message = f"the registry cannot be read: {self._registry.trouble}"
            raise NoAnswerError(message)
        return self._registry.get(agent_type)

    def _send(self, address: str, record: InboxRecord) -> None:
        raw = record.SerializeToString()
        limit = self._config.limits.max_record
        if len(raw) > limit:
            message = f"the request has {len(raw)} bytes, limits.max_record allows {limit}"
            raise BadRequestError(message)
        self._inbox.send(self._config.topic_names.inbox, address, raw).wait()
