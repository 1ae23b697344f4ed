"""`headgate redis`: state and outputs of all agents in Redis, and events out of its streams."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.history import NotConfirmedError
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, short, table
from headgate.cli.redis_place import UrlOption, find_redis
from headgate.cli.redis_run import feed, intake

redis = typer.Typer(
    help="State and outputs of all agents in Redis, and events out of its streams.",
    no_args_is_help=True,
)
redis.command()(feed)
redis.command()(intake)


@redis.command("status")
def status(
    *,
    url: UrlOption = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show how far Redis is behind the history, and what it holds.

    [bold]Example[/]

      headgate redis status
    """
    from headgate.redis.standing import standing

    broker = find_broker(config, bootstrap)
    settings = find_redis(broker, url)
    seen = standing(broker.bootstrap, broker.config.topic_names.history, settings)
    if output is Output.JSON:
        as_json(seen)
        return
    partitions = seen.pop("partitions")
    table(("", ""), [(name, plain(str(value))) for name, value in seen.items()])
    if partitions:
        columns = tuple(partitions[0])
        table(columns, [[str(each[name]) for name in columns] for each in partitions])


@redis.command("get")
def get(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="TYPE/KEY, such as order/17.")],
    *,
    at_least: Annotated[
        int, typer.Option("--at-least", metavar="TURN", min=0, help="Wait for this turn.")
    ] = 0,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, max=300, help="Wait so long.")
    ] = 5.0,
    url: UrlOption = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show the newest state of an instance that Redis has.

    [bold]Examples[/]

      headgate redis get order/17
      headgate redis get order/17 --at-least 12 -o json
    """
    from headgate.core.render import rfc3339
    from headgate.redis.errors import NotYetError
    from headgate.view import View

    settings = find_redis(find_broker(config, bootstrap), url)

    async def ask() -> Any:
        async with View(settings.url, prefix=settings.prefix, cluster=settings.cluster) as view:
            return await view.get(address, at_least=at_least, wait_seconds=wait)

    seen = asyncio.run(ask())
    if not seen.turn:
        message = f"Redis has no turn of {address}; `headgate redis status` shows how far it is"
        raise NotYetError(message)
    shown: dict[str, Any] = {"address": seen.address, "turn": seen.turn}
    shown |= {"at": rfc3339(seen.at_us), "revision": seen.revision, "parked": seen.is_parked}
    values = {name: seen.value(name) for name in sorted(seen.values)}
    lists = {name: seen.items(name) for name in sorted(seen.lists)}
    if output is Output.JSON:
        as_json({**shown, "values": values, "lists": lists})
        return
    table(("", ""), [(name, short(value)) for name, value in shown.items()])
    if values or lists:
        table(("name", "value"), [(plain(k), short(v)) for k, v in {**values, **lists}.items()])


@redis.command("reset")
def reset(
    *,
    url: UrlOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Remove all that was fed in: `headgate redis feed` then begins anew.

    What the history topic no longer has is not there afterwards. End the
    feeder first.

    [bold]Example[/]

      headgate redis reset --yes
    """
    from headgate.kafka.publish import count_partitions
    from headgate.redis.connect import open_redis, reaching, shown
    from headgate.redis.target import Target

    broker = find_broker(config, bootstrap)
    settings = find_redis(broker, url)
    place = f"{shown(settings.url)} below {settings.prefix!r}"
    if not yes:
        message = f"this removes all that was fed into {place}; give --yes to do it"
        raise NotConfirmedError(message)
    topic = broker.config.topic_names.history
    client = open_redis(settings.url, cluster=settings.cluster)
    with reaching(settings.url):
        Target(client, settings, topic, count_partitions(broker.bootstrap, topic)).erase()
    answers.print(f"{place} is empty; `headgate redis feed` fills it again", highlight=False)
