"""What `headgate upgrade` says: steps as they are taken, a plan, an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from time import monotonic
from typing import TYPE_CHECKING

from headgate.cli.look import Output, answers, as_json, plain

if TYPE_CHECKING:
    from headgate.upgrade.preflight import Found
    from headgate.upgrade.record import Record

Say = Callable[[str], None]


def teller(*, quiet: bool) -> Say:
    """Return what tells each step, with the seconds since now."""
    started = monotonic()

    def say(text: str) -> None:
        if not quiet:
            answers.print(f"[dim]{monotonic() - started:6.1f} s[/]  {plain(text)}", highlight=False)

    return say


def tell_plan(found: Found, output: Output) -> None:
    """Say what an upgrade would do."""
    told = {"dry_run": True, **asdict(found)}
    if output is Output.JSON:
        as_json(told)
        return
    if found.state != "RUNNING":
        answers.print(
            f"[yellow]job {found.job} is {found.state}[/]: only a job that runs can be stopped "
            "with a savepoint; `headgate doctor` says why it does not.",
            highlight=False,
        )
    steps = [
        *([f"have {found.missing} more registered TaskManagers"] if found.missing else []),
        f"stop job {found.job} with a savepoint",
        *(["replace the TaskManagers"] if found.fresh else []),
        f"start {found.new.script} with {found.new.config} from it",
        "wait until it runs, completes a checkpoint, ticks and answers",
        f"or go back to {found.old.config}, Headgate {found.old.headgate or '?'}",
    ]
    versions = f"Headgate {found.old.headgate or '?'} (state {found.old.state or '?'})"
    answers.print(
        f"from {versions} to {found.new.headgate} (state {found.new.state}); would do:",
        highlight=False,
    )
    for number, step in enumerate(steps, 1):
        answers.print(f"  {number}. {plain(step)}", highlight=False)
    answers.print(plain(_told_changes(found)), highlight=False)


def _told_changes(found: Found) -> str:
    code = "the same code" if found.old.code == found.new.code else "other code"
    if found.changes is None:
        return f"{code}; the old configuration has keys that this version does not know"
    if not found.changes:
        return f"{code}, the same configuration"
    return "\n".join([f"{code}, and in the configuration:", *(f"  {c}" for c in found.changes)])


def tell_record(record: Record, output: Output, *, back: bool = False) -> None:
    """Say where an upgrade stands, or how it ended; back: to the version before was asked for."""
    if output is Output.JSON:
        as_json({**asdict(replace(record, marks=())), "job": record.job})
        return
    match record.phase.value:
        case "done":
            did = "went back to the version before" if back else "upgraded"
            text = f"[bold green]{did}[/]: job {record.job}, from {plain(record.savepoint)}"
        case "unchanged":
            text = f"[bold yellow]unchanged[/], job {record.job} goes on: {plain(record.why)}"
        case "went back":
            text = (
                f"[bold yellow]went back[/]: job {record.job} is the old version, from "
                f"{plain(record.back_from)}. The new one: {plain(record.why)}"
            )
        case "stuck":
            text = (
                f"[bold red]no job runs[/]: {plain(record.why)}\n"
                f"The old version's savepoint is {plain(record.savepoint)}, its configuration "
                f"{plain(record.old.config)}. `headgate upgrade --back` tries once more; "
                "docs/upgrades.md, *Neither runs*."
            )
        case phase:
            text = f"an upgrade is {phase}: `headgate upgrade` goes on with it"
    answers.print(text, highlight=False)
