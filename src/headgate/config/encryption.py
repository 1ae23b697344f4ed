"""Payload encryption, as headgate.toml says it. Keys are named, never written."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, Field

from headgate.config.fields import Section

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROVIDER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

Kind = Literal["file", "env", "provider"]


def _check_keys(text: str) -> str:
    kind, _, place = text.partition(":")
    # Not relative: the job's processes and commands are started in different folders.
    if (
        (kind == "file" and PurePosixPath(place).is_absolute())
        or (kind == "env" and _VARIABLE.fullmatch(place))
        or (kind == "provider" and _PROVIDER.fullmatch(place))
    ):
        return text
    # Somebody may have put a key here: it is not repeated.
    message = (
        "must be file:/ABSOLUTE/PATH, env:VARIABLE or provider:MODULE:FUNCTION, where the keys "
        "are; a key itself is not taken here"
    )
    raise ValueError(message)


class EncryptionConfig(Section):
    """Where the keys are that state and Headgate's own topics are sealed with.

    accept_clear: whether what is not sealed is read all the same, as from before encryption.
    """

    keys: Annotated[str, AfterValidator(_check_keys)]
    accept_clear: Annotated[bool, Field(strict=True)] = True

    @property
    def source(self) -> tuple[Kind, str]:
        """`keys`, taken apart: the kind of place, and the place."""
        kind, _, place = self.keys.partition(":")
        return cast("Kind", kind), place
