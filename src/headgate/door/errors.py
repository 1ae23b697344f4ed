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


class UnknownAgentError(HeadgateError):
    """No agent of that type is attached.

    Operator action: `headgate agents attach`, or correct the address.
    """


class NoAnswerError(HeadgateError):
    """The job does not answer in time.

    Operator action: see that it runs (`headgate status`); what was sent waits in the inbox.
    """
