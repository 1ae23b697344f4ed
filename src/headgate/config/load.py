"""Reading headgate.toml: a Config, or one ConfigError that lists everything that is wrong.

Each line of the error reads `FILE:LINE: dotted.key: what is wrong and what is allowed`.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headgate.config.explain import Problem, problems_of
from headgate.config.fields import FROM_FILE
from headgate.config.lines import key_lines, nearest_line
from headgate.config.model import Config
from headgate.errors import ConfigError

# tomllib ends its messages so; before Python 3.14 its error has no attribute for the line.
_SYNTAX_LINE = re.compile(
    r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$"
)


def load(path: str | Path) -> Config:
    """The configuration in the file at `path`; raises ConfigError."""
    return loads(read_text(path), source=str(path))


def read_text(path: str | Path) -> str:
    """The text of a TOML file; raises ConfigError."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"{path}:{line}: must be UTF-8; byte {raw[error.start]:#04x} is not"
        raise ConfigError(message) from error


def parse(text: str, source: str) -> dict[str, Any]:
    """The TOML document in `text`; raises ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_explain_syntax(str(error), text, source)) from error
    except (ValueError, RecursionError) as error:
        # A number of too many digits, tables nested without end.
        message = f"{source}: not valid TOML: {error}"
        raise ConfigError(message) from error


def loads(text: str, source: str = "headgate.toml") -> Config:
    """The configuration in `text`; raises ConfigError, in which `source` stands for the file."""
    document = parse(text, source)
    try:
        return Config.model_validate(document, context=FROM_FILE)
    except ValidationError as error:
        lines = key_lines(text)
        ordered = sorted(problems_of(error), key=lambda it: nearest_line(lines, it.path))
        raise ConfigError(
            "\n".join(_sentence(source, nearest_line(lines, it.path), it) for it in ordered)
        ) from error


def _sentence(source: str, line: int, problem: Problem) -> str:
    return f"{source}:{line}: {problem.dotted}: {problem.text}"


def _explain_syntax(message: str, text: str, source: str) -> str:
    found = _SYNTAX_LINE.search(message)
    if found is None:
        return f"{source}: not valid TOML: {message}"
    what = message[: found.start()]
    if found["line"] is None:
        return f"{source}:{text.count(chr(10)) + 1}: not valid TOML: {what} (at the end)"
    return f"{source}:{found['line']}: not valid TOML: {what} (column {found['column']})"
