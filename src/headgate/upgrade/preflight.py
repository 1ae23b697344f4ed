"""What can be known before a running job is touched: a refusal here costs no outage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headgate.config import Config, load
from headgate.errors import HeadgateError
from headgate.kafka.errors import UnknownTopicError
from headgate.kafka.publish import count_partitions
from headgate.sealing.errors import SealError
from headgate.sealing.places import check_keys
from headgate.upgrade.differences import differences
from headgate.upgrade.record import Current
from headgate.upgrade.site import Cluster
from headgate.upgrade.version import Version
from headgate.upgrade.version import known as known_version

# Flink's setting, and the one that releases before 2 have.
SAVEPOINTS = ("execution.checkpointing.savepoint-dir", "state.savepoints.dir")


class NotUpgradableError(HeadgateError):
    """The upgrade would end where it begins, or have no way back; nothing was changed.

    Operator action: do what the message says, then try again.
    """


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be replaced, by what, and whether TaskManagers must be new.

    state: the job's, in Flink's words. missing: TaskManagers that must be started. changes: what
    differs in the configuration, a line each; None where the old one can no longer be read.
    """

    job: str
    old: Version
    new: Version
    fresh: bool
    state: str = "RUNNING"
    missing: int = 0
    changes: tuple[str, ...] | None = ()


def look(
    cluster: Cluster,
    config: Config,
    new: Version,
    known: Current | None,
    previous: Version | None,
    *,
    keep_task_managers: bool = False,
    one_way: bool = False,
) -> Found:
    """Check what an upgrade needs, without changing anything; raises NotUpgradableError.

    known: what runs by our last word. previous: the version that runs, as the operator says.
    """
    running = cluster.running(config.job.name)
    if len(running) != 1:
        message = (
            f"no job named {config.job.name} runs: submit it with `flink run` (docs/deploy.md), or "
            "start `headgate dev`. job.name must be that of the job that is to be upgraded."
            if not running
            else f"{len(running)} jobs named {config.job.name} run ({', '.join(running)}): they "
            "would write into the same topics. End all but one first."
        )
        raise NotUpgradableError(message)
    [job] = running
    old = previous or (known.version if known and known.job == job else None)
    if old is None:
        message = (
            f"nothing says what job {job} was started from, so there would be no way back. Name "
            "its configuration: --previous FILE."
        )
        raise NotUpgradableError(message)
    for name, path in (("configuration", old.config), ("entry script", new.script)):
        if not Path(path).is_file():
            message = f"the {name} {path} is not there: name another one"
            raise NotUpgradableError(message)
    present = known_version(old)
    if old.code and present.code != old.code and not one_way:
        message = (
            f"the code that job {job} was started from is not in {old.root} any more, so there "
            "would be no way back: install new versions beside old ones and name them with "
            "--python or --pythonpath. With --one-way the way back is the old configuration with "
            "the code that is there now."
        )
        raise NotUpgradableError(message)
    _check_topics(config)
    _check_sealing(config, old, one_way=one_way)
    if 0 < new.state < old.state:
        message = (
            f"the job writes state of schema version {old.state}, and Headgate {new.headgate} "
            f"reads {new.state}: it would set every instance aside that took a turn. "
            "docs/upgrades.md says how to go back further."
        )
        raise NotUpgradableError(message)
    if cluster.savepoints is None and not _savepoints(cluster):
        message = (
            "Flink has no folder for savepoints: set execution.checkpointing.savepoint-dir, or "
            "give --savepoints URL"
        )
        raise NotUpgradableError(message)
    # Unknown is not the same: who cannot tell what TaskManagers have loaded takes new ones.
    fresh = not keep_task_managers and (
        not old.code or (old.code, old.python) != (new.code, new.python)
    )
    if fresh and cluster.home is None and not cluster.restart:
        message = (
            "the code differs, or nobody knows: TaskManagers keep the modules that they have "
            "loaded, so the new job would run the old code. Give --restart COMMAND, which replaces "
            "all of them, or --keep-task-managers if only the configuration is new."
        )
        raise NotUpgradableError(message)
    return Found(
        job,
        old,
        new,
        fresh,
        cluster.state(job),
        cluster.missing(config.job.parallelism),
        _changes(old, config),
    )


def _changes(old: Version, new: Config) -> tuple[str, ...] | None:
    try:
        return tuple(differences(load(old.config), new))
    except HeadgateError:
        # Of a version with other keys: this one cannot say what they meant.
        return None


def _check_topics(config: Config) -> None:
    kafka, journal = config.kafka, config.topic_names.journal
    try:
        found = count_partitions(kafka.bootstrap, journal)
    except UnknownTopicError as error:
        message = (
            f"there is no topic {journal} at {kafka.bootstrap}: kafka.prefix and kafka.bootstrap "
            "must be those of the job that runs"
        )
        raise NotUpgradableError(message) from error
    if found != kafka.partitions:
        message = (
            f"kafka.partitions is {kafka.partitions}, and {journal} has {found}: it is fixed for "
            "life (docs/scaling.md)"
        )
        raise NotUpgradableError(message)


def _check_sealing(config: Config, old: Version, *, one_way: bool) -> None:
    try:
        check_keys(config)
    except SealError as error:
        raise NotUpgradableError(str(error)) from error
    try:
        was_sealed = load(old.config).encryption is not None
    except HeadgateError:
        # Keys that this version does not know: what the old one did with them it does again.
        return
    if was_sealed and config.encryption is None:
        message = (
            "[encryption] is gone from the configuration, and the job's state and topics are "
            "sealed: without their keys the new job would stand still. Put it back "
            "(docs/encryption.md)."
        )
        raise NotUpgradableError(message)
    if config.encryption is not None and not was_sealed and not one_way:
        message = (
            "[encryption] is new: what the new version seals the old one cannot read, so there "
            "would be no way back. Give --one-way; if it does not work then, mend it and upgrade "
            "again."
        )
        raise NotUpgradableError(message)


def _savepoints(cluster: Cluster) -> str:
    settings = cluster.rest.settings()
    return next((settings[name] for name in SAVEPOINTS if settings.get(name)), "")
