"""What becomes of a failure: the disposition. A function of policy, attempt and failure alone."""

from __future__ import annotations

from headgate.v1.agent_pb2 import (
    ADVICE_DEAD_LETTER,
    ADVICE_PARK,
    ADVICE_RETRY,
    FAILURE_CODE_TERMINAL,
    FAILURE_CODE_TOO_LARGE,
    FAILURE_CODE_UNKNOWN_AGENT,
    Advice,
    Failure,
)
from headgate.v1.turn_pb2 import Policy

_HOPELESS = frozenset({FAILURE_CODE_TERMINAL, FAILURE_CODE_TOO_LARGE, FAILURE_CODE_UNKNOWN_AGENT})
"""Codes that another attempt cannot cure: they count as exhausted at once."""


def backoff_ms(policy: Policy, attempt: int, seed: bytes) -> int:
    """Return the delay before the attempt after ``attempt``, milliseconds.

    Exponential, at most ``backoff_max_ms``, less a part of at most ``backoff_jitter`` that the seed
    decides: the same seed gives the same delay, so that a replay of the decision is the decision.
    """
    base = policy.backoff_initial_ms * max(1.0, policy.backoff_multiplier) ** min(attempt - 1, 63)
    delay = min(base, policy.backoff_max_ms or base)
    fraction = int.from_bytes(seed[:8], "big") / 2**64
    return int(delay * (1 - policy.backoff_jitter * fraction))


def disposition(
    policy: Policy, failure: Failure, *, attempt: int, batch: int, seed: bytes
) -> tuple[Advice, int]:
    """Return what happens to a failed head event, and the delay of a retry in milliseconds.

    A batch that failed without naming an event is always tried again, one by one: it says nothing
    about any single event.
    """
    if batch > 1 and not failure.event_id:
        return ADVICE_RETRY, failure.retry_after_ms
    if failure.advice in {ADVICE_PARK, ADVICE_DEAD_LETTER}:
        return failure.advice, 0
    # A service of another revision asks for a retry: the right one may be about to start there.
    is_hopeless = failure.code in _HOPELESS and failure.advice != ADVICE_RETRY
    if is_hopeless or attempt >= max(1, policy.max_attempts):
        return (ADVICE_PARK if policy.on_exhausted == ADVICE_PARK else ADVICE_DEAD_LETTER), 0
    return ADVICE_RETRY, failure.retry_after_ms or backoff_ms(policy, attempt, seed)
