"""`headgate redis feed` and `headgate redis intake`: what runs until it is ended."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.redis_place import UrlOption, find_redis
from headgate.cli.running import run_until_ended
from headgate.errors import ConfigError


def feed(
    *, url: UrlOption = None, config: ConfigOption = None, bootstrap: BootstrapOption = None
) -> None:
    """Feed the history into Redis until Ctrl-C: streams of changes and of
    outputs, and a hash for each instance with its newest state.

    Where it stands is kept in Redis, written with the entries: killed at any
    point, it goes on without losing, repeating or reordering one. The
    embedded stack has its own where headgate.toml has a \\[redis] section;
    jobs/redis_feed.py does the same on a Flink cluster.

    [bold]Examples[/]

      headgate redis feed
      headgate redis feed --url redis://cache:6379/0
    """
    from headgate.redis.connect import shown
    from headgate.redis.feed import Feeder

    broker = find_broker(config, bootstrap)
    settings = find_redis(broker, url)
    feeder = Feeder(broker.bootstrap, broker.config.topic_names.history, settings)
    where = f"{broker.config.topic_names.history} into {shown(settings.url)}"
    run_until_ended([feeder], f"feeding {where}. Ctrl-C ends it.")


def intake(
    *,
    consumer: Annotated[
        str | None,
        typer.Option(
            "--consumer",
            metavar="NAME",
            help="This process in the consumer groups. Default: the host's name.",
            show_default=False,
        ),
    ] = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Hand the entries of Redis streams to the job as events, until Ctrl-C.

    Which streams, and of which topic their entries are events, stands in
    headgate.toml as \\[\\[redis.streams]]. An entry is acknowledged once
    Kafka has it, and taken once, whoever dies in between. Entries of one
    stream keep their order as long as one process reads it.

    [bold]Example[/]

      headgate redis intake
    """
    import socket

    from headgate.redis.connect import shown
    from headgate.redis.intake import Intake

    broker = find_broker(config, bootstrap)
    settings = broker.config.model_copy(update={"redis": find_redis(broker, url)})
    streams = settings.redis.streams
    if not streams:
        message = "headgate.toml names no [[redis.streams]]: add one, with name and topic"
        raise ConfigError(message)
    name = consumer or socket.gethostname()
    intakes = [Intake(broker.bootstrap, settings, stream, name) for stream in streams]
    listed = ", ".join(stream.name for stream in streams)
    run_until_ended(intakes, f"reading {listed} of {shown(settings.redis.url)}. Ctrl-C ends it.")
