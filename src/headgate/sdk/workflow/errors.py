"""What is raised into a workflow, and what a workflow's code is told when it cannot go on."""

from typing import Any

from headgate.errors import HeadgateError
from headgate.sdk.errors import Park


class ActivityError(HeadgateError):
    """An activity has failed for good: its attempts are used up, or it raised TerminalError.

    Operator action: none by itself; the workflow decides what becomes of it.
    """


class CompensationError(HeadgateError):
    """A workflow has failed or was cancelled, and not all that it did could be undone.

    Operator action: undo by hand what the message names.
    """


class CallError(HeadgateError):
    """The agent that was called has refused.

    Operator action: none by itself; the workflow decides what becomes of it.
    """


class Cancelled(BaseException):
    """The workflow is to end. Raised once, where it waits; what it awaits after that is cleanup.

    No Exception: `except Exception` around a step does not swallow it.
    """


class NonDeterminismError(Park):
    """The workflow's code asks for other steps than those that it made before.

    Operator action: deploy code that makes the steps that the message names (`Context.patched`
    tells old instances from new ones), then resume the instance; or reset it.
    """


class ContinueAsNew(BaseException):
    """Ends this run and begins the next with other data; see `Context.continue_as_new`."""

    def __init__(self, data: Any) -> None:
        super().__init__()
        self.data = data
