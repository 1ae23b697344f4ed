"""Kafka's two requests of SASL, asked over a connection of one's own: what does the broker say?

Client libraries try for as long as they may and then tell a timeout, whatever the broker said.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

from headgate.bootstrap import Security
from headgate.kafka.credentials import password_of

# Numbers of Kafka's protocol.
SASL_HANDSHAKE: Final = 17
SASL_AUTHENTICATE: Final = 36
ACCEPTED: Final = 0
UNSUPPORTED_MECHANISM: Final = 33
ILLEGAL_STATE: Final = 34
AUTHENTICATION_FAILED: Final = 58
# Of an answer, which is some hundred bytes: what is longer is not Kafka.
MOST_BYTES = 100_000


def try_login(connection: socket.socket, security: Security) -> int:
    """Return the error code that the broker gives, 0 if it lets the user in.

    Raises:
        OSError: the connection ends, or what answers is not Kafka.
    """
    code = _offer(connection, security.mechanism)
    if code != ACCEPTED:
        return code
    user, password = security.username, password_of(security)
    if security.mechanism == "PLAIN":
        return _authenticate(connection, f"\0{user}\0{password}".encode())[0]
    from kafka.net.sasl.scram import ScramClient

    client = ScramClient(user, password, security.mechanism)
    code, said = _authenticate(connection, client.first_message())
    if code != ACCEPTED:
        return code
    try:
        client.process_server_first_message(said)
    except (ValueError, KeyError) as error:
        message = f"not an answer of SCRAM: {error}"
        raise OSError(message) from error
    return _authenticate(connection, client.final_message())[0]


def asks_for_login(connection: socket.socket) -> bool:
    """Tell whether the broker wants a user name and a password here; raises OSError."""
    return _offer(connection, "PLAIN") in {ACCEPTED, UNSUPPORTED_MECHANISM}


def _offer(connection: socket.socket, mechanism: str) -> int:
    name = mechanism.encode()
    return _code(_ask(connection, SASL_HANDSHAKE, 1, struct.pack(">h", len(name)) + name))


def _authenticate(connection: socket.socket, token: bytes) -> tuple[int, bytes]:
    answer = _ask(connection, SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
    code = _code(answer)
    (told,) = struct.unpack(">h", answer[2:4])
    at = 4 + max(told, 0)
    (count,) = struct.unpack(">i", answer[at : at + 4])
    return code, answer[at + 4 : at + 4 + max(count, 0)]


def _code(answer: bytes) -> int:
    (code,) = struct.unpack(">h", answer[:2])
    return int(code)


def _ask(connection: socket.socket, request: int, version: int, body: bytes) -> bytes:
    """Send a request and return the body of its answer."""
    name = b"headgate"
    message = struct.pack(">hhih", request, version, 1, len(name)) + name + body
    connection.sendall(struct.pack(">i", len(message)) + message)
    (size,) = struct.unpack(">i", _read(connection, 4))
    if not 4 < size <= MOST_BYTES:
        text = "not an answer of Kafka"
        raise OSError(text)
    return _read(connection, size)[4:]


def _read(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            message = "the connection ended"
            raise OSError(message)
        found += part
    return found
