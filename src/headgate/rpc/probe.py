"""Why an endpoint cannot be reached: a look at its socket, for people.

gRPC waits for a channel and then says that time was over; whether nobody listens, or TLS is spoken
on one side only, it keeps to itself.
"""

from __future__ import annotations

import socket
import ssl

from headgate.v1.connection_pb2 import Connection

PROBE_SECONDS = 1.0

NO_GRPC = "something listens there, but it answers no gRPC call in time"


def why_unreachable(endpoint: str, connection: Connection) -> str:
    """Say what is wrong with an endpoint that does not answer; empty where it is no fault of the
    endpoint's: a file that is named here cannot be read.
    """
    has_tls = connection.HasField("tls")
    try:
        plain = _connect(endpoint)
    except OSError as error:
        return f"nothing listens there ({error.strerror or error})"
    with plain:
        # Trust is not the question yet: does it shake hands at all?
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        blind.set_alpn_protocols(["h2"])
        try:
            with blind.wrap_socket(plain):
                speaks_tls = True
        except (ssl.SSLError, OSError):
            speaks_tls = False
    if speaks_tls and not has_tls:
        return "it speaks TLS: give --tls, or the authority that it is signed by with --tls-ca"
    if has_tls and not speaks_tls:
        return "it does not speak TLS: leave the TLS options out, or serve it with a certificate"
    return _distrusted(endpoint, connection) if has_tls else NO_GRPC


def _distrusted(endpoint: str, connection: Connection) -> str:
    tls = connection.tls
    try:
        context = ssl.create_default_context(cafile=tls.ca_file or None)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except ssl.SSLError as error:
        return f"the TLS files are none, or do not fit each other: {error.reason or error}"
    except OSError:
        # Who could not read it has named it.
        return ""
    try:
        context.set_alpn_protocols(["h2"])
        with (
            _connect(endpoint) as plain,
            context.wrap_socket(plain, server_hostname=tls.server_name or _host(endpoint)),
        ):
            pass
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not trusted: {error.verify_message}; see --tls-ca (the "
            "authorities to trust) and --tls-name (the name it must be for)"
        )
    except (ssl.SSLError, OSError) as error:
        return f"TLS fails: {error.strerror or error}; does it ask for a certificate (--tls-cert)?"
    return "TLS works, gRPC does not; if it asks for a certificate, see --tls-cert"


def _connect(endpoint: str) -> socket.socket:
    if endpoint.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(PROBE_SECONDS)
        try:
            made.connect(endpoint.removeprefix("unix:"))
        except OSError:
            made.close()
            raise
        return made
    port = int(endpoint.rpartition(":")[2])
    return socket.create_connection((_host(endpoint), port), PROBE_SECONDS)


def _host(endpoint: str) -> str:
    return endpoint.removeprefix("dns:///").rpartition(":")[0].strip("[]")
