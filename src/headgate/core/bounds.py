"""Bounds on numbers that others give: within them no sum overflows and every time can be written.

A number beyond them must be refused before it is applied. Applying must not fail: an outcome stands
in the journal for good, and a job that fails on it fails on it after every restart.
"""

from __future__ import annotations

from headgate.v1.turn_pb2 import Outcome, Policy

LONGEST_MS = 100 * 366 * 86_400_000
"""A hundred years: the longest that anything waits."""

LATEST_US = 221_845_392_000_000_000
"""The year 9000. With a hundred years added it is far below what 64 bits hold, and below the last
year that a timestamp of CloudEvents can name."""

MOST_PARTS = 100_000
"""Of one answer: mutations, outputs, messages and timers together. A message of 2 MB may hold a
million of them that say nothing, and each costs as much as one that does."""

MOST_USAGES = 1_000
"""Of one answer: how often it tells of what it used. Each is looked up in the job's prices, by
whoever journals the outcomes of all agents: a message of 2 MB may hold a million, and took half a
minute."""


def fault_of_wait(ms: int, what: str) -> str:
    """Return what is wrong with a length of time, or "" if nothing is."""
    return "" if 0 <= ms <= LONGEST_MS else f"{what} is {ms} ms; 0 to 100 years are allowed"


def fault_of_time(us: int, what: str) -> str:
    """Return what is wrong with a moment, or "" if nothing is."""
    return "" if 0 <= us <= LATEST_US else f"{what} is {us} us; 1970 to 9000 are allowed"


def fault_of_outcome(outcome: Outcome) -> str:
    """Return which number of a journaled outcome cannot be applied, or "" if all can.

    Headgate writes none such. A function of the outcome alone: all who read the journal refuse it.
    """
    wrong = fault_of_time(outcome.caused_at_us, "caused_at")
    if not wrong and outcome.HasField("failed"):
        wrong = fault_of_wait(outcome.failed.retry_after_ms, "retry_after")
    if wrong or not outcome.timers:
        return wrong
    for change in outcome.timers[:]:
        wrong = fault_of_wait(change.after_ms, change.name) or fault_of_time(
            change.at_us, change.name
        )
        if wrong:
            return f"timer {wrong}"
    return ""


def fault_of_policy(policy: Policy) -> str:
    """Return which number of a policy cannot be gone by, or "" if all can."""
    for name in ("deadline", "backoff_initial", "backoff_max", "state_ttl", "dedup_window"):
        wrong = fault_of_wait(getattr(policy, f"{name}_ms"), name)
        if wrong:
            return wrong
    # Not a number is in no range.
    if not 0 <= policy.backoff_jitter <= 1:
        return f"backoff_jitter is {policy.backoff_jitter}; 0 to 1 are allowed"
    if not 0 <= policy.backoff_multiplier <= 100:
        return f"backoff_multiplier is {policy.backoff_multiplier}; at most 100 are allowed"
    return ""
