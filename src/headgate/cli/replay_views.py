"""What people see of a replay: how far it is, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headgate.cli.look import answers, plain, problems, table
from headgate.cli.turns import tell_left_out

if TYPE_CHECKING:
    from headgate.replay.report import InstanceReport, Report

FIRST_CHARS = 300
NAMED = 5


@contextmanager
def bar(instances: int) -> Iterator[Callable[[Report], None]]:
    """Show on a terminal how many instances are done and turns differ; nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    turns = TextColumn(
        "instances, {task.fields[turns]:,} turns, {task.fields[different]:,} different,"
    )
    columns = (BarColumn(), MofNCompleteColumn(), turns, TimeElapsedColumn())
    with Progress(*columns, console=problems, disable=not problems.is_terminal) as progress:
        task = progress.add_task("", total=instances, turns=0, different=0)
        yield lambda report: progress.update(
            task, completed=report.done, turns=report.turns, different=report.different
        )


def show(report: Report, *, carries: bool) -> None:
    """Show each instance, and the sums."""
    tell_left_out(report.left_out)
    rows = [_row(each) for each in report.instances if each.turns]
    if rows:
        table(("instance", "turns", "same", "different", "first difference"), rows)
    again = [plain(each.address) for each in report.instances if each.fresh]
    if carries and again:
        names = ", ".join(again[:NAMED]) + (", ..." if len(again) > NAMED else "")
        answers.print(
            f"[yellow]Where turns are missing the recorded state was taken up again:[/] {names}",
            highlight=False,
        )
    old, new = (
        plain(", ".join(sorted(each)) or "?")
        for each in (report.recorded_revisions, report.replayed_revisions)
    )
    left = f", {len(report.left_out):,} left out" if report.left_out else ""
    not_put = sum(each.not_put for each in report.instances)
    left += f"; {not_put:,} not put: decisions, and attempts that took nothing" if not_put else ""
    answers.print(
        f"{report.turns:,} turns of revision {old} put to {new}: "
        f"{report.turns - report.different:,} the same, {report.different:,} different{left}",
        highlight=False,
    )


def _row(instance: InstanceReport) -> tuple[str, str, str, str, str]:
    first = instance.differing[0] if instance.differing else None
    what = "" if first is None else f"turn {first.turn}: {first.differences[0]}"
    counts = (f"{instance.turns:,}", f"{instance.same:,}", f"{len(instance.differing):,}")
    return (plain(instance.address), *counts, plain(what[:FIRST_CHARS]))
