"""`headgate trace`: spans of all turns, for whoever looks at traces."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.running import run_until_ended

trace = typer.Typer(help="Spans of all turns, to an OpenTelemetry collector.", no_args_is_help=True)


@trace.command("export")
def export(
    *,
    from_start: Annotated[
        bool,
        typer.Option("--from-start", help="The first time, begin with the oldest turn kept."),
    ] = False,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Export each turn of the history as a span, over OTLP, until Ctrl-C.

    Where to stands in headgate.toml as \\[tracing], or in OpenTelemetry's
    own variables (OTEL_EXPORTER_OTLP_ENDPOINT, ...). How far it is, is kept
    in Kafka: killed at any point it goes on there, and waits for a
    collector that is away. The first time it begins with the next turn.
    One of these per job; it needs the packages of headgate\\[tracing].

    [bold]Examples[/]

      headgate trace export
      OTEL_EXPORTER_OTLP_ENDPOINT=http://otel:4317 headgate trace export
    """
    broker = find_broker(config, bootstrap)
    from headgate.tracing.collector import OtlpCollector, resource_of
    from headgate.tracing.export import SpanExport

    settings, topic = broker.config, broker.config.topic_names.history
    collector = OtlpCollector(settings.tracing)
    exporting = SpanExport(
        broker.bootstrap,
        topic,
        f"{settings.kafka.prefix}.trace-export",
        collector,
        resource_of(settings.tracing, settings.job.name),
        is_from_start=from_start,
    )
    run_until_ended([exporting], f"exporting the turns of {topic}. Ctrl-C ends it.")
