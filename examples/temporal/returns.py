"""A workflow of Temporal's that drives three of Headgate's agents: one classifies, one refunds by a
workflow of its own, one is told about it.

    headgate door                                              # beside the job
    python agents/refund/agent.py --port 7072                  # hosts `complaints` and `refund`
    headgate agents attach complaints --endpoint localhost:7072
    headgate agents attach refund --endpoint localhost:7072
    python examples/temporal/returns.py --temporal localhost:7233 --door localhost:7081
"""

import argparse
import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ActivityError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from headgate import temporal

QUEUE = "returns"


@dataclass
class Return:
    """What came back, and why."""

    order: str
    account: str
    cents: int
    text: str


@workflow.defn
class Returns:
    """Takes one return from its complaint to its refund."""

    @workflow.run
    async def run(self, given: Return) -> str:
        """Return how it ended."""
        complaint = f"complaints/{given.order}"
        try:
            found = await temporal.ask(complaint, "complaint.classify", {"text": given.text})
        except ActivityError as error:
            return f"not a complaint: {error.cause}"
        if found.result["kind"] == "fraud":
            return "refused"
        # Of the carrier nobody waits for an answer.
        await temporal.send(f"carrier/{given.order}", "parcel.announced", {"order": given.order})
        order = {"account": given.account, "cents": given.cents, "text": given.text}
        try:
            # A workflow of Headgate's, which may wait for a person: days, and at no cost.
            refund = await temporal.run(f"refund/{given.order}", order, within=timedelta(days=10))
        except ActivityError as error:
            return f"refund failed: {error.cause}"
        return f"refunded {refund['refunded']} cents"


def worker(client: Client, door: str) -> Worker:
    """Make the worker: this workflow, and the activities that speak with the front door."""
    activities = temporal.Headgate(door).all
    return Worker(client, task_queue=QUEUE, workflows=[Returns], activities=activities)


async def main() -> None:
    """Run the worker, and one return."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--temporal", default="localhost:7233", help="HOST:PORT of its frontend")
    parser.add_argument("--door", default="localhost:7081", help="HOST:PORT of its gRPC")
    args = parser.parse_args()
    client = await Client.connect(args.temporal)
    given = Return("order-17", "ann", 500, "it came broken")
    async with worker(client, args.door):
        print(
            await client.execute_workflow(
                Returns.run, given, id=f"return-{given.order}", task_queue=QUEUE
            )
        )


if __name__ == "__main__":
    asyncio.run(main())
