"""Rules about who could read or take part."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.doctor.facts import Facts, Finding, Severity


def kafka_readable(facts: Facts) -> Iterator[Finding]:
    """What goes to a broker elsewhere cannot be read on the way."""
    kafka = facts.config.kafka
    if facts.kafka is None or facts.kafka.is_local or kafka.security.has_tls:
        return
    shown = " with user name and password" * kafka.security.has_sasl
    yield Finding(
        Severity.WARNING,
        "kafka-readable",
        f"{kafka.servers} is reached by {kafka.security_protocol}, without TLS{shown}",
        "Whoever is on the way reads and changes events, states and answers of agents.",
        "Give Kafka a listener with TLS, and set kafka.security_protocol to SASL_SSL or SSL "
        "(docs/security.md); on a network of Kafka's own this may be left as it is.",
    )


def keys_away(facts: Facts) -> Iterator[Finding]:
    """What is sealed can be opened, also by a process that starts after this one."""
    if facts.keys:
        yield Finding(
            Severity.ERROR,
            "keys-away",
            facts.keys,
            "Processes that run may still have the keys in memory. The next one that starts, after "
            "a failover too, stands still until they are back.",
            "Put the list of keys back where encryption.keys names it, for the job's processes and "
            "for this command (docs/encryption.md).",
        )
