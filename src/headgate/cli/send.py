"""`headgate send`: publish events."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.look import Output
from headgate.cli.stream import Cell, Lines, quiet_end, say, say_json
from headgate.cli.typed import TypedError, text_of
from headgate.config import Config, TopicConfig
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.cli.events import Draft, Prepared
    from headgate.kafka.publish import Delivery

# Records on their way; enough to keep the broker busy, few enough to report soon.
AT_ONCE = 500


def send(
    topic: Annotated[str, typer.Argument(help="Topic to publish to.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="JSON | - | @FILE",
            help="The event's data; -: one event per line of standard input; @FILE: its documents.",
            show_default=False,
        ),
    ] = None,
    *,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="K", help="Key of the instance; may be left out if the data holds it."
        ),
    ] = None,
    event_type: Annotated[
        str | None,
        typer.Option("--type", metavar="T", help="CloudEvents type. Default: the topic's."),
    ] = None,
    event_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="CloudEvents id; a repeat is taken once."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="S", help="CloudEvents source. Default: headgate:send."),
    ] = None,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="json: one document per event.")
    ] = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Publish events, and say at which partition and offset each stands.

    An event is published in the topic's format of headgate.toml, as a
    CloudEvent where it says nothing. A document with a specversion is
    taken for a whole CloudEvent. What the job could not read is refused.

    [bold]Examples[/]

      headgate send messages --key 17 '{"text": "where is it?"}'
      headgate send messages --key 17 --id order-17-1 @message.json
      generate-events | headgate send messages -
    """
    from headgate.cli.events import Draft, EventError

    broker = find_broker(config, bootstrap)
    declared = declared_topic(broker.config, topic)
    draft = Draft(declared, broker.config.limits, key, event_type, event_id, source)
    from headgate.kafka.publish import Publisher, count_partitions

    count_partitions(broker.bootstrap, topic)  # a wrong name is told before input is read
    report = _Report(topic, output)
    with (
        quiet_end(),
        Publisher(broker.bootstrap, max_record=broker.config.limits.max_record) as publisher,
    ):
        try:
            for number, prepared in enumerate(_prepared(data, draft)):
                if number and event_id:
                    message = f"--id {event_id} names one event, but there are more; leave it out"
                    raise EventError(message)
                delivery = publisher.send(topic, prepared.key, prepared.value, prepared.headers)
                report.add(prepared, delivery)
        finally:
            report.finish()


def declared_topic(config: Config, topic: str) -> TopicConfig:
    """Return how the topic is declared; raises for Headgate's own topics."""
    if topic in config.topic_names:
        message = (
            f"{topic} is Headgate's own topic, which only the runtime writes to; events go to a "
            "topic that headgate.toml declares"
        )
        raise HeadgateError(message)
    for declared in config.topics:
        if declared.name == topic:
            return declared
    try:
        return TopicConfig(name=topic)
    except ValueError as error:
        usage = "headgate send TOPIC --key KEY DATA"
        message = f"{topic!r} is no topic name; the topic comes first: {usage}"
        raise HeadgateError(message) from error


class _Report:
    """Says where events stand, in the order they were sent."""

    def __init__(self, topic: str, output: Output) -> None:
        self._topic = topic
        self._output = output
        self._lines = Lines()
        self._waiting: deque[tuple[Prepared, Delivery]] = deque()

    def add(self, prepared: Prepared, delivery: Delivery) -> None:
        self._waiting.append((prepared, delivery))
        while self._waiting and (len(self._waiting) > AT_ONCE or self._waiting[0][1].is_done):
            self._say(*self._waiting.popleft())

    def finish(self) -> None:
        while self._waiting:
            self._say(*self._waiting.popleft())

    def _say(self, prepared: Prepared, delivery: Delivery) -> None:
        placed = delivery.wait()
        if self._output is Output.JSON:
            say_json(
                {
                    "topic": placed.topic,
                    "partition": placed.partition,
                    "offset": placed.offset,
                    "key": prepared.key,
                    "id": prepared.event_id,
                }
            )
            return
        cells = [
            Cell(placed.topic),
            Cell(f"partition {placed.partition}"),
            Cell(f"offset {placed.offset}", "green"),
            Cell(f"key {prepared.key}", "cyan"),
            Cell(f"id {prepared.event_id}" if prepared.event_id else "", "dim"),
        ]
        say(self._lines.render(cells))


def _prepared(data: str | None, draft: Draft) -> Iterator[Prepared]:
    from headgate.cli.events import EventError, documents, prepare

    if data is None and sys.stdin.isatty():
        message = "no data: give it as JSON, as @FILE, or - to read lines from standard input"
        raise EventError(message)
    if data is None or data == "-":
        is_empty = True
        for number, line in enumerate(sys.stdin, start=1):
            if not line.strip():
                continue
            is_empty = False
            try:
                yield prepare(line.rstrip("\r\n"), draft)
            except (EventError, TypedError) as error:
                message = (
                    f"standard input, line {number}: {error}; neither it nor what follows was sent"
                )
                raise EventError(message) from error
        if data is None and is_empty:
            message = "no data, and no events on standard input: give JSON, @FILE, or lines of them"
            raise EventError(message)
    elif data.startswith("@"):
        text = text_of(Path(data[1:]))
        for raw in [text] if draft.topic.format == "bytes" else documents(text):
            yield prepare(raw, draft)
    else:
        yield prepare(data, draft)
