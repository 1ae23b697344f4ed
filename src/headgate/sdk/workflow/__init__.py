"""Durable workflows: ordinary coroutines that wait for months, in an agent service.

``@agent.workflow`` makes one of a coroutine function. Each await ends a turn; what it came to is
kept as a step in the instance's state. The coroutine stays in the service's memory for the next
turn; where it is not there, it is run again over the steps it made.
"""

from headgate.sdk.workflow.context import Context
from headgate.sdk.workflow.errors import (
    ActivityError,
    CallError,
    Cancelled,
    CompensationError,
    NonDeterminismError,
)
from headgate.sdk.workflow.progress import Progress

__all__ = [
    "ActivityError",
    "CallError",
    "Cancelled",
    "CompensationError",
    "Context",
    "NonDeterminismError",
    "Progress",
]
