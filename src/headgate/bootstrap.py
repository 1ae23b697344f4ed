"""How a client gets to Kafka: the addresses, and what it shows there. This object goes wherever a
bare address would, so that nothing can be given the one without the other.

Secrets are named, never held: a Bootstrap may be logged, pickled into a job's graph and shown.
"""

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class Security:
    """What `[kafka]` says of TLS and SASL, in Kafka's words; "" is what was not given.

    Files and variables are those of the machine on which a client runs.
    """

    protocol: Protocol = "PLAINTEXT"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password_file: str = ""
    password_env: str = ""

    @property
    def has_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def has_sasl(self) -> bool:
        """Whether a user name and a password are shown."""
        return self.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    @property
    def password_key(self) -> str:
        """The key of headgate.toml that says where the password is."""
        return "kafka.password_env" if self.password_env else "kafka.password_file"


PLAINTEXT = Security()


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Where Kafka is, and how one gets in.

    >>> print(Bootstrap("127.0.0.1:9092"))
    127.0.0.1:9092
    """

    servers: str
    security: Security = PLAINTEXT

    def __str__(self) -> str:
        return self.servers
