"""Workflows of Temporal's for the tests, in a module of their own: its sandbox loads it anew."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from headgate import temporal


@workflow.defn(name="Order")
class Order:
    """Asks two agents, sends to a third, and runs a workflow of Headgate's."""

    @workflow.run
    async def run(self, key: str) -> Any:
        first = await temporal.ask(f"order/{key}", "order.ask", {"n": 1})
        await temporal.send(f"order/{key}", "order.note", "on its way")
        await temporal.tell(f"trip/{key}", "approve", "ann")
        trip = await temporal.run(f"trip/{key}", {"to": "Rome"})
        try:
            await temporal.ask(f"order/{key}", "order.refuse")
        except ActivityError as error:
            assert isinstance(error.cause, ApplicationError)
            refused = f"{error.cause.type}: {error.cause.message}"
        return {"first": first.result, "outputs": len(first.outputs), "trip": trip, "no": refused}


@workflow.defn(name="Patient")
class Patient:
    """Asks an agent that takes its time; cancelled, it tells it."""

    @workflow.run
    async def run(self, key: str) -> Any:
        address = f"order/{key}"
        return (await temporal.ask(address, "order.ask", {"n": 1}, cancel_signal="stop")).result


@workflow.defn(name="Approval")
class Approval:
    """Waits for a word; counts how often it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.enough = False

    @workflow.run
    async def run(self, wanted: int) -> Any:
        await workflow.wait_condition(lambda: self.enough or len(self.told) >= wanted)
        if "bad" in self.told:
            message = "it was bad"
            raise ApplicationError(message, non_retryable=True)
        return {"told": self.told}

    @workflow.signal
    def tell(self, what: str) -> None:
        self.told.append(what)

    @workflow.update
    def add(self, what: str) -> int:
        self.told.append(what)
        return len(self.told)

    @workflow.query
    def count(self) -> int:
        return len(self.told)
