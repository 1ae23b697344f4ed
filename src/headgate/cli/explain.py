"""`headgate explain`: which turn made a value what it was."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from headgate.cli.broker import ConfigOption
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table
from headgate.cli.past import AsOfOption, HistoryOption, WaitOption, moment_of, open_history


def explain(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Agent type and key.", show_default=False)
    ],
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A value or list of its state, or customer.city or notes.0 in one. Default: all.",
            show_default=False,
        ),
    ] = "",
    *,
    as_of: AsOfOption = None,
    wait: WaitOption = 0.0,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    history: HistoryOption = None,
) -> None:
    """Show which turn made a value what it was at a moment, and what that turn came of.

    [bold]Examples[/]

      headgate explain order/17 status
      headgate explain order/17 customer.city
      headgate explain order/17 --as-of 10m -o json
    """
    from headgate.history.views import explanation_view

    read_address(address)
    with open_history(history, config) as asked:
        found = asked.explain(address, path, at_us=moment_of(as_of), wait_seconds=wait)
    seen = explanation_view(found)
    if output is Output.JSON:
        as_json(seen)
        return
    if not seen["names"]:
        answers.print(f"{plain(address)} has no values and no lists", highlight=False)
    for each in seen["names"]:
        _show(each)


def _show(told: dict[str, Any]) -> None:
    value = json.dumps(told["value"], ensure_ascii=False)
    answers.print(f"[bold]{plain(told['name'])}[/] = {plain(value[:200])}", highlight=False)
    made = told["made_by"]
    if made is None:
        answers.print(f"  by turn {told['turn']}, which retention has removed", highlight=False)
        return
    rows = [("turn", f"#{made['turn']} at {made['at']}, attempt {made['attempt']}")]
    rows += [("before", "it may have been so already")] if told.get("may_be_older") else []
    rows += [
        ("event", f"{each['id'] or '(no id)'} of {each['source']}{_place(each)}")
        for each in made["events"]
    ]
    rows += [("call", f"{made['call_ms']} ms")] if made.get("call_ms") else []
    rows += [
        (label, str(made[key]))
        for label, key in (
            ("valid at", "valid_at"), ("revision", "revision"), ("trace", "traceparent"),
("usage", "usage"), ("cost", "cost"), ("tenant", "tenant"), ("taken by", "stand_in"),
("control", "control"),
        )
        if key in made
    ]  # fmt: skip
    table(("", ""), [(label, plain(text)) for label, text in rows])


def _place(event: dict[str, Any]) -> str:
    origin = event.get("origin")
    return f", {origin['topic']}/{origin['partition']}@{origin['offset']}" if origin else ""
