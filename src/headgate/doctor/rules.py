"""All rules: facts in, findings out. No clock, no client, no file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from headgate.doctor import (
    cluster_rules,
    job_rules,
    replica_rules,
    security_rules,
    service_rules,
    time_rules,
    topic_rules,
)
from headgate.doctor.facts import Facts, Finding, Severity

Rule = Callable[[Facts], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    service_rules.parts,
    job_rules.job_state,
    job_rules.checkpoints,
    job_rules.same_job,
    job_rules.state,
    topic_rules.topic_missing,
    topic_rules.topic_settings,
    topic_rules.topic_narrow,
    replica_rules.in_sync,
    replica_rules.one_replica,
    security_rules.kafka_readable,
    security_rules.keys_away,
    topic_rules.topic_unread,
    topic_rules.events_wide,
    topic_rules.events_compacted,
    time_rules.transaction_broker,
    time_rules.transaction_short,
    time_rules.checkpoint_old,
    time_rules.retention_restore,
    time_rules.retention_short,
    time_rules.clock_skew,
    cluster_rules.interpreter_shared,
    cluster_rules.no_standby,
    cluster_rules.slots,
    cluster_rules.partitions_spread,
    cluster_rules.events_partitions,
    cluster_rules.settings,
    service_rules.agents,
    service_rules.agents_far,
    service_rules.services,
)

OK, WARNED, BROKEN = 0, 1, 2
"""Exit codes: nothing found, warnings only, at least one error."""


def diagnose(facts: Facts) -> list[Finding]:
    """Return what is wrong, errors first, else in the order of the rules."""
    found = [finding for rule in RULES for finding in rule(facts)]
    return sorted(found, key=lambda finding: finding.severity is not Severity.ERROR)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 2 where there is an error, 1 where there are warnings, else 0.

    >>> exit_code([])
    0
    """
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return BROKEN
    return WARNED if severities else OK
