"""What a person typed as data: JSON, or a file's text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headgate.errors import HeadgateError


class TypedError(HeadgateError):
    """What was typed is no JSON, or a file that cannot be read.

    Operator action: correct the data as the message says.
    """


def text_of(path: Path) -> str:
    """Return a file's text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise TypedError(message) from error


def json_of(text: str) -> Any:
    """Return what JSON says; text that was meant as a string is told to be quoted."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        quoted = text.lstrip().startswith(("{", "[", '"'))
        hint = "" if quoted else "; text goes in quotes: '\"hi\"'"
        message = f"not JSON: {error}{hint}"
        raise TypedError(message) from error


def data_bytes(text: str) -> bytes:
    """Return JSON that was typed, or that stands in the file of `@FILE`, as it is sent."""
    return json_bytes(text_of(Path(text[1:])) if text.startswith("@") else text)


def json_bytes(text: str) -> bytes:
    """Return JSON as it is sent: without spaces, in UTF-8."""
    try:
        return json.dumps(json_of(text), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        message = f"it holds half a surrogate pair, which no text can: {error}"
        raise TypedError(message) from error
