"""What can keep spans from being exported."""

from headgate.errors import HeadgateError


class ExportError(HeadgateError):
    """Spans cannot be exported as they are configured.

    Operator action: the message names the key or the package; correct it and start again.
    """
