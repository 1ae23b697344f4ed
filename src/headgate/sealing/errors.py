"""What keeps sealed data from being read."""

from __future__ import annotations

from headgate.errors import HeadgateError


class SealError(HeadgateError):
    """Base of what is wrong with sealed data or with keys.

    Operator action: read the message; it names the key, or the place of the data.
    """


class KeysError(SealError):
    """The keys cannot be read: no file, no variable, or text that is no list of keys.

    Operator action: correct what `[encryption]` in headgate.toml names; the message says how.
    """


class MissingKeyError(SealError):
    """Something is sealed with a key that this process has not been given.

    Nothing is lost: who reads stands still, in front of what it cannot read.

    Operator action: put the key that the message names back among the keys. The job goes on by
    itself within seconds.
    """

    def __init__(self, message: str, key_id: str = "") -> None:
        super().__init__(message)
        self.key_id = key_id


class BrokenSealError(SealError):
    """Sealed data was changed, cut, or moved here from another place; or data that must be sealed
    is not.

    Operator action: find out who writes there. State: restore a checkpoint from before it.
    """
