"""`headgate`: the command line; each noun has its module and is registered here."""

import sys
from enum import Enum
from importlib import metadata
from typing import Annotated, Any

import typer

from headgate import logs
from headgate.cli import (
    agents,
    ask,
    budgets,
    cost,
    dead_letters,
    demo,
    demo_workflow,
    dev,
    doctor,
    door,
    explain,
    history,
    instances,
    job,
    query,
    record,
    redis,
    repair,
    replay,
    schedules,
    send,
    signal,
    size,
    state,
    tail,
    trace,
    ui,
    upgrade,
    workflows,
)
from headgate.cli.look import problems
from headgate.errors import HeadgateError


class LogFormat(Enum):
    """What logs look like."""

    TEXT = logs.TEXT
    JSON = logs.JSON


app = typer.Typer(
    name="headgate",
    help="Run AI agents as one stateful stream job.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(dev.dev)
app.command()(demo.demo)
app.command("demo-workflow")(demo_workflow.demo_workflow)
app.command()(dev.down)
app.command()(dev.status)
app.command()(doctor.doctor)
app.command()(size.size)
app.command()(upgrade.upgrade)
app.command()(send.send)
app.command()(ask.ask)
app.command()(query.query)
app.command()(signal.signal)
app.command()(tail.tail)
app.command()(explain.explain)
app.command()(record.record)
app.command()(replay.replay)
app.command()(door.door)
app.command()(ui.ui)
app.command()(repair.repair)
app.add_typer(agents.agents, name="agents")
app.add_typer(instances.instances, name="instances")
app.add_typer(workflows.workflows, name="workflows")
app.add_typer(state.state, name="state")
app.add_typer(history.history, name="history")
app.add_typer(redis.redis, name="redis")
app.add_typer(schedules.schedules, name="schedules")
app.add_typer(dead_letters.dead_letters, name="dead-letters")
app.add_typer(budgets.budgets, name="budgets")
app.add_typer(cost.cost, name="cost")
app.add_typer(job.job, name="job")
app.add_typer(trace.trace, name="trace")


def _say_version(*, is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"headgate {metadata.version('headgate')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            callback=lambda is_asked: _say_version(is_asked=is_asked),
            is_eager=True,
        ),
    ] = False,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(
            "--log-format",
            help="How this command and what it starts log. Default: headgate.toml's, else text.",
            envvar=logs.VARIABLE,
            case_sensitive=False,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Take what stands before the command."""
    if log_format is not None:
        logs.configure(log_format.value)


def main() -> None:
    """Run the command line; an expected error is a paragraph and exit code 1, no traceback."""
    command = typer.main.get_command(app)
    _tidy(command)
    try:
        command()
    except HeadgateError as error:
        problems.print(f"[bold red]headgate:[/] {_escaped(error)}", highlight=False)
        sys.exit(1)


def _tidy(command: Any) -> None:
    """Let help show no type where there is none to type: `--force <bool>` reads as if there was."""
    for param in command.params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
    for each in getattr(command, "commands", {}).values():
        _tidy(each)


def _escaped(error: HeadgateError) -> str:
    from rich.markup import escape

    return escape(str(error))


if __name__ == "__main__":
    main()
