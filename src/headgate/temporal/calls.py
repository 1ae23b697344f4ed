"""Calling the activities from a workflow, with the time-outs that fit them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from headgate.temporal.asked import Answer, Ask, Run, Tell

HEARTBEAT = timedelta(seconds=10)
"""Some waits at the front door: a worker that is gone is noticed within this, and a cancellation
reaches the activity within it."""

TELL_FIRST = workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
"""A workflow that is cancelled ends once its agents have been told."""

A_DAY = timedelta(days=1)
SOON = timedelta(minutes=5)


async def ask(
    address: str,
    type: str,  # noqa: A002 - CloudEvents calls it so
    data: Any = None,
    *,
    within: timedelta = A_DAY,
    cancel_signal: str = "",
) -> Answer:
    """Ask an agent's instance and return its answer; ActivityError if it refuses or gives up."""
    answer: Answer = await workflow.execute_activity(
        "headgate.ask_agent",
        Ask(address, type, data, cancel_signal=cancel_signal),
        result_type=Answer,
        schedule_to_close_timeout=within,
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=TELL_FIRST,
    )
    return answer


async def send(address: str, type: str, data: Any = None) -> str:  # noqa: A002 - as above
    """Hand an event over and wait for nothing more; return its id."""
    event_id: str = await workflow.execute_activity(
        "headgate.send_event",
        Ask(address, type, data),
        result_type=str,
        schedule_to_close_timeout=SOON,
        heartbeat_timeout=HEARTBEAT,
    )
    return event_id


async def tell(address: str, name: str, data: Any = None) -> None:
    """Send a signal."""
    await workflow.execute_activity(
        "headgate.tell_agent",
        Tell(address, name, data),
        schedule_to_close_timeout=SOON,
        heartbeat_timeout=HEARTBEAT,
    )


async def run(address: str, data: Any = None, *, within: timedelta = A_DAY) -> Any:
    """Run a workflow of Headgate's to its end; cancelled here, it is cancelled there."""
    return await workflow.execute_activity(
        "headgate.run_workflow",
        Run(address, data),
        schedule_to_close_timeout=within,
        heartbeat_timeout=HEARTBEAT,
        cancellation_type=TELL_FIRST,
    )
