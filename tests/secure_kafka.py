"""A Kafka that lets nobody in without TLS, a certificate of their own and a password."""

from __future__ import annotations

from pathlib import Path

from headgate.bootstrap import Security
from headgate.local.kafka import Listener
from tests.certificates import make_certificates

USER = "headgate"
PASSWORD = "s3ntinel-of-kafka-91c2"
"""Nothing but the files that hold it may ever show it."""

PROPERTIES = """\
inter.broker.listener.name=SASL_SSL
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.crt
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required username="{user}" \
password="{password}" user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


def make_listener(folder: Path) -> Listener:
    """Make certificates and the password's file in a folder, and the listener that wants them."""
    make_certificates(folder, "broker", "client")
    (folder / "broker.pem").write_text(
        (folder / "broker.key").read_text() + (folder / "broker.crt").read_text()
    )
    # With the end of a line, as an editor leaves it.
    (folder / "password").write_text(f"{PASSWORD}\n")
    return Listener(
        Security(
            "SASL_SSL",
            ca_file=f"{folder}/ca.crt",
            cert_file=f"{folder}/client.crt",
            key_file=f"{folder}/client.key",
            mechanism="PLAIN",
            username=USER,
            password_file=f"{folder}/password",
        ),
        PROPERTIES.format(folder=folder, user=USER, password=PASSWORD),
    )
