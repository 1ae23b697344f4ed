"""Where a command finds Redis."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import Broker
from headgate.errors import ConfigError

if TYPE_CHECKING:
    from headgate.config.redis import RedisConfig

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="redis://HOST:PORT/NUMBER. Default: headgate.toml's, else the running stack's.",
        envvar="HEADGATE_REDIS_URL",
        show_default=False,
    ),
]


def find_redis(broker: Broker, url: str | None) -> RedisConfig:
    """Return where Redis is: what was named, else headgate.toml's, else the running stack's; raises
    ConfigError.
    """
    from pydantic import ValidationError

    from headgate.config.redis import RedisConfig
    from headgate.local import state_file

    settings = broker.config.redis
    if url is None and "url" not in settings.model_fields_set:
        state = state_file.read(Path(os.environ.get("HEADGATE_HOME", ".headgate")).resolve())
        url = state.redis if state is not None and state.redis else None
    if url is None:
        return settings
    try:
        return RedisConfig.model_validate({**settings.model_dump(), "url": url})
    except ValidationError as error:
        message = "--url must be redis://HOST:PORT/NUMBER, rediss:// or unix:///PATH"
        raise ConfigError(message) from error
