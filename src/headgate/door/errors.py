"""What a front door refuses, and why."""

from __future__ import annotations

from headgate.errors import HeadgateError


class BadRequestError(HeadgateError):
    """A request that cannot be passed on: its address, id, type, data or a header is wrong.

    Caller action: correct what the message names.
    """


class ForbiddenError(HeadgateError):
    """A browser asks for a page of another site.

    Caller action: serve the page from the door's own origin, by a proxy.
    """


class UnauthenticatedError(HeadgateError):
    """A caller that the door's tokens file does not name.

    Caller action: send the token that the door's operator has given out.
    """


class NotEntitledError(HeadgateError):
    """A caller asks about an instance of another tenant, or of an agent type that is not its own.

    Operator action: if it should, add the tenant or the agent type to the caller in the door's
    tokens file; no restart is needed.
    """


class UnknownAgentError(HeadgateError):
    """No agent of that type is attached.

    Operator action: `headgate agents attach`, or correct the address.
    """


class NoAnswerError(HeadgateError):
    """The job does not answer in time.

    Operator action: see that it runs (`headgate status`); what was sent waits in the inbox.
    """
