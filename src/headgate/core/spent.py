"""What is journaled instead of a call that a budget has no room for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headgate.core import trace
from headgate.core.identity import address_of, digest
from headgate.core.ledger import Spent
from headgate.core.letters import letter_for_event
from headgate.core.prices import money
from headgate.core.reference import reference_to
from headgate.v1.agent_pb2 import FAILURE_CODE_BUDGET
from headgate.v1.cost_pb2 import Budget
from headgate.v1.turn_pb2 import Call, Failed, Outcome

SPREAD_MS = 1_000
"""Instances that wait for the same window to turn ask again so far apart: a thousand at one moment
would hold up all others.
"""

ENDLESS_MS = 24 * 60 * 60 * 1_000
"""How soon an instance asks again whose budget has no window. Raising the limit wakes it at once;
this is for the case that nobody does.
"""


BUSY_MS = 1_000
"""How soon one asks again that did not fit the queue of those who wait for calls to be settled."""


def refusal_of(call: Call, spent: Spent, *, at_us: int, currency: str) -> Outcome:
    """Return the outcome of a turn that a budget refuses: it is deferred, or its head event given
    up. Where one event would fit, a batch is tried one by one.

    at_us: the protocol's time, microseconds since the epoch.
    """
    request, budget = call.request, spent.budget
    address = address_of(request.agent_type, request.key)
    outcome = _outcome(call, address)
    message = _message(spent, currency)
    failed = Failed(code=FAILURE_CODE_BUDGET, message=message)
    if spent.fewer_fit:
        failed.message += f"; its {len(request.events)} events are tried one by one"
        failed.batch = len(request.events)
        failed.retry_after_ms = 0
    elif budget.when_spent == Budget.DEAD_LETTER:
        event = request.events[0]
        outcome.taken.append(reference_to(event))
        outcome.caused_at_us = event.at_us
        letter = letter_for_event(
            event,
            address,
            reason="budget",
            message=message,
            attempts=request.attempt - 1,
            code=FAILURE_CODE_BUDGET,
        )
        failed.dead_letter.CopyFrom(letter)
    else:
        seed = int.from_bytes(outcome.outcome_id[:8], "big")
        wait_ms = -(-(spent.until_us - at_us) // 1_000) if spent.until_us else ENDLESS_MS
        failed.retry_after_ms = max(1, wait_ms) + seed % SPREAD_MS
    outcome.failed.CopyFrom(failed)
    return outcome


def busy_refusal_of(call: Call) -> Outcome:
    """Return the outcome of a turn that waits for no budget, but in too long a queue for one."""
    outcome = _outcome(call, address_of(call.request.agent_type, call.request.key))
    outcome.failed.code = FAILURE_CODE_BUDGET
    outcome.failed.message = (
        f"too many calls of tenant {call.tenant} wait for others to be settled, for what they are "
        "taken to cost does not fit its budgets beside them"
    )
    outcome.failed.retry_after_ms = BUSY_MS
    return outcome


def _outcome(call: Call, address: str) -> Outcome:
    request = call.request
    outcome = Outcome(
        agent_type=request.agent_type,
        key=request.key,
        base=request.base,
        turn=request.turn,
        # The same however often it is asked for on this base.
        outcome_id=digest("budget", address, request.base),
        tenant=call.tenant,
    )
    trace.begin(call)
    trace.carry(request, request.events[:], outcome)
    return outcome


def _message(spent: Spent, currency: str) -> str:
    budget, account = spent.budget, spent.account
    whose = [f"tenant {account.tenant}"]
    if account.agent:
        whose = [address_of(account.agent, account.key)] if account.key else [account.agent, *whose]
    text = (
        f"budget {budget.name} of {', '.join(whose)}: {money(account.spent_nanos, currency)} of "
        f"{money(budget.limit_nanos, currency)} are spent, and a call is taken to cost "
        f"{money(spent.estimate_nanos, currency)}"
    )
    if spent.until_us:
        until = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=spent.until_us)
        return f"{text}; its window ends at {until:%Y-%m-%dT%H:%MZ}"
    return f"{text}; it has no window, raise it: headgate budgets set {budget.name} --limit ..."
