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


@instances.command("resume")
def resume(
    address: Address,
    *,
    reason: Reason = "",
    no_wait: NoWait = False,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Let a parked instance go on, its first event with all of its tries again.

    [bold]Example[/]

      headgate instances resume order/17 --reason 'agent mended'
    """
    decide(
        "resume",
        address,
        reason=reason,
        no_wait=no_wait,
        output=output,
        config=config,
        bootstrap=bootstrap,
    )


@instances.command("skip")
def skip(
    address: Address,
    *,
    reason: Reason = "",
    no_wait: NoWait = False,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Give the first waiting event of an instance up: it goes to the dead letters.

    [bold]Example[/]

      headgate instances skip order/17
    """
    decide(
        "skip",
        address,
        reason=reason,
        no_wait=no_wait,
        output=output,
        config=config,
        bootstrap=bootstrap,
    )


@instances.command("cancel")
def cancel(
    address: Address,
    *,
    reason: Reason = "",
    no_wait: NoWait = False,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Drop the turn in flight: its answer will come too late, and its events are tried again.

    [bold]Example[/]

      headgate instances cancel order/17
    """
    decide(
        "cancel",
        address,
        reason=reason,
        no_wait=no_wait,
        output=output,
        config=config,
        bootstrap=bootstrap,
    )


@instances.command("reset")
def reset(
    address: Address,
    *,
    reason: Reason = "",
    no_wait: NoWait = False,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Remove an instance's state; turns go on counting, and what waits is taken with empty state.

    [bold]Example[/]

      headgate instances reset order/17 --reason 'wrong import'
    """
    decide(
        "reset",
        address,
        reason=reason,
        no_wait=no_wait,
        output=output,
        config=config,
        bootstrap=bootstrap,
    )


@instances.command("park")
def park(
    address: Address,
    *,
    reason: Reason = "",
    no_wait: NoWait = False,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Let an instance take no more turns until it is resumed. Its events wait.

    [bold]Example[/]

      headgate instances park order/17
    """
    decide(
        "park",
        address,
        reason=reason,
        no_wait=no_wait,
        output=output,
        config=config,
        bootstrap=bootstrap,
    )
