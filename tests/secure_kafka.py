"""A Kafka that lets nobody in without TLS, a certificate of their own and a password, and nobody do
what they have no right to.
"""

from __future__ import annotations

from pathlib import Path

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from headgate.bootstrap import Bootstrap, Security
from headgate.kafka.connect import admin_client
from headgate.local.kafka import Listener
from tests.certificates import make_certificates

ADMIN = "admin"
"""The broker itself, and whoever sets it up."""
USER = "headgate"
"""The job and all that belongs to it."""
SHOP = "shop"
"""A producer of events."""
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
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# ANONYMOUS: the controller, which is the same process.
super.users=User:{user};User:ANONYMOUS
"""

Right = tuple[ResourceType, str, ACLResourcePatternType, str]

_ONE, _ALL = ACLResourcePatternType.LITERAL, ACLResourcePatternType.PREFIXED

PRODUCERS: tuple[Right, ...] = ((ResourceType.TOPIC, "events", _ONE, "WRITE, DESCRIBE"),)


def rights(prefix: str, job: str) -> tuple[Right, ...]:
    """What docs/security.md says that the job's user needs."""
    return (
        (
            ResourceType.TOPIC,
            f"{prefix}.",
            _ALL,
            "CREATE, READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS",
        ),
        (ResourceType.TOPIC, "events", _ONE, "READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS, CREATE"),
        (ResourceType.TRANSACTIONAL_ID, f"{job}-", _ALL, "WRITE, DESCRIBE"),
        (ResourceType.TRANSACTIONAL_ID, f"{prefix}.settled-writer", _ONE, "WRITE, DESCRIBE"),
        (ResourceType.GROUP, job, _ALL, "READ, DESCRIBE"),
        (ResourceType.GROUP, f"{prefix}.trace-export", _ONE, "READ, DESCRIBE"),
        (ResourceType.CLUSTER, "kafka-cluster", _ONE, "DESCRIBE, IDEMPOTENT_WRITE"),
    )


def let_in(admin: Bootstrap, user: str, granted: tuple[Right, ...]) -> None:
    """Give a user a password for SCRAM, and these rights."""
    with admin_client(admin) as client:
        told = client.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, PASSWORD)]
        )
        assert not any(told.values()), told
        made = client.create_acls(
            [
                ACL(
                    f"User:{user}",
                    "*",
                    ACLOperation[operation],
                    ACLPermissionType.ALLOW,
                    ResourcePattern(kind, name, pattern),
                )
                for kind, name, pattern, operations in granted
                for operation in operations.split(", ")
            ]
        )
        assert not made["failed"], made


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
            username=ADMIN,
            password_file=f"{folder}/password",
        ),
        PROPERTIES.format(folder=folder, user=ADMIN, password=PASSWORD),
    )
