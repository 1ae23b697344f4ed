"""What may be wrong with a question to the history, or with its store."""

from __future__ import annotations

from headgate.errors import HeadgateError


class NotClosedError(HeadgateError):
    """A turn that is dated at or before the moment may still come.

    Operator action: wait (--wait), or ask for an earlier moment.
    """


class RemovedError(HeadgateError):
    """Retention has removed the moment that is asked for.

    Operator action: ask for a later one; raise history.keep for what is still to come.
    """


class NeverSeenError(HeadgateError):
    """The store has never seen the instance, or not that turn.

    Operator action: correct the address; `headgate history status` shows how far the store is.
    """


class NoSuchPathError(HeadgateError):
    """The state has no value or list of that name at that moment, or nothing at that path in it.

    Operator action: `headgate state get ADDRESS` shows the names there are.
    """


class MomentError(HeadgateError):
    """A moment, a condition or a path cannot be read.

    Operator action: correct it; the message says how.
    """


class SlowReaderError(HeadgateError):
    """A long answer was ended because nobody read on.

    Operator action: ask again, and read it as it comes.
    """


class StoreError(HeadgateError):
    """The store cannot be used: it is not there, of another version, or of another topic.

    Operator action: the message says what to do.
    """


def said(error: Exception) -> str:
    """Return what to tell whoever asked: of a database its own first words, and none of its SQL."""
    if isinstance(error, HeadgateError):
        return str(error)
    cause = getattr(error, "orig", None) or type(error).__name__
    return f"the store cannot be read now: {str(cause).strip().splitlines()[0]}"
