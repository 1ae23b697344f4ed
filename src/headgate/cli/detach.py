"""`headgate agents detach`, `pause` and `resume`: an agent gets less, or nothing, or all again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.agent_views import registered
from headgate.cli.broker import BootstrapOption, Broker, ConfigOption, find_broker
from headgate.cli.draining import await_drained
from headgate.cli.look import Output, OutputOption, answers, as_json
from headgate.cli.registered import find_agent, read, write

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import AgentSpec

Name = Annotated[str, typer.Argument(metavar="NAME", help="Agent type.", show_default=False)]


def detach(
    name: Name,
    *,
    now: Annotated[
        bool,
        typer.Option(
            "--now", help="Take it out: what waits for it goes to the dead letters (unknown_agent)."
        ),
    ] = False,
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            help="Wait until nothing waits for it any more, so long at most.",
            show_default=False,
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Give an agent no new events. What waits for it is still finished: it drains.

    It stays in the list as draining until --now takes it out, or attach
    brings it back. Instances keep their state in any case. An agent that
    headgate.toml names is attached again when the job is next submitted, if
    it was taken out; one that drains goes on draining.

    [bold]Examples[/]

      headgate agents detach order
      headgate agents detach order --wait 60 && headgate agents detach order --now
    """
    if now and wait is not None:
        message = "--now waits for nothing: first --wait, then --now"
        raise typer.BadParameter(message)
    broker = find_broker(config, bootstrap)
    contents = read(broker)
    spec = find_agent(contents, name)
    if now:
        write(broker, contents, name, None)
        said = f"{name} is detached"
    elif spec.draining:
        said = f"{name} drains already; --now takes it out"
    else:
        spec.draining = True
        write(broker, contents, name, spec)
        said = f"{name} drains: it gets no new events; once nothing waits, --now takes it out"
    state = "detached" if now else "draining"
    if wait is not None:
        await_drained(broker, name, wait)
        parked = _parked_of(broker, name)
        state, said = "drained", f"{name} has drained: nothing waits for it, --now takes it out"
        if parked:
            said = (
                f"{name} has drained but for {parked} parked instances (`headgate instances list "
                "--parked`); what waits for them stays until they are resumed or skipped"
            )
    if output is Output.JSON:
        as_json({"type": name, "state": state})
    else:
        answers.print(said)


def _parked_of(broker: Broker, name: str) -> int:
    from headgate.kafka.parked import read_parked

    parked = read_parked(broker.bootstrap, broker.config.topic_names)
    return sum(address.startswith(f"{name}/") for address in parked)


def pause(
    name: Name,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Let an agent take no more turns until it is resumed. Its events wait.

    Turns that were handed to it already may still finish.

    [bold]Example[/]

      headgate agents pause order
    """
    _pause(find_broker(config, bootstrap), name, True, output)


def resume(
    name: Name,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Let a paused agent take turns again, those that waited first.

    [bold]Example[/]

      headgate agents resume order
    """
    _pause(find_broker(config, bootstrap), name, False, output)


def set_paused(broker: Broker, name: str, is_paused: bool) -> tuple[AgentSpec, bool]:
    """Pause an agent or let it go on; return it, and False if it was so already."""
    contents = read(broker)
    spec = find_agent(contents, name)
    changed = spec.paused != is_paused
    if changed:
        spec.paused = is_paused
        write(broker, contents, name, spec)
    return spec, changed


def _pause(broker: Broker, name: str, is_paused: bool, output: Output) -> None:
    spec, changed = set_paused(broker, name, is_paused)
    if output is Output.JSON:
        as_json(registered(spec))
        return
    already = "" if changed else " already"
    if is_paused:
        answers.print(f"{spec.type} is paused{already}: its events wait")
    else:
        answers.print(f"{spec.type} takes turns{already}")
