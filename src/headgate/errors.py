"""The errors that Headgate raises; each docstring ends with what the operator does about it."""


class HeadgateError(Exception):
    """Base of every error that Headgate raises on purpose.

    Operator action: read the message; it names what is wrong and where.
    """


class ConfigError(HeadgateError):
    """A configuration file is missing, malformed or contradicts itself.

    Operator action: correct the file at the line that the message names, then start again.
    """
