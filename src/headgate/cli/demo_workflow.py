"""`headgate demo-workflow`: refunds as durable workflows, killed at, and verified at the end."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli.demo import progress_bar, say
from headgate.cli.look import Output, OutputOption, answers, as_json, problems, table

if TYPE_CHECKING:
    from headgate.demo.refunds import Found

HOME = Path(".headgate/demo-workflow")
KILLS = ("worker@3s", "agent@6s", "taskmanager@9s")


def demo_workflow(
    *,
    orders: Annotated[int, typer.Option(min=1, max=10_000, help="How many refunds.")] = 40,
    rate: Annotated[float, typer.Option(min=0.1, help="Orders a second.")] = 3.0,
    kill: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND@TIME",
            help="Kill -9 a taskmanager, worker, agent or kafka so long after the first order; may "
            "be repeated. Default: worker@3s, agent@6s, taskmanager@9s.",
            show_default=False,
        ),
    ] = None,
    home: Annotated[Path, typer.Option(help="Folder of its stack, erased first.")] = HOME,
    output: OutputOption = Output.TABLE,
) -> None:
    """Refund orders by a durable workflow while things are killed, and verify each payment.

    agents/refund: each must end as it must, and pay once, though a
    worker, the agent and a TaskManager die meanwhile. Checks, a call to
    a classifier, a person's approval with reminders by timer, payment
    under a key, compensation where the notice fails.

    [bold]Examples[/]

      headgate demo-workflow
      headgate demo-workflow --orders 200 --kill kafka@5s -o json
    """
    from headgate.demo.kills import parse_kill
    from headgate.demo.refunds import Refunds

    kills = [parse_kill(text) for text in (KILLS if kill is None else kill)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    refunds = Refunds(home, orders, rate=rate, kills=kills, say=say)
    try:
        with progress_bar(orders, "refunds ended,") as progress:
            found = refunds.run(progress)
        _show(found, output)
    finally:
        if refunds.stack.is_started:
            say("ending Flink and Kafka")
        refunds.stop()
    if not found.verified:
        raise typer.Exit(1)


def _show(found: Found, output: Output) -> None:
    ends: dict[str, int] = {}
    for status, result in found.ended.values():
        end = status if result is None else result["why"]
        ends[end] = ends.get(end, 0) + 1
    shown: dict[str, Any] = {
        "orders": found.orders,
        "ended": len(found.ended),
        "ends": ends,
        "payments": len(found.paid),
        "payments_asked_for_again": found.asked_again,
        "reminders": found.reminders,
        "killed": [f"{each.victim} at {each.at_seconds:g} s" for each in found.killed],
        "seconds": round(found.seconds, 1),
        "wrong": found.wrong,
        "verified": found.verified,
    }
    if output is Output.JSON:
        as_json(shown)
        return
    rows: list[tuple[str, object]] = [("orders, each sent twice", found.orders)]
    rows += [(f"  {end}", count) for end, count in sorted(ends.items())]
    rows += [
        ("payments made", len(found.paid)),
        ("  asked for again after a crash, and not made again", found.asked_again),
        ("reminders by timer", found.reminders),
        ("killed", ", ".join(shown["killed"])),
        ("seconds", shown["seconds"]),
    ]
    table(("", "found"), rows)
    for line in found.wrong[:20]:
        problems.print(line, style="red", highlight=False, markup=False)
    answers.print("[green]verified[/]" if found.verified else "[bold red]not verified[/]")
