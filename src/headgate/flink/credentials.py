"""What the Java clients of Flink's Kafka sources and sinks are given of TLS and SASL.

These are options of tables: they stand in the job's graph and in what Flink says of a table that it
cannot make. So they name the places of secrets, and Kafka's own config providers read them when a
client is made, in the TaskManager or JobManager that makes it.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from pyflink.java_gateway import get_gateway

from headgate.bootstrap import Bootstrap, Security
from headgate.kafka.credentials import check_files, password_of
from headgate.kafka.errors import KafkaCredentialError
from headgate.kafka.keys import check_key

PLAIN = "org.apache.kafka."
SHADED = "org.apache.flink.kafka.shaded.org.apache.kafka."
"""Flink's connector for SQL brings Kafka's client under another name."""

_LOGIN = {
    "PLAIN": "common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "common.security.scram.ScramLoginModule",
}
_PROVIDERS = {
    "directory": "common.config.provider.DirectoryConfigProvider",
    "env": "common.config.provider.EnvVarConfigProvider",
}


def table_options(bootstrap: Bootstrap) -> dict[str, str]:
    """Return the options of a table that reaches Kafka; raises KafkaCredentialError.

    Secrets are looked at once, here, where the job is submitted: what Kafka's Java client could not
    read would end the job instead, over and over.
    """
    security = bootstrap.security
    found = {"bootstrap.servers": bootstrap.servers}
    if security.protocol != "PLAINTEXT":
        check_files(security)
        if security.key_file:
            check_key(security.key_file)
        if security.has_sasl:
            password_of(security)
        found |= client_properties(security, _kafka_package())
    return {f"properties.{name}": value for name, value in found.items()}


def client_properties(security: Security, package: str) -> dict[str, str]:
    """Return properties of Kafka's Java client; `package` is what its classes' names begin with."""
    found = {
        "security.protocol": security.protocol,
        "config.providers": ",".join(_PROVIDERS),
        **{f"config.providers.{name}.class": package + of for name, of in _PROVIDERS.items()},
    }
    if security.ca_file:
        found |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": security.ca_file}
    if security.cert_file:
        found |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _content(security.cert_file),
            "ssl.keystore.key": _content(security.key_file),
        }
    if security.has_sasl:
        place = (
            f"${{env:{security.password_env}}}"
            if security.password_env
            else _content(security.password_file)
        )
        # What a quotation mark begins ends with the line at the latest (java.io.StreamTokenizer).
        # So there is no second one: a file may end with a line's end, as editors leave it, or not.
        found |= {
            "sasl.mechanism": security.mechanism,
            "sasl.jaas.config": (
                f"{package}{_LOGIN[security.mechanism]} required "
                f'username="{security.username}" password="{place}\n;'
            ),
        }
    return found


def _content(path: str) -> str:
    """Return how a config provider is told a file."""
    file = PurePosixPath(path)
    return f"${{directory:{file.parent}:{file.name}}}"


def _kafka_package() -> str:
    from py4j.protocol import Py4JJavaError

    thread: Any = get_gateway().jvm.Thread.currentThread()
    loader = thread.getContextClassLoader()
    for package in (SHADED, PLAIN):
        try:
            loader.loadClass(f"{package}{_PROVIDERS['directory']}")
        except Py4JJavaError:
            continue
        return package
    message = (
        "Flink's Kafka connector has no DirectoryConfigProvider: TLS and SASL need that of Kafka's "
        "client 3.5 or newer; put flink-sql-connector-kafka into Flink's lib/"
    )
    raise KafkaCredentialError(message)
