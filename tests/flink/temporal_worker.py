"""The worker of test_temporal: workflows of Temporal's, and the activities that ask agents."""

import argparse
import asyncio
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from headgate import temporal

CLERKS = 3


def clerk(item: int) -> str:
    """Return the instance that is asked about an item: each about many."""
    return f"clerk/{item % CLERKS}"


def question(item: int, step: str) -> dict[str, Any]:
    """Return what a clerk is asked about an item, once."""
    return {"item": item, "step": step}


@workflow.defn(name="Purchase")
class Purchase:
    """Asks a clerk, runs a workflow of Headgate's, asks again, and leaves a note."""

    @workflow.run
    async def run(self, item: int) -> Any:
        first = await temporal.ask(clerk(item), "clerk.ask", question(item, "first"))
        approved = await temporal.run(f"approver/{item}", item)
        last = await temporal.ask(clerk(item), "clerk.ask", question(item, "last"))
        await temporal.send(clerk(item), "clerk.note", question(item, "note"))
        return {"numbers": [first.result, last.result], "approved": approved}


@workflow.defn(name="Approval")
class Approval:
    """Started by an agent: asks a clerk, and waits for a signal and an update."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self, item: int) -> Any:
        asked = await temporal.ask(clerk(item), "clerk.ask", question(item, "approval"))
        await workflow.wait_condition(lambda: "update" in self.told)
        return {"number": asked.result, "told": self.told}

    @workflow.signal
    def tell(self, what: str) -> None:
        self.told.append(what)

    @workflow.update
    def add(self, what: str) -> int:
        self.told.append(what)
        return len(self.told)


async def main() -> None:
    """Work until it is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--temporal", required=True)
    parser.add_argument("--door", required=True)
    parser.add_argument("--queue", required=True)
    args = parser.parse_args()
    client = await Client.connect(args.temporal)
    activities = temporal.Headgate(args.door).all
    workflows = [Purchase, Approval]
    await Worker(client, task_queue=args.queue, workflows=workflows, activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
