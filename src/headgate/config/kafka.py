"""The [kafka] section: the brokers, how one gets in, and what Headgate's own topics are made with.

The keys of TLS and SASL are those that Kafka's clients have. Secrets are named, never written.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field

from headgate.bootstrap import Bootstrap, Mechanism, Protocol, Security
from headgate.config.agents import is_host_port
from headgate.config.connections import Variable
from headgate.config.fields import Count, Section

# Kafka: topic names are at most 249 of these characters; 12 are left for ".dead-letters".
_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
# Kafka's Java client is told files by "${directory:FOLDER:NAME}", which has no way to quote.
_FILE = re.compile(r"/[^:{}\x00-\x1f]*[^/:{}\x00-\x1f]")
# It goes into a line of JAAS between quotation marks, in which "${" would name a secret.
_USERNAME = re.compile(r"[^\"\\$\x00-\x1f]{1,250}")


def _check_topic_name(text: str) -> str:
    if _TOPIC_NAME.fullmatch(text) and text not in {".", ".."}:
        return text
    message = f"must be a Kafka topic name (1 to 249 letters, digits, . _ -), not {text!r}"
    raise ValueError(message)


def _check_servers(text: str) -> str:
    if all(is_host_port(server.strip()) for server in text.split(",")):
        return text
    message = f"must be host:port, several with commas between them, not {text!r}"
    raise ValueError(message)


def _check_file(text: str) -> str:
    if _FILE.fullmatch(text):
        return text
    # Somebody may have put the secret itself here: it is not repeated.
    message = (
        "must be the whole path of a file, beginning with /, without : { } in it: the job's "
        "processes have working directories of their own"
    )
    raise ValueError(message)


def _check_username(text: str) -> str:
    if _USERNAME.fullmatch(text):
        return text
    message = 'must be 1 to 250 characters without " \\ $'
    raise ValueError(message)


TopicName = Annotated[str, AfterValidator(_check_topic_name)]
File = Annotated[str, AfterValidator(_check_file)]


class KafkaConfig(Section):
    """The brokers, and what Headgate's own topics are made with.

    security_protocol, sasl_mechanism: Kafka's words. ca_file: the authorities to trust, PEM;
        default: those of the machine. cert_file, key_file: what the client shows (mTLS), PEM; the
        key as PKCS 8, without a password. password_file, password_env: where the password is.
        All files and variables are those of the machines that the clients run on.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    # `bootstrap`, below, has all of it.
    servers: Annotated[str, AfterValidator(_check_servers)] = Field(
        default="127.0.0.1:9092", alias="bootstrap"
    )
    prefix: Annotated[TopicName, Field(max_length=200)] = "headgate"
    partitions: Annotated[Count, Field(le=10_000)] = 4
    replication: Annotated[Count, Field(le=32_767)] = 1
    security_protocol: Protocol = "PLAINTEXT"
    ca_file: File | None = None
    cert_file: File | None = None
    key_file: File | None = None
    sasl_mechanism: Mechanism | None = None
    username: Annotated[str, AfterValidator(_check_username)] | None = None
    password_file: File | None = None
    password_env: Variable | None = None

    @property
    def bootstrap(self) -> Bootstrap:
        """The brokers, and how one gets in."""
        return Bootstrap(self.servers, self.security)

    @property
    def security(self) -> Security:
        """How one gets in."""
        return Security(
            self.security_protocol,
            self.ca_file or "",
            self.cert_file or "",
            self.key_file or "",
            self.sasl_mechanism or "SCRAM-SHA-512",
            self.username or "",
            self.password_file or "",
            self.password_env or "",
        )

    def at(self, bootstrap: Bootstrap) -> Self:
        """This, with another way to Kafka's brokers: what --bootstrap says, for example."""
        return self.model_copy(update={"servers": bootstrap.servers})


def find_gaps(kafka: KafkaConfig) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong) for what does not go together."""
    protocol, security = kafka.security_protocol, kafka.security
    if not security.has_tls:
        for key in ("ca_file", "cert_file", "key_file"):
            if getattr(kafka, key) is not None:
                text = f"{protocol} has no TLS; set kafka.security_protocol to SSL or SASL_SSL"
                yield key, text
    if not security.has_sasl:
        for key in ("sasl_mechanism", "username", "password_file", "password_env"):
            if getattr(kafka, key) is not None:
                text = (
                    f"{protocol} has no SASL; set kafka.security_protocol to SASL_SSL (or "
                    "SASL_PLAINTEXT)"
                )
                yield key, text
    if (kafka.cert_file is None) != (kafka.key_file is None):
        given = "cert_file" if kafka.cert_file else "key_file"
        yield given, "cert_file and key_file belong together: name both or neither"
    if not security.has_sasl:
        return
    if kafka.sasl_mechanism is None:
        text = f"{protocol} needs kafka.sasl_mechanism: 'SCRAM-SHA-512', 'SCRAM-SHA-256' or 'PLAIN'"
        yield "security_protocol", text
    if kafka.username is None:
        yield "security_protocol", f"{protocol} needs kafka.username"
    if (kafka.password_file is None) == (kafka.password_env is None):
        key = "security_protocol" if kafka.password_file is None else "password_env"
        text = f"{protocol} needs either kafka.password_file or kafka.password_env"
        yield key, text
