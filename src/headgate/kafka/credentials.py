"""What clients of Kafka are given of TLS and SASL, in the words of each client library.

What is secret is read where it lies, when a client is made, and never becomes part of a message.
For Flink's clients, which are written in Java: `headgate.flink.credentials`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from headgate.bootstrap import Bootstrap, Security
from headgate.kafka.errors import KafkaCredentialError


def password_of(security: Security) -> str:
    """Return the password; raises KafkaCredentialError."""
    key = security.password_key
    if security.password_env:
        text = os.environ.get(security.password_env, "")
        place = f"the environment variable {security.password_env}"
        if not text:
            message = f"{place} ({key}) is not set, or empty"
            raise KafkaCredentialError(message)
    else:
        place = security.password_file
        text = _read(place, key).removesuffix("\n").removesuffix("\r")
        if not text:
            message = f"{place} ({key}) is empty"
            raise KafkaCredentialError(message)
    if set(text) & set('"\\\n\r') or not text.isprintable():
        # Kafka's Java client reads it between quotation marks (see `headgate.flink.credentials`).
        message = f'the password in {place} ({key}) must be one line, without " and \\'
        raise KafkaCredentialError(message)
    return text


def check_files(security: Security) -> None:
    """Raise KafkaCredentialError if a file cannot be read: client libraries say less."""
    for key in ("ca_file", "cert_file", "key_file"):
        path: str = getattr(security, key)
        if path and "-----BEGIN " not in _read(path, f"kafka.{key}"):
            message = f"{path} (kafka.{key}) holds no PEM"
            raise KafkaCredentialError(message)


def python_settings(bootstrap: Bootstrap) -> dict[str, Any]:
    """Return what kafka-python's clients are made with; raises KafkaCredentialError."""
    security = bootstrap.security
    settings: dict[str, Any] = {"bootstrap_servers": bootstrap.servers}
    if security.protocol == "PLAINTEXT":
        return settings
    check_files(security)
    settings["security_protocol"] = security.protocol
    if security.has_tls:
        settings |= {
            "ssl_cafile": security.ca_file or None,
            "ssl_certfile": security.cert_file or None,
            "ssl_keyfile": security.key_file or None,
        }
    if security.has_sasl:
        settings |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": password_of(security),
        }
    return settings


def librdkafka_settings(bootstrap: Bootstrap) -> dict[str, str]:
    """Return what confluent-kafka's clients are made with; raises KafkaCredentialError."""
    security = bootstrap.security
    settings = {"bootstrap.servers": bootstrap.servers}
    if security.protocol == "PLAINTEXT":
        return settings
    check_files(security)
    settings["security.protocol"] = security.protocol
    if security.has_tls:
        files = {
            "ssl.ca.location": security.ca_file,
            "ssl.certificate.location": security.cert_file,
            "ssl.key.location": security.key_file,
        }
        settings |= {name: path for name, path in files.items() if path}
    if security.has_sasl:
        settings |= {
            "sasl.mechanism": security.mechanism,
            "sasl.username": security.username,
            "sasl.password": password_of(security),
        }
    return settings


def _read(path: str, key: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        message = f"{path} ({key}) cannot be read: {error.strerror}"
        raise KafkaCredentialError(message) from error
    except UnicodeDecodeError:
        message = f"{path} ({key}) is no text in UTF-8"
        # Without its cause, which holds what was read.
        raise KafkaCredentialError(message) from None
