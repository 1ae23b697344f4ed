"""Where the key of an event comes from: record, subject, extension:NAME or json:/pointer."""

import re
from dataclasses import dataclass
from typing import Literal

# CloudEvents: attribute names are lower-case letters and digits.
_EXTENSION = re.compile(r"[a-z0-9]+")
_BAD_ESCAPE = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where an event's key is read.

    kind: record is the Kafka record's key, subject the CloudEvents subject, extension the
        CloudEvents extension attribute `path[0]`, json the value at `path` within the data.
    path: the unescaped reference tokens of the JSON pointer, or the extension's name, or ().
    """

    kind: Literal["record", "subject", "extension", "json"]
    path: tuple[str, ...] = ()


def parse_key_source(text: str) -> KeySource:
    """Read the `key` of a topic; raises ValueError with a sentence for the operator.

    >>> parse_key_source("json:/customer/id").path
    ('customer', 'id')
    """
    kind, colon, argument = text.partition(":")
    if not colon and kind == "record":
        return KeySource("record")
    if not colon and kind == "subject":
        return KeySource("subject")
    if colon and kind == "extension":
        if not _EXTENSION.fullmatch(argument):
            message = f"{argument!r} is no CloudEvents extension name: lower-case letters, digits"
            raise ValueError(message)
        return KeySource("extension", (argument,))
    if colon and kind == "json":
        if not argument.startswith("/") or _BAD_ESCAPE.search(argument):
            message = f"{argument!r} is no JSON pointer to a field, such as /customer/id (RFC 6901)"
            raise ValueError(message)
        tokens = argument[1:].split("/")
        # RFC 6901, section 4: first ~1, then ~0, so that ~01 becomes ~1 and not a slash.
        return KeySource("json", tuple(t.replace("~1", "/").replace("~0", "~") for t in tokens))
    message = f"must be record, subject, extension:NAME or json:/pointer/to/field, not {text!r}"
    raise ValueError(message)
