"""Extension attributes that agents give: named as CloudEvents asks, and not like Headgate's own."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(r"[a-z0-9]{1,64}")
_RESERVED = frozenset(
    [
        *("id", "source", "specversion", "type", "subject", "time", "datacontenttype"),
        *("dataschema", "data", "data_base64"),
        *("recordedtime", "sequence", "correlationid", "causationid"),
    ]
)


def fault_of_extensions(names: Iterable[str]) -> str:
    """Return what is wrong with names of extension attributes, or "" if nothing is."""
    for name in names:
        if name in _RESERVED or not _NAME.fullmatch(name):
            return f"has an extension attribute {name!r}, which is not allowed"
    return ""
