"""Channels to agent services: plaintext, TLS, mutual TLS, and a token with every call.

What is secret is read where it lies, when it is needed, and never becomes part of a message for
people: neither this module's errors nor gRPC's may quote it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from headgate.v1.connection_pb2 import Connection, Tls
from headgate.v1.connection_pb2 import Token as TokenSource

MESSAGE_BYTES = 64 * 1024 * 1024
"""Of one message, either way. A stream's holds the answers of many turns."""

OPTIONS = [
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    # A host that vanished without closing: noticed after 10 + 5 s instead of TCP's many minutes.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # The endpoint has its own pauses between attempts.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]

Metadata = tuple[tuple[str, str], ...]


class CredentialError(ConnectionError):
    """A certificate or a token cannot be read on this machine.

    Operator action: put the file, or the variable, that the message names where the Python worker
    runs, readable for it; the next connection finds it.
    """


def open_channel(
    target: str, connection: Connection, *, receive_bytes: int = MESSAGE_BYTES
) -> grpc.aio.Channel:
    """Open a channel for asyncio. It connects with its first call.

    receive_bytes: what is larger is refused by its first bytes, and never taken in.

    Raises:
        CredentialError: a file of ``connection.tls`` cannot be read.
    """
    # Never given back: see `headgate.sdk.server`. A process must not hang at its end.
    grpc.aio.init_grpc_aio()
    own = [*OPTIONS, ("grpc.max_receive_message_length", receive_bytes)]
    if not connection.HasField("tls"):
        return grpc.aio.insecure_channel(target, options=own)
    credentials, options = _tls(connection.tls)
    return grpc.aio.secure_channel(target, credentials, options=own + options)


def open_blocking_channel(target: str, connection: Connection) -> grpc.Channel:
    """As ``open_channel``, for commands."""
    if not connection.HasField("tls"):
        return grpc.insecure_channel(target)
    credentials, options = _tls(connection.tls)
    return grpc.secure_channel(target, credentials, options=options)


class Token:
    """The token that a connection sends, as metadata for one call."""

    def __init__(self, source: TokenSource) -> None:
        """Remember where it is; nothing is read yet."""
        self._source = source
        self._header = source.header or "authorization"
        self._scheme = source.scheme if source.HasField("scheme") else "Bearer"
        self._read_at: tuple[int, int] | None = None
        self._metadata: Metadata = ()

    def metadata(self) -> Metadata:
        """Return what to send now; empty without a source.

        Raises:
            CredentialError: the file or variable is missing, or holds no token.
        """
        match self._source.WhichOneof("source"):
            case "env":
                name = self._source.env
                return self._as_metadata(os.environ.get(name, ""), f"variable {name}")
            case "file":
                return self._from_file(Path(self._source.file))
            case _:
                return ()

    def _from_file(self, path: Path) -> Metadata:
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != self._read_at:
                text = path.read_text("ascii")
                self._metadata = self._as_metadata(text, f"file {path}")
                self._read_at = stamp
        except UnicodeDecodeError:
            # Not chained: the error quotes the bytes.
            message = f"token file {path} holds other characters than ASCII's"
            raise CredentialError(message) from None
        except OSError as error:
            message = f"token file {path}: {error.strerror or error}"
            raise CredentialError(message) from error
        return self._metadata

    def _as_metadata(self, text: str, where: str) -> Metadata:
        secret = text.strip()
        # gRPC refuses anything else as metadata, with an error that quotes it.
        if not secret or not (secret.isascii() and secret.isprintable()):
            message = f"token {where} is missing, empty or holds unprintable characters"
            raise CredentialError(message)
        return ((self._header, f"{self._scheme} {secret}" if self._scheme else secret),)


def _tls(tls: Tls) -> tuple[grpc.ChannelCredentials, list[tuple[str, Any]]]:
    credentials = grpc.ssl_channel_credentials(
        _read(tls.ca_file), _read(tls.key_file), _read(tls.cert_file)
    )
    name = tls.server_name
    return credentials, [("grpc.ssl_target_name_override", name)] if name else []


def _read(path: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        message = f"TLS file {path}: {error.strerror or error}"
        raise CredentialError(message) from error
