"""What another version of a job has in its configuration that the one that runs has not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from headgate.config import Config

NOTHING = "nothing"


def differences(old: Config, new: Config) -> list[str]:
    """Return a line for each key that differs, as `job.parallelism: 1, then 2`.

    A URL may have a password in it, before an @ or behind a question mark: only that it differs is
    said then.
    """
    before, after = (dict(_leaves("", each.model_dump(mode="json"))) for each in (old, new))
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key}: {_shown(before, key)}, then {_shown(after, key)}"
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case dict() if value:
            for name, part in value.items():
                yield from _leaves(f"{path}.{name}" if path else str(name), part)
        case [dict(), *_]:
            for number, part in enumerate(value):
                yield from _leaves(f"{path}[{number}]", part)
        case _:
            yield path, value


def _shown(leaves: dict[str, Any], key: str) -> str:
    value = leaves.get(key)
    if value is None:
        return NOTHING
    text = json.dumps(value)
    return "(not shown)" if "@" in text or "?" in text else text
