"""The peer's worker, a process of its own: one, as Headgate's agent is one.

Without the sandbox, in which workflows run by default: it finds code that would not run again the
same way, and costs CPU that Headgate's workflows do not spend.
"""

import argparse
import asyncio

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from benchmarks.temporal.conversation import Conversation, complete
from benchmarks.temporal.workflows import Steps, call

QUEUE = "bench"
# At once, more than any load has under way: the worker bounds nothing.
AT_ONCE = 2_000


async def work(target: str) -> None:
    """Work until the process is ended."""
    client = await Client.connect(target)
    await Worker(
        client,
        task_queue=QUEUE,
        workflows=[Steps, Conversation],
        activities=[call, complete],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=AT_ONCE,
        max_concurrent_workflow_tasks=AT_ONCE,
        max_concurrent_activities=AT_ONCE,
        # As many as the load needs; the default of five each is its fixed number.
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
    ).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True, help="the server, host:port")
    asyncio.run(work(parser.parse_args().target))
