"""`headgate record`: past turns into a file, to be replayed as tests."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, problems
from headgate.cli.past import HistoryOption, open_history
from headgate.cli.snapshot import check_place
from headgate.cli.turns import (
    FromOption,
    KeyOption,
    ToOption,
    read_agent_type,
    read_span,
    tell_left_out,
    way_to,
)


def record(
    *,
    agent: Annotated[
        str, typer.Option("--agent", metavar="TYPE", help="Agent type.", show_default=False)
    ],
    key: KeyOption = None,
    start: FromOption = None,
    end: ToOption = None,
    file: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="Lines of JSON.", show_default=False)
    ],
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
    history: HistoryOption = None,
) -> None:
    """Write past turns into a file: the state before, what events held, and what came of each.

    The turns come from the history service, what events held from the
    topics where they stood. A turn whose events are gone from there is left
    out, and said so. The file replays in memory, as a test, with
    headgate.sim.recorded, and with headgate replay --file. It holds what
    the events and states held: keep it where these may be.

    [bold]Examples[/]

      headgate record --agent order --from 1h --file turns.jsonl
      headgate record --agent order --key 17 --key 18 --file turns.jsonl
    """
    agent_type, span = read_agent_type(agent), read_span(start, end)
    check_place(file)
    broker = find_broker(config, bootstrap)
    from headgate.replay.file import write
    from headgate.replay.selection import NoTurnsError, select

    with (
        open_history(history, config) as asked,
        select(
            asked, broker.bootstrap, broker.config, agent_type, keys=key or (), span=span
        ) as selected,
    ):
        policy = way_to(broker, agent_type, "localhost:0").policy
        with problems.status("reading turns") if problems.is_terminal else nullcontext():
            count, left_out = write(file, agent_type, policy, selected.turns)
    if output is Output.JSON:
        as_json(
            {
                "file": str(file),
                "instances": len(selected.addresses),
                "turns": count,
                "left_out": [
                    {"address": each.address, "turn": each.number, "why": each.why}
                    for each in left_out
                ],
            }
        )
    else:
        tell_left_out(left_out)
        told = f", {len(left_out):,} had to be left out" if left_out else ""
        answers.print(f"{count:,} turns in {plain(str(file))}{told}", highlight=False)
    if not count:
        message = f"no turn of {agent_type!r} could be recorded; {file} was not written"
        raise NoTurnsError(message)
