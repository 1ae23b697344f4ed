"""One agent as `headgate agents attach` names it: by options, and by a file with the keys of an
[agents.NAME] table and, if it likes, [[routes]] without an agent.

It is checked as it would be in headgate.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from headgate.config.explain import Problem, problems_of
from headgate.config.fields import FROM_FILE
from headgate.config.lines import key_lines, nearest_line
from headgate.config.load import parse, read_text
from headgate.config.model import Config, LimitsConfig
from headgate.errors import ConfigError


def read_attached(
    name: str,
    options: Mapping[str, Any],
    routes: Sequence[str] = (),
    *,
    file: Path | None = None,
    limits: LimitsConfig | None = None,
) -> Config:
    """Return a configuration with this agent, its routes and their topics, and nothing else.

    options: keys of the agent's table; they win over the file's. routes: TOPIC or TOPIC:PATTERN;
        if there are any, the file's do not count.

    Raises:
        ConfigError: lists all that is wrong, by option or by line of the file.
    """
    text = "" if file is None else read_text(file)
    agent = parse(text, str(file))
    if isinstance(agent.get("agents"), dict):
        message = (
            f"{file}: an agent's own file has its keys at the top, as they stand below "
            f"[agents.{name}] in headgate.toml: leave [agents.{name}] out, and write "
            f"[agents.{name}.policy] as [policy]"
        )
        raise ConfigError(message)
    led = agent.pop("routes", [])
    if routes:
        led = [_route(each) for each in routes]
    document = {
        "limits": limits or LimitsConfig(),
        "routes": _led_to(name, led),
        "topics": [{"name": topic} for topic in _topics(led)],
        "agents": {name: _merged(agent, options)},
    }
    try:
        return Config.model_validate(document, context=FROM_FILE)
    except ValidationError as error:
        sentences = [_sentence(found, text, file) for found in problems_of(error)]
        raise ConfigError("\n".join(dict.fromkeys(sentences))) from error


def _route(text: str) -> dict[str, str]:
    topic, colon, pattern = text.partition(":")
    return {"topic": topic, "type": pattern} if colon else {"topic": topic}


def _led_to(name: str, routes: object) -> object:
    """Return routes that lead to an agent; what is none is left for the model to refuse."""
    if not isinstance(routes, list):
        return routes
    return [each | {"agent": name} if isinstance(each, dict) else each for each in routes]


def _topics(routes: object) -> list[str]:
    if not isinstance(routes, list):
        return []
    named = [route.get("topic") for route in routes if isinstance(route, dict)]
    return list(dict.fromkeys(topic for topic in named if isinstance(topic, str)))


def _merged(table: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(table)
    for key, value in over.items():
        below = made.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        made[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return made


def _sentence(found: Problem, text: str, file: Path | None) -> str:
    # The file is the agent's table itself.
    path = found.path[2:] if found.path[0] == "agents" else found.path
    dotted = Problem(path, "").dotted or "NAME"
    if file is None or not path:
        return f"{dotted}: {found.text}"
    return f"{file}:{nearest_line(key_lines(text), path)}: {dotted}: {found.text}"
