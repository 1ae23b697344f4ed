"""`headgate cost`: where the money went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.letter_filter import read_time
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, problems, table
from headgate.config.spelling import did_you_mean, listed
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.kafka.costs import By

cost = typer.Typer(help="Where the money went.", no_args_is_help=True)


class UnknownPartError(HeadgateError):
    """What calls cost cannot be told apart so.

    Operator action: name one of those that the message lists.
    """


@cost.callback()
def _root() -> None:
    """Take what stands before the command."""


@cost.command("report")
def report(
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="PART",
            help="tenant, agent, model, address, hour or day. Repeat for more. Default: tenant "
            "and agent.",
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="2h, or 2026-11-26T08:00:00Z.")
    ] = "1d",
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="As --since. Default: now.")
    ] = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Add up what calls cost, from the journal: those of turns that lost a race too.

    It reaches back as far as the journal is kept, a week unless that was
    changed. Times are UTC.

    [bold]Examples[/]

      headgate cost report
      headgate cost report --by day --by model --since 7d -o json
    """
    from headgate.kafka.costs import PARTS
    from headgate.kafka.costs import report as add_up
    from headgate.kafka.registry import read_costs

    parts = by or ["tenant", "agent"]
    for part in parts:
        if part not in PARTS:
            message = f"--by {part!r}{did_you_mean(part, PARTS)}; {listed(PARTS)}"
            raise UnknownPartError(message)
    now_ms = time.time_ns() // 1_000_000
    since_ms = read_time("--since", since)
    until_ms = now_ms + 1 if until is None else read_time("--until", until)
    broker = find_broker(config, bootstrap)
    names = broker.config.topic_names
    terms = read_costs(broker.bootstrap, names.registry).terms
    currency = terms.currency
    with _Bar() as bar:
        found = add_up(
            broker.bootstrap,
            names.journal,
            broker.config.kafka.partitions,
            cast("tuple[By, ...]", tuple(parts)),
            since_ms=since_ms,
            until_ms=until_ms,
            progress=bar,
        ).views()
    if found and not terms.prices and not any(row["cost"] != "0" for row in found):
        problems.print(
            "No prices are known, so nothing costs anything: name them as [[cost.prices]] in "
            "headgate.toml and start the job anew (docs/cost.md)",
            markup=False,
            highlight=False,
        )
    if output is Output.JSON:
        as_json({"currency": currency, "rows": found})
    elif not found:
        answers.print("No call was journaled in this time.")
    else:
        columns = (*parts, "calls", "cost", "failed_cost", "input_tokens", "output_tokens")
        headings = [f"{each} ({currency})" if each == "cost" else each for each in columns]
        table(headings, [[plain(str(row[each])) for each in columns] for row in found])


class _Bar:
    """A bar on a terminal, nothing in a pipe."""

    def __enter__(self) -> _Bar:
        from rich.progress import Progress

        self._progress = Progress(
            console=problems, disable=not problems.is_terminal, transient=True
        )
        self._task: Any = self._progress.add_task("Reading the journal", total=None)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int) -> None:
        if done % 1_000 == 0 or done == total:
            self._progress.update(self._task, completed=done, total=total)
