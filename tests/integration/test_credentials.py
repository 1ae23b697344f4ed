"""TLS, mutual TLS and tokens between the dispatcher and a real service."""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from headgate.rpc.fitness import examine
from headgate.rpc.health import ask
from headgate.v1.agent_pb2 import DescribeResponse, TurnReply, TurnRequest
from headgate.v1.agent_pb2_grpc import add_AgentServiceServicer_to_server
from headgate.v1.connection_pb2 import Connection, Tls, Token
from headgate.v1.turn_pb2 import AgentSpec
from tests.certificates import make_certificates
from tests.integration.doubles import (
    ListJournal,
    Service,
    call,
    completed,
    dispatcher,
    serve,
    until,
)

pytestmark = pytest.mark.asyncio

SECRET = "s3cret-token-7f1c"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority (ca), a service's and a caller's certificate and key."""
    return make_certificates(tmp_path_factory.mktemp("pki"), "service", "caller")


class Guarded(Service):
    """Refuses every call without the right token."""

    def __init__(self, *, has_stream: bool) -> None:
        super().__init__(completed, has_stream=has_stream)
        self.secret = SECRET
        self.refusals = 0
        self.header, self.scheme = "authorization", "Bearer "

    async def _check(self, context: Any) -> None:
        shown = dict(context.invocation_metadata()).get(self.header)
        if shown != self.scheme + self.secret:
            self.refusals += 1
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no valid token")

    async def Describe(self, request: Any, context: Any) -> DescribeResponse:  # noqa: N802
        await self._check(context)
        return await super().Describe(request, context)

    async def Turn(self, request: TurnRequest, context: Any) -> TurnReply:  # noqa: N802
        await self._check(context)
        return await super().Turn(request, context)

    async def Turns(self, requests: Any, context: Any) -> Any:  # noqa: N802
        await self._check(context)
        async for batch in super().Turns(requests, context):
            yield batch


async def serve_tls(service: Service, pki: Path, *, mutual: bool) -> tuple[grpc.aio.Server, int]:
    pair = ((pki / "service.key").read_bytes(), (pki / "service.crt").read_bytes())
    authority = (pki / "ca.crt").read_bytes() if mutual else None
    server = grpc.aio.server()
    add_AgentServiceServicer_to_server(service, server)
    credentials = grpc.ssl_server_credentials([pair], authority, require_client_auth=mutual)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    return server, port


async def is_answered(connection: Connection, port: int) -> bool:
    """Whether a call is answered, rather than given up at its deadline of half a second."""
    journal = ListJournal()
    mine = dispatcher(journal)
    mine.take(call(1, port, deadline_ms=500, connection=connection))
    await until(lambda: bool(journal.outcomes) or bool(mine.counts.dropped))
    await mine.close()
    return bool(journal.outcomes) and journal.outcomes[0].HasField("completed")


async def test_tls_trusts_the_authority_that_is_named_and_no_other(pki: Path) -> None:
    server, port = await serve_tls(Service(completed), pki, mutual=False)
    trusted, stranger = Tls(ca_file=f"{pki}/ca.crt"), Tls(ca_file=f"{pki}/stranger.crt")
    named = Tls(ca_file=f"{pki}/ca.crt", server_name="agent.test")
    wrong = Tls(ca_file=f"{pki}/ca.crt", server_name="another.test")
    assert await is_answered(Connection(tls=trusted), port)
    assert await is_answered(Connection(tls=named), port)
    assert not await is_answered(Connection(tls=wrong), port)
    assert not await is_answered(Connection(tls=stranger), port)
    assert not await is_answered(Connection(), port)
    answer = await asyncio.to_thread(ask, f"127.0.0.1:{port}", 2.0, Connection(tls=trusted))
    assert answer.revision_of("a") == ""
    await server.stop(None)


async def test_mutual_tls_shows_who_calls(pki: Path) -> None:
    server, port = await serve_tls(Service(completed), pki, mutual=True)
    known = Tls(
        ca_file=f"{pki}/ca.crt", cert_file=f"{pki}/caller.crt", key_file=f"{pki}/caller.key"
    )
    assert await is_answered(Connection(tls=known), port)
    assert not await is_answered(Connection(tls=Tls(ca_file=f"{pki}/ca.crt")), port)
    await server.stop(None)


async def test_a_missing_file_is_named_and_found_once_it_is_there(
    pki: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, port = await serve_tls(Service(completed), pki, mutual=False)
    journal, late = ListJournal(), tmp_path / "late.crt"
    mine = dispatcher(journal)
    mine.take(call(1, port, connection=Connection(tls=Tls(ca_file=str(late)))))
    with caplog.at_level(logging.WARNING):
        await until(lambda: str(late) in caplog.text)
    shutil.copy(pki / "ca.crt", late)
    await until(lambda: len(journal.outcomes) == 1)
    assert journal.outcomes[0].HasField("completed")
    await mine.close()
    await server.stop(None)


@pytest.mark.parametrize("has_stream", [True, False], ids=["Turns", "Turn"])
@pytest.mark.parametrize("kind", ["file", "env"])
async def test_a_token_goes_with_every_call(
    has_stream: bool, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_TOKEN", SECRET)
    (tmp_path / "token").write_text(SECRET + "\n")
    token = Token(env="AGENT_TOKEN") if kind == "env" else Token(file=str(tmp_path / "token"))
    server, port = await serve(Guarded(has_stream=has_stream))
    assert await is_answered(Connection(token=token), port)
    assert not await is_answered(Connection(), port)
    await server.stop(None)


async def test_header_and_scheme_are_the_services_choice(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET)
    service = Guarded(has_stream=False)
    service.header, service.scheme = "x-api-key", ""
    server, port = await serve(service)
    token = Token(file=str(tmp_path / "token"), header="x-api-key", scheme="")
    assert await is_answered(Connection(token=token), port)
    await server.stop(None)


@pytest.mark.parametrize("has_stream", [True, False], ids=["Turns", "Turn"])
async def test_a_token_that_is_rotated_costs_no_attempt(has_stream: bool, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(SECRET)
    service, journal = Guarded(has_stream=has_stream), ListJournal()
    server, port = await serve(service)
    mine = dispatcher(journal)
    connection = Connection(token=Token(file=str(path)))
    mine.take(call(1, port, connection=connection))
    await until(lambda: len(journal.outcomes) == 1)
    service.secret = "another-secret"
    mine.take(call(2, port, connection=connection))
    if not has_stream:
        # The old one is refused, and only then the new one is there. An open stream stays so.
        await until(lambda: service.refusals > 0)
    path.write_text("another-secret")
    await until(lambda: len(journal.outcomes) == 2)
    assert journal.outcomes[1].HasField("completed")
    await mine.close()
    await server.stop(None)


@pytest.mark.parametrize("bad", ["s3cret\ntwo-lines", "s3cret-\N{SNOWMAN}", "s3cret\x07bell", " "])
async def test_no_error_shows_a_token(
    bad: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "token"
    path.write_bytes(bad.encode())
    server, port = await serve(Guarded(has_stream=False))
    journal = ListJournal()
    mine = dispatcher(journal)
    with caplog.at_level(logging.DEBUG):
        mine.take(
            call(1, port, deadline_ms=300, connection=Connection(token=Token(file=str(path))))
        )
        await until(lambda: mine.counts.dropped == 1)
        answer = await asyncio.to_thread(
            ask, f"127.0.0.1:{port}", 2.0, Connection(token=Token(file=str(path)))
        )
    assert str(path) in answer.problem
    shown = caplog.text + "".join(capfd.readouterr()) + answer.problem
    assert "s3cret" not in shown
    await mine.close()
    await server.stop(None)


async def test_a_wrong_token_is_not_shown_either(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "token"
    path.write_text("wr0ng-but-secret")
    server, port = await serve(Guarded(has_stream=True))
    with caplog.at_level(logging.DEBUG):
        assert not await is_answered(Connection(token=Token(file=str(path))), port)
    assert "UNAUTHENTICATED" in caplog.text
    assert "wr0ng" not in caplog.text
    await server.stop(None)


async def test_attach_says_what_is_wrong_with_tls(pki: Path) -> None:
    trusted, stranger = Tls(ca_file=f"{pki}/ca.crt"), Tls(ca_file=f"{pki}/stranger.crt")
    wrong = Tls(ca_file=f"{pki}/ca.crt", server_name="another.test")
    server, port = await serve_tls(Service(completed), pki, mutual=False)
    mutual, mutual_port = await serve_tls(Service(completed), pki, mutual=True)
    plain, plain_port = await serve(Service(completed))
    for where, tls, said in (
        (port, None, "it speaks TLS: give --tls"),
        (port, stranger, "its certificate is not trusted"),
        (port, wrong, "its certificate is not trusted"),
        (plain_port, trusted, "it does not speak TLS"),
        (mutual_port, trusted, "--tls-cert"),
        (port, trusted, "it has no health service"),
    ):
        spec = AgentSpec(type="a", endpoints=[f"127.0.0.1:{where}"])
        if tls is not None:
            spec.connection.tls.CopyFrom(tls)
        [found] = await asyncio.to_thread(examine, spec)
        assert said in found["problem"], (where, found)
    for missing, said in (
        (Tls(ca_file="/nowhere/ca.crt"), "not reachable: TLS file /nowhere/ca.crt: No such file"),
        (Tls(ca_file=f"{pki}/ca.key"), "the TLS files are none, or do not fit each other"),
    ):
        spec = AgentSpec(
            type="a", endpoints=[f"127.0.0.1:{port}"], connection=Connection(tls=missing)
        )
        [found] = await asyncio.to_thread(examine, spec)
        assert found["problem"].startswith("not reachable: ")
        assert said in found["problem"]
    for each in (server, mutual, plain):
        await each.stop(None)


async def test_a_failed_handshake_is_told_once_in_words(pki: Path) -> None:
    """gRPC's own lines about it are for whoever develops gRPC."""
    server, port = await serve_tls(Service(completed), pki, mutual=False)
    code = (
        "from headgate.cli.agents import _silence; _silence(); "
        "from headgate.rpc.fitness import examine; "
        "from headgate.v1.turn_pb2 import AgentSpec; "
        f"spec = AgentSpec(type='a', endpoints=['127.0.0.1:{port}']); "
        "spec.connection.tls.SetInParent(); print(examine(spec)[0]['problem'])"
    )
    try:
        ran = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        said, noise = await ran.communicate()
    finally:
        await server.stop(None)
    assert b"its certificate is not trusted" in said
    assert noise == b""
