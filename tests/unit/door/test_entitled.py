"""The door as it listens, HTTP and gRPC: every way in asks who comes, and to whose instance."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from starlette.routing import Route

from headgate.core.identity import split_address
from headgate.door.access import Access, refuse_strangers
from headgate.door.http import make_app
from headgate.door.rpc import FrontDoor
from headgate.door.waiting import Waiting
from headgate.listening import Places, listen
from headgate.v1 import door_pb2 as pb
from headgate.v1 import door_pb2_grpc
from headgate.v1.cost_pb2 import Tenancy
from headgate.v1.turn_pb2 import AgentSpec
from tests.unit.door.test_http import Desk

SPEC = AgentSpec(type="order", tenancy=Tenancy(before=":"))
WAYS = [
    (method, route.path)
    for route in make_app(SimpleNamespace(), max_body=1).routes  # type: ignore[arg-type]
    if isinstance(route, Route) and route.path != "/health"
    for method in sorted((route.methods or set()) - {"HEAD"})
]
METHODS = [each.name for each in pb.DESCRIPTOR.services_by_name["FrontDoor"].methods]
OURS, THEIRS = "acme:17", "other:17"


class GuardedDesk(Desk):
    """A desk without Kafka that asks who comes. What passed it is written down."""

    asks_who = True

    def __init__(self, tokens: Path) -> None:
        super().__init__()
        self._access = Access(tokens)
        self.passed: list[str] = []

    def admit(self, authorization: str, address: str) -> None:
        caller = self._access.caller_of(authorization)
        spec = SPEC if split_address(address)[0] == "order" else None
        refuse_strangers(caller, address, spec)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in {"ask", "reply", "signal", "look", "query"}:
            return found

        def noted(address: str, *given: Any, **named: Any) -> Any:
            self.passed.append(address)
            # What becomes of it is the others' affair.
            raise ConnectionError

        return noted


@pytest.fixture
def desk(tmp_path: Path) -> GuardedDesk:
    digest = hashlib.sha256(b"s3cret").hexdigest()
    tokens = tmp_path / "tokens.toml"
    text = f'[callers.shop]\ntoken_sha256 = "{digest}"\ntenants = ["acme"]\n'
    tokens.write_text(text, encoding="utf-8")
    return GuardedDesk(tokens)


@pytest.fixture
def places(desk: GuardedDesk) -> Iterator[Places]:
    """A door that listens, and where."""
    loop = asyncio.new_event_loop()
    found: list[Places] = []
    ended = asyncio.Event()

    async def serve() -> None:
        waiting = Waiting(desk)  # type: ignore[arg-type]
        over_grpc = grpc.aio.server()
        door_pb2_grpc.add_FrontDoorServicer_to_server(FrontDoor(waiting), over_grpc)
        app = make_app(waiting, max_body=1_000)
        ready: Callable[[Places], None] = found.append
        await listen(app, over_grpc, Places("127.0.0.1", 0, 0), ready, until=ended)
        waiting.close()

    # Signals are the main thread's.
    loop.add_signal_handler = lambda *_: None  # type: ignore[method-assign]
    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    while not found:
        thread.join(0.01)
        assert thread.is_alive() or found
    yield found[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


def asked(places: Places, method: str, path: str, key: str, **headers: str) -> httpx.Response:
    url = f"http://{places.host}:{places.http_port}"
    place = path.replace("{type}", "order").replace("{key:path}", key)
    return httpx.request(method, f"{url}{place}?id=a&name=n", headers=headers, timeout=30)


@pytest.mark.parametrize(("method", "path"), WAYS)
def test_over_http(places: Places, desk: GuardedDesk, method: str, path: str) -> None:
    found = asked(places, method, path, OURS)
    assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    assert asked(places, method, path, OURS, authorization="Bearer no").status_code == 401
    found = asked(places, method, path, THEIRS, authorization="Bearer s3cret")
    assert (found.status_code, found.json()["error"]["code"]) == (403, "not_entitled")
    assert desk.passed == []
    assert asked(places, method, path, OURS, authorization="Bearer s3cret").status_code == 500
    assert set(desk.passed) == {f"order/{OURS}"}


def test_health_is_everybodys(places: Places) -> None:
    assert asked(places, "GET", "/health", "").status_code == 200


@pytest.mark.parametrize("method", METHODS)
def test_over_grpc(places: Places, desk: GuardedDesk, method: str) -> None:
    kind = pb.DESCRIPTOR.services_by_name["FrontDoor"].methods_by_name[method].input_type

    async def code(key: str, *metadata: tuple[str, str]) -> grpc.StatusCode:
        async with grpc.aio.insecure_channel(f"{places.host}:{places.grpc_port}") as channel:
            call: Any = getattr(door_pb2_grpc.FrontDoorStub(channel), method)
            request = getattr(pb, kind.name)(agent_type="order", key=key)
            try:
                answer: Awaitable[Any] = call(request, metadata=metadata, timeout=30)
                if hasattr(answer, "__aiter__") and method == "WatchWorkflow":
                    await answer.read()  # type: ignore[attr-defined]
                else:
                    await answer
            except grpc.aio.AioRpcError as error:
                return error.code()
            return grpc.StatusCode.OK

    def ask(key: str, *metadata: tuple[str, str]) -> grpc.StatusCode:
        return asyncio.run(code(key, *metadata))

    assert ask(OURS) == grpc.StatusCode.UNAUTHENTICATED
    assert ask(OURS, ("authorization", "Bearer no")) == grpc.StatusCode.UNAUTHENTICATED
    assert ask(THEIRS, ("authorization", "Bearer s3cret")) == grpc.StatusCode.PERMISSION_DENIED
    assert desk.passed == []
    code_of_ours = ask(OURS, ("authorization", "Bearer s3cret"))
    # GetReply has no id here; what the others are told is that the desk is broken.
    assert code_of_ours in {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INVALID_ARGUMENT}
    assert set(desk.passed) <= {f"order/{OURS}"}
