"""The peer's workflow of n steps, each an activity that waits."""

import asyncio
import os
from datetime import timedelta

from temporalio import activity, workflow

DELAY_SECONDS = float(os.environ.get("DELAY_MS", "20")) / 1000


@activity.defn
async def call() -> str:
    """Stand for a model call."""
    await asyncio.sleep(DELAY_SECONDS)
    return "done"


@workflow.defn
class Steps:
    """Makes as many steps as it is told, one after the other."""

    @workflow.run
    async def run(self, steps: int) -> str:
        for _ in range(steps):
            await workflow.execute_activity(call, start_to_close_timeout=timedelta(seconds=30))
        return "done"
