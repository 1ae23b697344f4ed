"""Rules about Flink's cluster: TaskManagers, slots, partitions over subtasks, settings."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from headgate.doctor.facts import Facts, Finding, Severity

TRIED = "2.3."
# One runs a part of the job, one takes over that of a TaskManager that was lost.
USEFUL_SLOTS = 2
# Flink's words for strategies that give up after some failures, or at once.
GIVES_UP = {
    "none",
    "off",
    "disable",
    "fixeddelay",
    "fixed-delay",
    "failurerate",
    "failure-rate",
}


def interpreter_shared(facts: Facts) -> Iterator[Finding]:
    """Each part of the job has a TaskManager of its own."""
    if facts.flink is None or facts.flink.job is None:
        return
    job, managers = facts.flink.job, len(facts.flink.task_managers)
    most = max(job.gates.values(), default=0)
    if most > 1 or job.parallelism > managers:
        shown = (
            f"{most} of Gate's subtasks run on one" if most > 1 else "some run none of their own"
        )
        yield Finding(
            Severity.WARNING,
            "interpreter-shared",
            f"parallelism {job.parallelism} on {managers} TaskManagers: {shown}",
            "All Python of a TaskManager shares one interpreter lock: two parts there have the "
            "throughput of one.",
            "Run as many TaskManagers as parallelism, with taskmanager.load-balance.mode: SLOTS. "
            "After a TaskManager was lost nothing moves back by itself: restart from a savepoint.",
        )


def no_standby(facts: Facts) -> Iterator[Finding]:
    """The others have room for the parts of a TaskManager that is lost."""
    if facts.flink is None or facts.kafka is None or facts.flink.job is None:
        return
    managers = facts.flink.task_managers
    if len(managers) == 1 and facts.kafka.is_local:
        return
    for lost in managers:
        # Slots of other jobs, a standby's say, are nothing that this one waits for.
        used = facts.flink.job.gates.get(lost.name, 0)
        free = sum(each.free for each in managers if each is not lost)
        if used > free:
            yield Finding(
                Severity.WARNING,
                "no-standby",
                f"if TaskManager {lost.name} is lost, the job's {used} slots there find {free} "
                "free elsewhere",
                "The job stands still until a new TaskManager has started: about 10 s, against 4 s "
                "on one that is warm (docs/benchmarks.md, outages), or longer where machines are "
                "scarce.",
                "Set taskmanager.numberOfTaskSlots: 2 and run one TaskManager more than one.",
            )
            return


def slots(facts: Facts) -> Iterator[Finding]:
    """TaskManagers have the slots that are useful, and Flink spreads the job over them."""
    if facts.flink is None:
        return
    most = max((each.slots for each in facts.flink.task_managers), default=0)
    if most > USEFUL_SLOTS:
        yield Finding(
            Severity.WARNING,
            "slots-many",
            f"TaskManagers have {most} slots",
            "Flink may put so many parts of the job on one, where they share an interpreter lock; "
            "a second slot is enough as a place for what was lost elsewhere.",
            "Set taskmanager.numberOfTaskSlots: 2, and run more TaskManagers.",
        )
    mode = facts.flink.settings.get("taskmanager.load-balance.mode", "NONE").upper()
    if most > 1 and len(facts.flink.task_managers) > 1 and mode == "NONE":
        yield Finding(
            Severity.WARNING,
            "slots-filled",
            "taskmanager.load-balance.mode is not set",
            "Flink fills one TaskManager before it uses the next: two parts of the job share an "
            "interpreter lock while another TaskManager idles.",
            "Set taskmanager.load-balance.mode: SLOTS, as flink-conf/config.yaml does.",
        )


def partitions_spread(facts: Facts) -> Iterator[Finding]:
    """Partitions are even over subtasks, and leave room to grow."""
    partitions, parallelism = facts.config.kafka.partitions, facts.config.job.parallelism
    if partitions % parallelism:
        most, least = -(-partitions // parallelism), partitions // parallelism
        even = [str(n) for n in range(1, partitions + 1) if partitions % n == 0]
        yield Finding(
            Severity.WARNING,
            "partitions-uneven",
            f"{partitions} partitions over {parallelism} subtasks: some have one more",
            f"A shard is one key group of Flink's: they have {most / least:.2g} times the load of "
            "others, and are full first.",
            f"Set job.parallelism to one of {', '.join(even[:8])}.",
        )
    elif partitions == parallelism > 1:
        yield Finding(
            Severity.WARNING,
            "partitions-full",
            f"job.parallelism is kafka.partitions, {partitions}",
            "The count is fixed for life: this job cannot grow any more.",
            "Before there is much state, start anew with more partitions (`headgate size` says how "
            "many); later, split the load by agents over two jobs.",
        )


def events_partitions(facts: Facts) -> Iterator[Finding]:
    """Every subtask of intake has something to read."""
    if facts.kafka is None:
        return
    parallelism = facts.config.job.parallelism
    for topic in facts.config.topics:
        found = facts.kafka.topics.get(topic.name)
        if found is not None and found.partitions < parallelism:
            yield Finding(
                Severity.WARNING,
                "events-few-partitions",
                f"{topic.name} has {found.partitions} partitions, job.parallelism is {parallelism}",
                "Some subtasks of intake read nothing of it, and others do their work.",
                f"Give it {parallelism} partitions; events of a key then change their partition, "
                "and with it their order, once.",
            )


def settings(facts: Facts) -> Iterator[Finding]:
    """Flink's own settings let the job come back, and keep its checkpoints where it can."""
    if facts.flink is None:
        return
    found = facts.flink.settings
    strategy = found.get("restart-strategy.type", "")
    if strategy in GIVES_UP:
        yield Finding(
            Severity.ERROR,
            "restart-strategy",
            f"restart-strategy.type is {strategy}",
            "After some failures Flink gives the job up, at night too; nothing in it is mended by "
            "giving up.",
            "Set restart-strategy.type: exponential-delay, as flink-conf/config.yaml does.",
        )
    if not facts.flink.version.startswith(TRIED):
        yield Finding(
            Severity.WARNING,
            "flink-version",
            f"Flink {facts.flink.version} runs; what was tried is {TRIED}x",
            "Thread mode, async I/O and the forms of checkpoints are measured on that one.",
            "Run Flink 2.3, and see CHANGELOG.md before another.",
        )
    folder = urlsplit(found.get("execution.checkpointing.dir", ""))
    is_far = facts.kafka is not None and not facts.kafka.is_local
    if folder.scheme == "file" and is_far:
        yield Finding(
            Severity.WARNING,
            "checkpoints-on-a-disk",
            f"checkpoints go to {folder.geturl()}",
            "If that is a disk of one machine, others cannot read it: its loss is the loss of all "
            "state. A shared mount is fine.",
            "Set execution.checkpointing.dir to an object store, or see that it is mounted on "
            "every machine.",
        )
