"""Agent services that break the contract, each in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from headgate.v1 import agent_pb2 as pb

Lie = Callable[[pb.TurnRequest], bytes]


def _reply(request: pb.TurnRequest, **changes: Any) -> bytes:
    given: dict[str, Any] = {
        "request_id": request.request_id,
        "base": request.base,
        "taken_event_ids": [event.id for event in request.events],
        "completed": pb.Completed(),
    }
    reply = pb.TurnReply(**(given | changes))
    return pb.TurnReplyBatch(replies=[reply]).SerializeToString()


def noise(request: pb.TurnRequest) -> bytes:
    """Answer with bytes that are no message at all."""
    return b"\xff\xff\xff\xff not a reply"


def nothing(request: pb.TurnRequest) -> bytes:
    """Answer without saying what happened."""
    return _reply(request, completed=None, taken_event_ids=[])


def wrong_base(request: pb.TurnRequest) -> bytes:
    """Answer for another position in the chain of turns."""
    return _reply(request, base=b"\x00" * 16)


def wrong_events(request: pb.TurnRequest) -> bytes:
    """Complete events that nobody asked about."""
    return _reply(request, taken_event_ids=["another event"])


def broken_json(request: pb.TurnRequest) -> bytes:
    """Emit an output that says it is JSON, and is not."""
    return _reply(request, outputs=[pb.Output(type="lie", data=b"{not json")])


def another_age(request: pb.TurnRequest) -> bytes:
    """Ask for a retry after more time than there is."""
    failed = pb.Failure(retry_after_ms=2**62)
    return _reply(request, completed=None, taken_event_ids=[], failed=failed)


LIARS: dict[str, Lie] = {
    "noise": noise,
    "nothing": nothing,
    "wrong-base": wrong_base,
    "wrong-events": wrong_events,
    "broken-json": broken_json,
    "another-age": another_age,
}


class Liar:
    """Serves one lie on a free port."""

    def __init__(self, name: str) -> None:
        """Start serving."""
        self._lie = LIARS[name]
        self._server = grpc.server(ThreadPoolExecutor(8, f"liar-{name}"))
        handlers = {
            "Describe": grpc.unary_unary_rpc_method_handler(
                lambda _request, _context: pb.DescribeResponse(
                    contract_version=1, serves_turns_stream=True
                ),
                request_deserializer=pb.DescribeRequest.FromString,
                response_serializer=pb.DescribeResponse.SerializeToString,
            ),
            "Turns": grpc.stream_stream_rpc_method_handler(
                self._turns, request_deserializer=pb.TurnRequestBatch.FromString
            ),
        }
        service = grpc.method_handlers_generic_handler("headgate.v1.AgentService", handlers)
        self._server.add_generic_rpc_handlers((service,))
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.stop(None).wait()

    def _turns(self, batches: Iterator[pb.TurnRequestBatch], context: Any) -> Iterator[bytes]:
        for batch in batches:
            for request in batch.requests:
                yield self._lie(request)
