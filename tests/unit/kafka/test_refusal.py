"""What is found out about a broker that lets nobody in, with servers of TLS and SASL in memory."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headgate.bootstrap import Bootstrap, Security
from headgate.kafka.refusal import explain
from tests.certificates import make_certificates

Answer = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates, and a password."""
    folder = make_certificates(tmp_path_factory.mktemp("pki"), "broker", "client")
    (folder / "password").write_text("s3cret")
    return folder


@contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve connections one after the other; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                with plain:
                    plain.settimeout(5)
                    try:
                        secured = context.wrap_socket(plain, server_side=True) if context else plain
                        answer(secured)
                        secured.close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def silent(connection: socket.socket) -> None:
    """Wait until the other side goes."""
    connection.recv(1)


def coded(*codes: int) -> Answer:
    """Answer requests with error codes, one each."""

    def answer(connection: socket.socket) -> None:
        for code in codes:
            if not (head := connection.recv(4)):
                return
            connection.recv(struct.unpack(">i", head)[0])
            body = struct.pack(">ihhi", 1, code, 0, 0)
            connection.sendall(struct.pack(">i", len(body)) + body)

    return answer


def tls(pki: Path, *, wants_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "broker.crt", pki / "broker.key")
    if wants_client:
        context.load_verify_locations(pki / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_an_authority_that_did_not_sign_is_named(pki: Path) -> None:
    with serving(silent, tls(pki)) as at:
        told = explain(Bootstrap(at, Security("SSL", ca_file=f"{pki}/stranger.crt")))
        assert "kafka.ca_file" in told
        assert f"{pki}/stranger.crt" in told
        assert explain(Bootstrap(at, Security("SSL", ca_file=f"{pki}/ca.crt"))) == ""


def test_a_certificate_for_another_name_is_told(pki: Path) -> None:
    with serving(silent, tls(pki)) as at:
        elsewhere = at.replace("127.0.0.1", "127.0.0.2")
        # All of 127/8 is this machine; the certificate is for the first alone.
        with socket.create_server(("127.0.0.2", int(at.rpartition(":")[2]))) as other:
            threading.Thread(target=_pass_on, args=(other, at), daemon=True).start()
            told = explain(Bootstrap(elsewhere, Security("SSL", ca_file=f"{pki}/ca.crt")))
    assert "another name than 127.0.0.2" in told
    assert "kafka.bootstrap" in told


def _pass_on(server: socket.socket, target: str) -> None:
    """Carry the bytes of one connection, both ways."""
    plain, _ = server.accept()
    host, _, port = target.rpartition(":")
    there = socket.create_connection((host, int(port)))

    def copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while part := source.recv(4096):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    threading.Thread(target=copy, args=(plain, there), daemon=True).start()
    copy(there, plain)


def test_a_certificate_of_the_client_is_asked_for(pki: Path) -> None:
    ca = f"{pki}/ca.crt"
    with serving(silent, tls(pki, wants_client=True)) as at:
        assert "kafka.cert_file" in explain(Bootstrap(at, Security("SSL", ca_file=ca)))
        with_one = Security("SSL", ca, f"{pki}/client.crt", f"{pki}/client.key")
        assert explain(Bootstrap(at, with_one)) == ""
        with_anothers_key = Security("SSL", ca, f"{pki}/client.crt", f"{pki}/broker.key")
        assert "no certificate and its key" in explain(Bootstrap(at, with_anothers_key))


def test_tls_on_one_side_only_is_told_to_either(pki: Path) -> None:
    with serving(silent, tls(pki)) as at:
        assert "it speaks TLS, but kafka.security_protocol is PLAINTEXT" in explain(Bootstrap(at))
    with serving(coded(34)) as at:
        told = explain(Bootstrap(at, Security("SSL", ca_file=f"{pki}/ca.crt")))
    assert "does not speak TLS, but kafka.security_protocol is SSL" in told


@pytest.mark.parametrize(
    ("codes", "key"),
    [
        ((33,), "kafka.sasl_mechanism"),
        ((34,), "kafka.security_protocol"),
        ((0, 58), "kafka.password_file"),
        ((0, 0), ""),
    ],
)
def test_what_the_broker_says_of_user_and_password_is_told(
    pki: Path, codes: tuple[int, ...], key: str
) -> None:
    security = Security(
        "SASL_SSL",
        f"{pki}/ca.crt",
        mechanism="PLAIN",
        username="me",
        password_file=f"{pki}/password",
    )
    # The first connection is for the handshake of TLS alone, and sends nothing.
    with serving(coded(*codes), tls(pki)) as at:
        told = explain(Bootstrap(at, security))
    assert key in told if key else told == ""
    assert "s3cret" not in told


def test_a_broker_that_is_only_slow_is_accused_of_nothing() -> None:
    with serving(silent) as at:
        assert explain(Bootstrap(at)) == ""
    with serving(coded(34)) as at:
        assert explain(Bootstrap(at)) == ""
    with serving(coded(33)) as at:
        assert "SASL_PLAINTEXT" in explain(Bootstrap(at))
