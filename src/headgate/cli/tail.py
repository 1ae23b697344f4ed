"""`headgate tail`: what comes out of Headgate, as it comes."""

from __future__ import annotations

from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.control import AddressError
from headgate.cli.look import Output
from headgate.cli.stream import Lines, quiet_end, say, say_json
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.config import TopicNames
    from headgate.core.decode import Record
    from headgate.kafka.tail import Start
    from headgate.kafka.views import View

LAST = 10


class Topic(StrEnum):
    """Headgate's own topics that people read."""

    OUTBOX = "outbox"
    HISTORY = "history"
    JOURNAL = "journal"
    DEAD_LETTERS = "dead-letters"


class StartError(HeadgateError):
    """--from says no place to start at.

    Operator action: give start, end, or how many of the last records to show.
    """


def tail(
    topic: Annotated[Topic, typer.Argument(help="What to read.", show_default=False)],
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="start|end|N", help="All, only new, or the last N.")
    ] = str(LAST),
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="ADDRESS", help="Only what is about this instance."),
    ] = None,
    no_follow: Annotated[
        bool, typer.Option("--no-follow", help="End at the newest record instead of waiting.")
    ] = False,
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", min=1, metavar="COUNT", help="End after so many records."),
    ] = None,
    ticks: Annotated[
        bool,
        typer.Option("--ticks", help="Show the journal's ticks too, the history's closed times."),
    ] = False,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="json: one document per line.")
    ] = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show records of the outbox, the history, the journal or the dead letters.

    Starts with the last ten and goes on with what comes. The journal
    shows a turn at once; outbox, history and dead letters show what is
    committed: a turn appears with the checkpoint after it (every 1 s).

    [bold]Examples[/]

      headgate tail outbox
      headgate tail history --key order/17 --from start --no-follow
      headgate tail dead-letters -o json | jq .reason
    """
    place = read_start(start)
    if key is not None and "/" not in key and topic is not Topic.DEAD_LETTERS:
        message = f"--key {key!r} is no address: give agent type and key, such as order/{key}"
        raise AddressError(message)
    broker = find_broker(config, bootstrap)
    name = topic_name(broker.config.topic_names, topic)
    from headgate.cli.lines import cells, is_about
    from headgate.kafka.tail import Tail, alone, journaled
    from headgate.kafka.views import is_mark, view

    def wanted(record: Record) -> View | None:
        seen = view(topic.value, record)
        if is_mark(seen) and not ticks:
            return None
        return seen if key is None or is_about(topic.value, seen, key) else None

    lines = Lines()
    is_journal = topic is Topic.JOURNAL
    with (
        quiet_end(),
        Tail(
            broker.bootstrap,
            name,
            wanted,
            start=place,
            is_read_committed=not is_journal,
            unpack=journaled if is_journal else alone,
        ) as reader,
    ):
        records = reader.backlog()
        if not no_follow:
            records = chain(records, _announced(name, place), reader.follow())
        is_empty = True
        for seen in islice(records, count):
            is_empty = False
            if output is Output.JSON:
                say_json(seen)
            else:
                say(lines.render(cells(topic.value, seen)))
        if is_empty:
            about = f" about {key}" if key else ""
            typer.secho(f"no records{about} in {name}", dim=True, err=True)


def read_start(text: str) -> Start:
    """Return where to start; raises StartError."""
    if text == "start":
        return "start"
    if text == "end":
        return "end"
    if text.isdecimal():
        return int(text)
    message = f"--from {text!r}: give start, end, or a number of records, such as --from 20"
    raise StartError(message)


def topic_name(names: TopicNames, topic: Topic) -> str:
    """Return the Kafka topic's name."""
    match topic:
        case Topic.OUTBOX:
            return names.outbox
        case Topic.HISTORY:
            return names.history
        case Topic.JOURNAL:
            return names.journal
        case Topic.DEAD_LETTERS:
            return names.dead_letters


def _announced(name: str, start: Start) -> chain[View]:
    """Say on standard error that the reader waits, when its turn comes; yields nothing."""

    def announce() -> list[View]:
        match start:
            case "start":
                older = "all there is was shown"
            case "end" | 0:
                older = "--from start or --from N shows older ones"
            case int(count):
                older = f"at most the last {count} were shown, --from start shows all"
        typer.secho(f"waiting for new records in {name}; {older}; Ctrl-C ends", dim=True, err=True)
        return []

    return chain.from_iterable(announce() for _ in range(1))
