"""What an agent raises to say how a turn ends, and what the SDK raises at its author."""

from datetime import timedelta

from headgate.errors import HeadgateError

# Contract: at most 4 KiB of a failure's message are kept.
MESSAGE_LIMIT = 4096


class AgentError(HeadgateError):
    """Base of the errors by which a handler says how its failure should be treated.

    Any other exception fails the turn too; the agent's retry policy then decides alone.

    Operator action: read the message in the dead letters or in the agent's log.
    """


class RetryableError(AgentError):
    """Try this event again, not before `after` (seconds or timedelta; None: the policy decides).

    Operator action: none while attempts are left; then as the policy says.

    >>> RetryableError("model is overloaded", after=2).after
    datetime.timedelta(seconds=2)
    """

    def __init__(self, message: str = "", *, after: timedelta | float | None = None) -> None:
        super().__init__(message)
        self.after = timedelta(seconds=after) if isinstance(after, int | float) else after


class TerminalError(AgentError):
    """This event can never succeed: give it up, to the dead letters.

    Operator action: correct the event at its producer, then publish it anew.
    """


class EventDataError(TerminalError):
    """An event's data is not what its media type says.

    Operator action: correct the producer; the dead letter holds the bytes as they came.
    """


class UnhandledEventError(TerminalError):
    """No handler's pattern matches the event's type.

    Operator action: route the type elsewhere, or deploy a revision that handles it.
    """


class Park(AgentError):  # noqa: N818 - reads as the order it is: `raise Park("needs a person")`
    """Stop this instance until an operator resumes it; its events wait.

    Operator action: settle what the message asks for, then resume the instance.
    """


class WholeListsError(AgentError):
    """The newest items of the lists are not enough: Headgate sends all with its next request.

    Operator action: none.
    """


class DeadlineError(AgentError):
    """The handler was still running when the turn's deadline passed.

    Operator action: raise the agent's deadline, or find what it waits for.
    """


class StateError(HeadgateError):
    """Stored state does not fit the agent's dataclass, or a new value does not fit its field.

    Operator action: deploy a revision whose dataclass fits, or reset the instance.
    """


class DefinitionError(HeadgateError):
    """An agent is defined in a way that cannot work: name, pattern, handler or state class.

    Operator action: correct the agent's code as the message says.
    """


class ServeError(HeadgateError):
    """The agent service cannot start, usually because its port is taken.

    Operator action: choose another port, or end what listens there.
    """
