"""`headgate upgrade`: another version of a running job, or the one before if it does not work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import log_as
from headgate.cli.doctor import FlinkOption
from headgate.cli.look import Output, OutputOption
from headgate.cli.upgrade_place import find_cluster, home_here
from headgate.cli.upgrade_views import tell_plan, tell_record, teller

if TYPE_CHECKING:
    from headgate.upgrade.preflight import Found
    from headgate.upgrade.record import Folder, Record
    from headgate.upgrade.site import Cluster

UNDONE, STUCK = 1, 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, as it was typed."""

    config: Path
    script: Path | None
    python: str
    pythonpath: str
    previous: Path | None
    previous_script: Path | None
    previous_python: str | None
    one_way: bool


def upgrade(
    *,
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", help="Configuration of the new version.")
    ] = Path("headgate.toml"),
    flink: FlinkOption = None,
    script: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Entry script. Default: jobs/agent_runtime.py here."),
    ] = None,
    python: Annotated[
        str,
        typer.Option(metavar="PATH", help="Python with the new version. Default: this one."),
    ] = sys.executable,
    pythonpath: Annotated[
        str, typer.Option(metavar="FOLDER", help="A folder with the new version, before others.")
    ] = "",
    back: Annotated[
        bool, typer.Option("--back", help="Back to the version before, where it is known.")
    ] = False,
    previous: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Configuration of the job that runs, where nothing is known of it.",
            show_default=False,
        ),
    ] = None,
    previous_script: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its script.", show_default=False)
    ] = None,
    previous_python: Annotated[
        str | None, typer.Option(metavar="PATH", help="Its Python.", show_default=False)
    ] = None,
    restart: Annotated[
        str,
        typer.Option(
            metavar="COMMAND",
            help="Replaces all TaskManagers of a cluster of your own, while no job runs.",
        ),
    ] = "",
    one_way: Annotated[
        bool,
        typer.Option("--one-way", help="Although the code that runs is not there any more."),
    ] = False,
    keep_task_managers: Annotated[
        bool, typer.Option("--keep-task-managers", help="Their code is the new version's already.")
    ] = False,
    savepoints: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Default: Flink's own setting.", show_default=False),
    ] = None,
    within: Annotated[
        float, typer.Option(min=1.0, help="Seconds until the new job must do its work.")
    ] = 180.0,
    watch: Annotated[
        float, typer.Option(min=0.0, help="Seconds for which it is watched then.")
    ] = 5.0,
    reemit: Annotated[
        bool,
        typer.Option("--reemit", help="The way back may write outputs twice, with the same ids."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, say what would be done, and do nothing.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop the job with a savepoint, start another version from it; if it fails, go back.

    What can be checked is checked before the job is touched. The new job must
    run, complete a checkpoint, tick, answer, and refuse nothing that was read
    before; else the old version is started again, and the reason is said.
    Run it again after it was killed: it goes on where it was.
    Exit code: 0 for the new version, 1 for the old one, 2 where no job runs.

    [bold]Examples[/]

      headgate upgrade --dry-run
      headgate upgrade
      headgate upgrade --back
      headgate upgrade --flink http://jobmanager:8081 --python /opt/headgate-2/bin/python \\
        --previous old.toml --restart "kubectl rollout restart deployment/taskmanager"
    """
    from headgate.upgrade.record import ENDS, Folder, Phase
    from headgate.upgrade.steps import retried, run, turned_back
    from headgate.upgrade.verify import Patience

    asked = Asked(
        config, script, python, pythonpath, previous, previous_script, previous_python, one_way
    )
    say = teller(quiet=output is Output.JSON)
    cluster = find_cluster(flink, restart, savepoints, Patience(within, watch), say)
    folder = Folder(cluster.home or home_here())
    with folder.locked() as lock:
        client = cluster.client._replace(keeps=(lock,))
        cluster = replace(cluster, client=client)
        record = _open_record(cluster, folder, say)
        if record is not None and record.phase is Phase.STUCK and back and not dry_run:
            record = retried(record, reemit=reemit)
        if record is None or record.phase in ENDS:
            _note(folder, record)
            found = _found(cluster, folder, asked, back, keep_task_managers)
            if dry_run:
                tell_plan(found, output)
                return
            record = _begin(cluster, folder, found, reemit)
        else:
            if dry_run:
                tell_record(record, output)
                return
            say(f"an upgrade was cut short while it was {record.phase}: going on with it")
            if back:
                record = turned_back(record, "it was asked for with --back")
        record = run(record, cluster, folder.keep, say)
        _note(folder, record)
    tell_record(record, output, back=back)
    code = {Phase.DONE: 0, Phase.STUCK: STUCK}.get(record.phase, UNDONE)
    if code:
        raise typer.Exit(code)


def _open_record(cluster: Cluster, folder: Folder, say: Callable[[str], None]) -> Record | None:
    """Return what is known of the last upgrade; nothing if its job is not what runs any more."""
    from headgate.config import load
    from headgate.upgrade.record import ENDS
    from headgate.upgrade.steps import is_overtaken

    record = folder.record()
    if record is None or record.phase in ENDS:
        return record
    # The name is the same in both; the old file may have keys that this version does not know.
    running = cluster.running(load(record.new.config).job.name)
    if not is_overtaken(record, running):
        return record
    say(
        f"an upgrade was cut short while it was {record.phase}, and job {running[0]} was started "
        "since by somebody else: it is over"
    )
    return None


def _begin(cluster: Cluster, folder: Folder, found: Found, reemit: bool) -> Record:
    from headgate.config import load
    from headgate.kafka.topics import ensure_topics
    from headgate.upgrade.record import plan

    settings = load(found.new.config)
    # The new job's script would do it, while nothing runs; a difference is told now.
    ensure_topics(settings)
    cluster.await_task_managers(settings.job.parallelism)
    old, new = folder.copied(found.old), folder.copied(found.new)
    record = plan(found.job, old, new, fresh=found.fresh, reemit=reemit)
    folder.keep(record)
    return record


def _found(
    cluster: Cluster, folder: Folder, asked: Asked, back: bool, keep_task_managers: bool
) -> Found:
    from headgate.config import load
    from headgate.upgrade.preflight import NotUpgradableError, look
    from headgate.upgrade.version import here, known

    current = folder.current()
    if back:
        if current is None or current.before is None:
            message = "nothing is known of a version before this one: name it with --config"
            raise NotUpgradableError(message)
        new = known(current.before)
    else:
        new = known(here(asked.config, asked.script or _script(), asked.python, asked.pythonpath))
    settings = load(new.config)
    log_as(settings)
    previous = None
    if asked.previous is not None:
        load(asked.previous)
        previous = known(
            here(
                asked.previous,
                asked.previous_script or asked.script or _script(),
                asked.previous_python or sys.executable,
            )
        )
    return look(
        cluster,
        settings,
        new,
        current,
        previous,
        keep_task_managers=keep_task_managers,
        one_way=asked.one_way,
    )


def _note(folder: Folder, record: Record | None) -> None:
    """Write down what runs now, and what ran before it: the way back of tomorrow. Once: a job that
    was started since is not ours to tell of.
    """
    from headgate.upgrade.record import Current, Phase

    known = folder.current()
    if record is None or (known is not None and known.job != record.old_job):
        return
    if record.phase is Phase.DONE:
        folder.keep_current(Current(record.new_job, record.new, record.old))
    elif record.phase in {Phase.UNCHANGED, Phase.WENT_BACK}:
        before = known.before if known and known.version == record.old else None
        folder.keep_current(Current(record.job, record.old, before))


def _script() -> Path:
    from headgate.cli.start import entry_script

    return entry_script()
