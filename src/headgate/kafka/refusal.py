"""Why a broker that accepts connections cannot be talked to: by asking it once more, by hand.

Client libraries tell all of this as a timeout, or as a connection that ended. So TLS's handshake
and SASL's are made again, alone, and their answers put into the words of headgate.toml.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from headgate.bootstrap import Bootstrap, Security
from headgate.kafka import login

# Of each step: whoever asks has waited for a client's own timeout already.
STEP_SECONDS = 2.0
# A server that wants a certificate says so after the handshake (TLS 1.3), within a round trip.
ALERT_SECONDS = 1.0


def explain(bootstrap: Bootstrap) -> str:
    """Return what is wrong and which key mends it; "" where nothing was found out."""
    security = bootstrap.security
    for server in bootstrap.servers.split(","):
        host, _, port = server.strip().rpartition(":")
        place = (host.strip("[]"), int(port))
        look = _with_tls if security.has_tls else _without_tls
        found = look(place, security)
        if found:
            return found
    return ""


def _without_tls(place: tuple[str, int], security: Security) -> str:
    if _speaks_tls(place):
        return (
            f"it speaks TLS, but kafka.security_protocol is {security.protocol}: set it to "
            f"{'SASL_SSL' if security.has_sasl else 'SSL or SASL_SSL'}"
        )
    return _with_login(lambda: socket.create_connection(place, STEP_SECONDS), security)


def _speaks_tls(place: tuple[str, int]) -> bool:
    stranger = ssl.create_default_context()
    # Nothing is sent: whether it is TLS that answers is all that is asked.
    stranger.check_hostname = False
    stranger.verify_mode = ssl.CERT_NONE
    try:
        _shake_hands(place, stranger)
    except OSError as error:
        return "ALERT" in str(getattr(error, "reason", ""))
    return True


def _with_tls(place: tuple[str, int], security: Security) -> str:
    try:
        ours = ssl.create_default_context(cafile=security.ca_file or None)
    except ssl.SSLError:
        return f"{security.ca_file} (kafka.ca_file) holds no certificate of an authority"
    if security.cert_file:
        try:
            # Without this it would wait for somebody to type a password.
            ours.load_cert_chain(security.cert_file, security.key_file, password=lambda: "")
        except ssl.SSLError:
            return (
                f"{security.cert_file} (kafka.cert_file) and {security.key_file} (kafka.key_file) "
                "are no certificate and its key, without a password"
            )
    try:
        _shake_hands(place, ours)
    except ssl.SSLCertVerificationError as error:
        return _not_trusted(place, security, error)
    except ssl.SSLError as error:
        if "ALERT" not in str(error.reason):
            return _no_tls(security)
        wanted = "another" if security.cert_file else "a"
        return (
            f"it wants {wanted} certificate of the client ({error.reason}): set kafka.cert_file "
            "and kafka.key_file"
        )
    except OSError:
        return _no_tls(security)

    def connect() -> socket.socket:
        return ours.wrap_socket(
            socket.create_connection(place, STEP_SECONDS), server_hostname=place[0]
        )

    return _with_login(connect, security)


def _not_trusted(
    place: tuple[str, int], security: Security, error: ssl.SSLCertVerificationError
) -> str:
    if "mismatch" in error.verify_message or "not valid for" in error.verify_message:
        return (
            f"its certificate is for another name than {place[0]}: write a name that it has into "
            "kafka.bootstrap"
        )
    trusted = security.ca_file or "the authorities that this machine trusts"
    return (
        f"its certificate is not signed by {trusted} ({error.verify_message}): name the authority "
        "that signed it as kafka.ca_file"
    )


def _no_tls(security: Security) -> str:
    plain = "SASL_PLAINTEXT" if security.has_sasl else "PLAINTEXT"
    return (
        f"it does not speak TLS, but kafka.security_protocol is {security.protocol}: name the port "
        f"of its TLS listener in kafka.bootstrap, or set {plain}"
    )


def _shake_hands(place: tuple[str, int], context: ssl.SSLContext) -> None:
    """Raise OSError if there is no TLS, or no agreement on certificates."""
    with (
        socket.create_connection(place, STEP_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=place[0]) as secured,
    ):
        secured.settimeout(ALERT_SECONDS)
        try:
            secured.recv(1)
        except TimeoutError:
            # It waits for the first request: it is content.
            return


def _with_login(connect: Callable[[], socket.socket], security: Security) -> str:
    try:
        with connect() as connection:
            if not security.has_sasl:
                return _login_wanted(security) if login.asks_for_login(connection) else ""
            code = login.try_login(connection, security)
    except OSError:
        return ""
    match code:
        case login.AUTHENTICATION_FAILED:
            return (
                f"it refuses user {security.username!r} by {security.mechanism}: correct "
                f"kafka.username, or the password that {security.password_key} names"
            )
        case login.UNSUPPORTED_MECHANISM:
            return (
                f"it does not offer {security.mechanism}: set kafka.sasl_mechanism to one that "
                "it has"
            )
        case login.ILLEGAL_STATE:
            plain = "SSL" if security.has_tls else "PLAINTEXT"
            return (
                "it asks for no user name and password: set kafka.security_protocol to "
                f"{plain}, or name the port of its {security.protocol} listener"
            )
    return ""


def _login_wanted(security: Security) -> str:
    return (
        f"it asks for a user name and a password, but kafka.security_protocol is "
        f"{security.protocol}: set it to {'SASL_SSL' if security.has_tls else 'SASL_PLAINTEXT'}"
    )
