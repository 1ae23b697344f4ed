"""`headgate workflows list`: all workflows, or those that a search finds."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from headgate.cli.broker import ConfigOption
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table
from headgate.cli.past import AsOfOption, HistoryOption, WaitOption, moment_of, open_history
from headgate.cli.stream import quiet_end


class Status(StrEnum):
    """What `--status` finds."""

    RUNNING = "running"
    PARKED = "parked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"


def list_workflows(
    *,
    status: Annotated[
        Status | None, typer.Option("--status", help="Only these.", show_default=False)
    ] = None,
    agent_type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Only of this agent.", show_default=False)
    ] = "",
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="NAME=VALUE",
            help="Only where ctx.show has told so: customer=ann. May be repeated.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, metavar="N", help="The newest, so many at most.")
    ] = 50,
    as_of: AsOfOption = None,
    wait: WaitOption = 0.0,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    history: HistoryOption = None,
) -> None:
    """List workflows, newest first: how they are, and what they wait for.

    It asks the history service, which is a second or two behind. What a
    workflow tells with ctx.show(customer="ann") can be searched for.

    [bold]Examples[/]

      headgate workflows list --status running
      headgate workflows list --where customer=ann --where phase=packing -o json
      headgate workflows list --status failed --as-of 2026-11-24T00:00:00Z
    """
    from headgate.history.conditions import read_where
    from headgate.kafka.workflow_views import ROW_VALUES, workflow_row

    tests = {f"shown.{path}": json.loads(equals) for path, equals in map(read_where, where or ())}
    if status is not None:
        # A parked one says of itself that it runs.
        told = Status.RUNNING if status is Status.PARKED else status
        tests["status"] = told.value
    with quiet_end(), open_history(history, config) as asked:
        found = asked.snapshot(
            at_us=moment_of(as_of),
            agent_type=agent_type,
            where=tests,
            only=ROW_VALUES,
            wait_seconds=wait,
        )
        rows = [row for row in map(workflow_row, found) if row is not None]
    if status is not None:
        rows = [row for row in rows if row["status"] == status.value]
    rows.sort(key=lambda row: (row.get("started", ""), row["address"]), reverse=True)
    shown = rows[:limit]
    if output is Output.JSON:
        as_json(shown)
        return
    columns = ("workflow", "status", "started", "waits for", "shown")
    table(
        columns,
        [
            (
                plain(row["address"]),
                row["status"],
                row.get("started", ""),
                plain(", ".join(row.get("waits_for", ()))),
                plain(_told(row)),
            )
            for row in shown
        ],
    )
    if len(rows) > limit:
        answers.print(f"{len(rows) - limit:,} more; --limit shows them", highlight=False)


def _told(row: dict[str, object]) -> str:
    problem = row.get("problem") or row.get("error")
    if problem:
        return str(problem)
    shown = row.get("shown")
    return ", ".join(f"{n}={v}" for n, v in shown.items()) if isinstance(shown, dict) else ""
