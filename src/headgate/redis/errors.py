"""What may be wrong with Redis, or with a question to it."""

from __future__ import annotations

from headgate.errors import HeadgateError


class RedisUnreachableError(HeadgateError):
    """No Redis answers, or it refuses who asks.

    Operator action: start it, or correct redis.url in headgate.toml (or --url).
    """


class FeedError(HeadgateError):
    """What Redis holds is not of the history that is to be fed into it.

    Operator action: the message says what to do.
    """


class NotYetError(HeadgateError):
    """Redis does not have so new a turn within the time that it was waited for.

    Operator action: wait longer, or look whether the feeder runs (`headgate redis status`).
    """


class PastError(HeadgateError):
    """A moment cannot be answered from Redis: it is not closed yet, or too long ago.

    Operator action: wait, raise redis.past, or ask the history service.
    """
