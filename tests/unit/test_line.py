"""The line that tests cut: what comes through, what is reset, what waits."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from headgate.local.ports import LOOPBACK
from tests.line import Line

# What does not come in this time is held back; what comes needs a thousandth of it.
HELD_SECONDS = 0.5


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that says what it hears."""
    server = socket.create_server((LOOPBACK, 0))

    def answer(connection: socket.socket) -> None:
        with connection, suppress(ConnectionResetError):
            while heard := connection.recv(100):
                connection.sendall(heard)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"{LOOPBACK}:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def connected(line: Line) -> socket.socket:
    return socket.create_connection((LOOPBACK, line.port), timeout=10)


def test_a_cut_line_resets_what_is_open_and_what_comes(echo: str) -> None:
    with Line(echo) as line, connected(line) as client:
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        line.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(100)
        # The reset may be there before the connection is reported as made.
        with pytest.raises(ConnectionResetError), connected(line) as other:
            other.recv(100)
        line.mend()
        with connected(line) as after:
            after.sendall(b"two")
            assert after.recv(100) == b"two"


def test_a_silent_line_holds_everything_back_until_it_is_mended(echo: str) -> None:
    with Line(echo) as line, connected(line) as client:
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        line.silence()
        client.settimeout(HELD_SECONDS)
        client.sendall(b"two")
        with connected(line) as other:
            other.settimeout(HELD_SECONDS)
            other.sendall(b"new")
            for each in (client, other):
                with pytest.raises(TimeoutError):
                    each.recv(100)
            line.mend()
            for each, said in ((client, b"two"), (other, b"new")):
                each.settimeout(10)
                assert each.recv(100) == said
