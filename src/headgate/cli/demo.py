"""`headgate demo`: real dialogues through Kafka, Flink and a gRPC agent, verified at the end."""

from __future__ import annotations

import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.look import Output, answers, as_json, problems, table
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.demo.report import Report
    from headgate.demo.stage import Stage

HOME = Path(".headgate/demo")
SEEDS = 1_000_000
STATE_SECONDS = 1.0  # how often stack.json follows restarted processes while the stack is kept


class NoDialoguesError(HeadgateError):
    """--data names no folder of dialogues.

    Operator action: name a folder with schema.json and dialogues_*.json.
    """


def demo(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of dialogues: schema.json and dialogues_*.json, in the format of "
            "Schema-Guided Dialogue. Default: a dozen that come with Headgate.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Events a second.")] = 50.0,
    parallelism: Annotated[int, typer.Option(min=1, help="Of the job: TaskManagers.")] = 1,
    kill: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND@TIME",
            help="Kill -9 a taskmanager, worker, agent or kafka so long after the first event; "
            "may be repeated.",
            show_default=False,
        ),
    ] = None,
    repeat: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Play the dialogues so often, at once. Default: once, or as often as the kills "
            "need traffic.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of the interleaving. Default: a random one.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the stack up to look around.")
    ] = False,
    home: Annotated[Path, typer.Option(help="Folder of the demo's stack, erased first.")] = HOME,
    output: Annotated[Output, typer.Option("-o", "--output")] = Output.TABLE,
) -> None:
    """Play dialogues through the whole job, kill what you like, and verify the outcome.

    Events come from Kafka, turns are taken in Flink by an agent service:
    every event must be in exactly one turn, and every state right.

    [bold]Examples[/]

      headgate demo
      headgate demo --rate 150 --kill worker@5s --kill taskmanager@10s
      headgate demo --data ~/sgd/dev --parallelism 2 -o json
    """
    from headgate.demo.kills import parse_kill
    from headgate.demo.play import Score, play
    from headgate.demo.sgd import AGENT, read_dialogues
    from headgate.demo.stage import Stage

    kills = [parse_kill(text) for text in kill or ()]
    folder = data or AGENT.parent / "data"
    dialogues = read_dialogues(folder) if folder.is_dir() else []
    if not dialogues or not (folder / "schema.json").is_file():
        message = f"{folder} has no dialogues: it needs a schema.json and dialogues_*.json"
        raise NoDialoguesError(message)
    seed = random.randrange(SEEDS) if seed is None else seed  # noqa: S311 - an order, no secret
    score = Score(dialogues, seed, rate, kills, repeat)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # `headgate down` ends it in order
    stage = Stage(home, folder / "schema.json", parallelism=parallelism, say=say)
    try:
        stage.start()
        turns = sum(t["speaker"] == "USER" for d in score.named_dialogues() for t in d["turns"])
        with progress_bar(turns, "events through,") as progress:
            report = play(stage, score, say=say, progress=progress)
        _show(report, output)
        if keep:
            _keep(stage)
    finally:
        if stage.stack.is_started:
            say("ending Flink and Kafka")
        stage.stop()
    if not report.verified:
        raise typer.Exit(1)


def say(line: str) -> None:
    """Say what goes on, beside what is asked for."""
    problems.print(line, style="dim", highlight=False)


@contextmanager
def progress_bar(total: int, what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, and nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), what, TimeElapsedColumn())
    with Progress(*columns, console=problems, disable=not problems.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _show(report: Report, output: Output) -> None:
    if output is Output.JSON:
        as_json(report.to_json())
    else:
        table(("", "found", ""), report.rows())
    for line in report.complaints():
        problems.print(line, style="red", highlight=False, markup=False)
    if output is not Output.JSON:
        told = "[green]verified[/]" if report.verified else "[bold red]not verified[/]"
        answers.print(f"{told}, seed {report.seed}")


def _keep(stage: Stage) -> None:
    where = f"--config {stage.config_path}"
    say(
        f"The stack stays up: Flink's page is {stage.stack.flink.rest_url}\n"
        f"  headgate tail outbox {where}\n"
        f"  headgate tail history {where} --from start\n"
        f"  headgate status --home {stage.stack.home}\n"
        "Ctrl-C ends it."
    )
    waiting = threading.Event()
    try:
        while not waiting.wait(STATE_SECONDS):
            stage.stack.publish_state()
    except KeyboardInterrupt:
        return
