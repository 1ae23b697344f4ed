"""`headgate instances`: looking at instances, and what an operator decides about one of them,
journaled as a turn.
"""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli import instance_views
from headgate.cli.broker import BootstrapOption, ConfigOption
from headgate.cli.control import decide
from headgate.cli.look import Output, OutputOption

instances = typer.Typer(
    help="Look at instances, and decide about single ones.", no_args_is_help=True
)
instances.command("list")(instance_views.list_instances)
instances.command("describe")(instance_views.describe)

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="Such as order/17.", show_default=False)
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Kept in the history.", show_default=False)
]
NoWait = Annotated[
    bool, typer.Option("--no-wait", help="Do not wait until it is applied and visible.")
]


def _verb(verb: str, help_text: str, example: str) -> None:
    def run(
        address: Address,
        *,
        reason: Reason = "",
        no_wait: NoWait = False,
        output: OutputOption = Output.TABLE,
        config: ConfigOption = None,
        bootstrap: BootstrapOption = None,
    ) -> None:
        decide(
            verb,
            address,
            reason=reason,
            no_wait=no_wait,
            output=output,
            config=config,
            bootstrap=bootstrap,
        )

    example = f"headgate instances {verb} order/17 {example}".strip()
    run.__doc__ = f"{help_text}\n\n[bold]Example[/]\n\n  {example}\n"
    instances.command(verb)(run)


_verb(
    "resume",
    "Let a parked instance go on, its first event with all of its tries again.",
    "--reason 'agent mended'",
)
_verb("skip", "Give the first waiting event of an instance up: it goes to the dead letters.", "")
_verb(
    "cancel",
    "Drop the turn in flight: its answer will come too late, and its events are tried again.",
    "",
)
_verb(
    "reset",
    "Remove an instance's state; turns go on counting, and what waits is taken with empty state.",
    "--reason 'wrong import'",
)
_verb("park", "Let an instance take no more turns until it is resumed. Its events wait.", "")
