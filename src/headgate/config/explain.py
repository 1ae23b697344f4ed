"""Sentences for operators out of pydantic's errors."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from headgate.config.model import Config
from headgate.config.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]

ADVICE = (
    "a secret is not written here, where it is copied and shown: put it into a file and name that "
    "as kafka.password_file, or an environment variable as kafka.password_env"
)

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Problem(NamedTuple):
    """One thing that is wrong, and the key it is wrong with."""

    path: KeyPath
    text: str

    @property
    def dotted(self) -> str:
        """The key as one would write it: topics[1].name, agents."My agent".endpoint."""
        text = ""
        for part in self.path:
            match part:
                case int():
                    text += f"[{part}]"
                case _:
                    name = part if _BARE_KEY.fullmatch(part) else f'"{part}"'
                    text += f".{name}" if text else name
        return text


def problems_of(error: ValidationError) -> Iterator[Problem]:
    """What `error`, raised by Config, has to say, one problem per key."""
    for details in error.errors():
        path = tuple(part for part in details["loc"] if part != "[key]")
        if details["type"] == "contradiction":
            for finding in details["ctx"]["findings"]:
                yield Problem(finding.path, finding.text)
        else:
            yield Problem(path, _sentence(path, details))


def _sentence(path: KeyPath, details: "ErrorDetails") -> str:
    context: dict[str, Any] = details.get("ctx", {})
    given = details["input"]
    match details["type"]:
        case "extra_forbidden":
            if _is_secret(path):
                return ADVICE
            known = known_keys(path[:-1])
            return f"unknown key{did_you_mean(str(path[-1]), known)}; {listed(known)}"
        case "missing":
            return "is required and missing"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            allowed = [word for word in re.findall(r"'([^']+)'", context["expected"])]
            hint = did_you_mean(str(given), allowed)
            return f"must be {context['expected']}, not {given!r}{hint}"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}, not {given!r}"
        case "model_type":
            return f"must be a table, not {given!r}"
        case "tuple_type":
            return f"must be an array of tables, written [[{_dotted(path)}]]"
        case "dict_type":
            return f"must be a table of tables, written [{_dotted(path)}.NAME]"
        case "string_too_short":
            return "must not be empty"
        case "bool_type":
            return f"must be true or false, not {given!r}"
        case _:
            return f"{details['msg'].replace('Input should', 'must', 1)}, not {given!r}"


def _is_secret(path: KeyPath) -> bool:
    """Whether this is a password for Kafka, by whatever name a client has for it."""
    return path[0] == "kafka" and re.search("password|secret|jaas", str(path[-1])) is not None


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def known_keys(path: KeyPath) -> list[str]:
    """The keys that the table at `path` may have; [] if there is no such table."""
    annotation: Any = Config
    for part in path:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = annotation.model_fields.get(str(part))
            annotation = field.annotation if field else None
        else:
            # tuple[T, ...] and dict[K, T]: any index or name leads to T.
            arguments = [it for it in get_args(annotation) if it is not Ellipsis]
            annotation = arguments[-1] if arguments else None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [field.alias or name for name, field in annotation.model_fields.items()]
    return []
