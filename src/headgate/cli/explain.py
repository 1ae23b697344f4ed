"""`headgate explain`: which turn made a value what it was."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from headgate.cli.broker import ConfigOption
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table
from headgate.cli.past import AsOfOption, HistoryOption, WaitOption, moment_of, open_history
from headgate.errors import HeadgateError


class NoSuchNameError(HeadgateError):
    """The state has no value or list of that name at that moment.

    Operator action: `headgate state get ADDRESS` shows the names there are.
    """


def explain(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Agent type and key.", show_default=False)
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A value or list of its state. Default: all.", show_default=False
        ),
    ] = None,
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
      headgate explain order/17 --as-of 10m -o json
    """
    from headgate.history.views import state_view, turn_view

    read_address(address)
    with open_history(history, config) as asked:
        found = asked.state(address, at_us=moment_of(as_of), wait_seconds=wait)
        seen = state_view(found)
        changed: dict[str, int] = seen.get("changed", {})
        if name is not None and name not in changed:
            there = ", ".join(changed) or "none"
            message = f"{address} has no {name!r} there; its names are: {there}"
            raise NoSuchNameError(message)
        wanted = {each: turn for each, turn in changed.items() if name in {None, each}}
        turns = {
            turn: next(map(turn_view, asked.turns(address, first=turn, last=turn)), None)
            for turn in sorted(set(wanted.values()))
        }
    state = {**seen.get("lists", {}), **seen.get("values", {})}
    told = [
        {"name": each, "value": state[each], "turn": turn, "made_by": turns[turn]}
        for each, turn in wanted.items()
    ]
    if output is Output.JSON:
        as_json({"address": address, "at": seen.get("at", ""), "names": told})
        return
    for each in told:
        _show(each)


def _show(told: dict[str, Any]) -> None:
    value = json.dumps(told["value"], ensure_ascii=False)
    answers.print(f"[bold]{plain(told['name'])}[/] = {plain(value[:200])}", highlight=False)
    made = told["made_by"]
    if made is None:
        answers.print(f"  by turn {told['turn']}, which retention has removed", highlight=False)
        return
    rows = [("turn", f"#{made['turn']} at {made['at']}, attempt {made['attempt']}")]
    rows += [
        ("event", f"{each['id'] or '(no id)'} of {each['source']}{_place(each)}")
        for each in made["events"]
    ]
    rows += [("call", f"{made['call_ms']} ms")] if made.get("call_ms") else []
    rows += [
        (label, str(made[key]))
        for label, key in (
            ("valid at", "valid_at"), ("revision", "revision"), ("trace", "traceparent"),
("usage", "usage"), ("control", "control"),
        )
        if key in made
    ]  # fmt: skip
    table(("", ""), [(label, plain(text)) for label, text in rows])


def _place(event: dict[str, Any]) -> str:
    origin = event.get("origin")
    return f", {origin['topic']}/{origin['partition']}@{origin['offset']}" if origin else ""
