"""Every rule: a healthy deployment gives nothing, one fault gives its rule and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from headgate.config import Config, KafkaConfig, loads
from headgate.doctor import (
    cluster_rules,
    job_rules,
    replica_rules,
    security_rules,
    service_rules,
    time_rules,
    topic_rules,
)
from headgate.doctor.facts import (
    Clock,
    Endpoint,
    Facts,
    Finding,
    Flink,
    Job,
    Kafka,
    RestorePoint,
    Service,
    Severity,
    TaskManager,
    Topic,
)
from headgate.doctor.rules import RULES, diagnose, exit_code
from headgate.kafka.topics import plan_topics

MODULES = (
    cluster_rules,
    job_rules,
    replica_rules,
    security_rules,
    service_rules,
    time_rules,
    topic_rules,
)

TOML = """
[kafka]
security_protocol = "SSL"
partitions = 8
replication = 3
[job]
parallelism = 2
[[topics]]
name = "orders"
{rest}
"""

SETTINGS = {
    "taskmanager.load-balance.mode": "SLOTS",
    "restart-strategy.type": "exponential-delay",
    "execution.checkpointing.incremental": "true",
    "execution.checkpointing.dir": "s3://flink/checkpoints",
}


def config_of(rest: str = "", **job: str) -> Config:
    """A configuration of three brokers' worth, with other keys of [job]."""
    text = TOML.format(rest=rest)
    for key, value in job.items():
        text = text.replace("parallelism = 2", f"parallelism = 2\n{key} = {value}")
    return loads(text)


def topic_of(name: str, partitions: int, settings: dict[str, str]) -> Topic:
    return Topic(name, partitions, 3, 3, 0, {"min.insync.replicas": "2"} | settings)


def on(*gates: int) -> dict[str, int]:
    """So many of Gate's subtasks on each TaskManager."""
    return {f"tm-{number}": count for number, count in enumerate(gates)}


def healthy() -> Facts:
    """Three brokers elsewhere, two TaskManagers, one to spare, everything well."""
    config = config_of()
    topics = {
        plan.name: topic_of(plan.name, plan.partitions, {**plan.needed, **plan.initial})
        for plan in plan_topics(config)
    }
    job = Job(
        id="4f2a",
        state="RUNNING",
        parallelism=2,
        interval_seconds=1.0,
        state_backend="EmbeddedRocksDBStateBackend",
        storage="FileSystemCheckpointStorage",
        keeps_checkpoints=True,
        attempts=("COMPLETED",) * 10,
        slowest_seconds=0.04,
        gates=on(1, 1),
    )
    managers = tuple(TaskManager(f"tm-{n}", slots=2, free=1) for n in range(2))
    return Facts(
        config=config,
        kafka=Kafka(
            brokers=3,
            is_local=False,
            topics=topics,
            settings={
                "transaction.max.timeout.ms": "900000",
                "transaction.state.log.replication.factor": "3",
            },
            job_topics=("orders",),
        ),
        flink=Flink("2.3.0", managers, SETTINGS, job),
        restore_points=(
            RestorePoint("s3://flink/checkpoints/4f2a/chk-7", 1.0, is_savepoint=False),
            RestorePoint("s3://flink/savepoints/a", 86_400.0, is_savepoint=True),
        ),
        clocks=(Clock("the Kafka broker", -0.02), Clock("Flink's JobManager", 0.0)),
        endpoints=(Endpoint("order", "order.internal:7070", ""),),
        services=(Service("redis", "redis://r:6379/0", "", {"maxmemory-policy": "noeviction"}),),
    )


Change = Callable[[Facts], Facts]


def job(**changed: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert facts.flink is not None and facts.flink.job is not None
        return replace(facts, flink=replace(facts.flink, job=replace(facts.flink.job, **changed)))

    return change


def flink(**changed: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert facts.flink is not None
        return replace(facts, flink=replace(facts.flink, **changed))

    return change


def flink_setting(name: str, value: str) -> Change:
    return flink(settings={**SETTINGS, name: value})


def kafka(**changed: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert facts.kafka is not None
        return replace(facts, kafka=replace(facts.kafka, **changed))

    return change


def topic(name: str, **changed: Any) -> Change:
    """Change a topic; a keyword with __ is a setting, a topic without keywords is away."""

    def change(facts: Facts) -> Facts:
        assert facts.kafka is not None
        topics = dict(facts.kafka.topics)
        found = topics.pop(name)
        if changed:
            settings = {k.replace("__", "."): v for k, v in changed.items() if "__" in k}
            rest = {k: v for k, v in changed.items() if "__" not in k}
            topics[name] = replace(found, **rest, settings={**found.settings, **settings})
        return replace(facts, kafka=replace(facts.kafka, topics=topics))

    return change


def with_config(config: Config) -> Change:
    return lambda facts: replace(facts, config=config)


def managers(*slots: tuple[int, int]) -> tuple[TaskManager, ...]:
    return tuple(TaskManager(f"tm-{n}", *each) for n, each in enumerate(slots))


def points(*ages: tuple[float, bool]) -> Change:
    found = tuple(RestorePoint(f"s3://p/{n}", *each) for n, each in enumerate(ages))
    return lambda facts: replace(facts, restore_points=found)


def clock(ahead: float) -> Change:
    return lambda facts: replace(facts, clocks=(Clock("the Kafka broker", ahead),))


def endpoints(*found: Endpoint) -> Change:
    return lambda facts: replace(facts, endpoints=found)


def services(**changed: Any) -> Change:
    one = Service("redis", "redis://r:6379/0", "")
    return lambda facts: replace(facts, services=(replace(one, **changed),))


ERROR, WARNING = Severity.ERROR, Severity.WARNING
WEEK, DAY = 7 * 86_400.0, 86_400.0
AWAY = Service("kafka", "b:9092", "no Kafka broker answers at b:9092")
FINE = Endpoint("order", "a:1", "")
GONE = Endpoint("order", "b:1", "not reachable")

# A name to read in the test's report, the fault, the rule that tells it, what it mentions.
CASES: list[tuple[str, Change, str, Severity, str]] = [
    (
        "history stands",
        services(name="history", waits="no key named k2"),
        "history-stands",
        ERROR,
        "k2",
    ),
    ("kafka away", lambda f: replace(f, away=(AWAY,)), "kafka-away", ERROR, "b:9092"),
    ("restarting", job(state="RESTARTING", failures=("boom",)), "job-state", ERROR, "boom"),
    ("restarts", job(failures=("boom",) * 3), "job-restarts", WARNING, "3 times"),
    (
        "newest checkpoint failed",
        job(attempts=("FAILED", "COMPLETED")),
        "checkpoints-failing",
        ERROR,
        "1 of the last 2",
    ),
    (
        "many checkpoints failed",
        job(attempts=("COMPLETED", *["FAILED"] * 3)),
        "checkpoints-failing",
        WARNING,
        "3 of the last 4",
    ),
    ("slow checkpoints", job(slowest_seconds=3.5), "checkpoints-slow", WARNING, "3.5 s"),
    ("another interval", job(interval_seconds=5.0), "job-differs", WARNING, "interval"),
    ("another parallelism", job(parallelism=1), "job-differs", WARNING, "job.parallelism is 2"),
    ("heap", job(state_backend="HashMapStateBackend"), "state-on-the-heap", WARNING, "HashMap"),
    (
        "whole checkpoints",
        flink_setting("execution.checkpointing.incremental", "false"),
        "checkpoints-whole",
        WARNING,
        "incremental",
    ),
    (
        "checkpoints in memory",
        job(storage="JobManagerCheckpointStorage"),
        "checkpoints-in-memory",
        ERROR,
        "memory",
    ),
    (
        "checkpoints deleted",
        job(keeps_checkpoints=False),
        "checkpoints-deleted",
        WARNING,
        "cancelled",
    ),
    ("no journal", topic("headgate.journal"), "topic-missing", ERROR, "headgate.journal"),
    (
        "create time",
        topic("headgate.journal", message__timestamp__type="CreateTime"),
        "topic-settings",
        ERROR,
        "message.timestamp.type=CreateTime",
    ),
    (
        "partitions",
        topic("headgate.inbox", partitions=4),
        "topic-settings",
        ERROR,
        "has 4 partitions",
    ),
    (
        "narrow",
        topic("headgate.outbox", max__message__bytes="1000"),
        "topic-narrow",
        ERROR,
        "max.message.bytes=1000",
    ),
    ("no leader", topic("orders", leaderless=1), "not-writable", ERROR, "without leader"),
    ("out of sync", topic("orders", in_sync=1), "not-writable", ERROR, "1 in sync"),
    ("one behind", topic("orders", in_sync=2), "under-replicated", WARNING, "2 in sync"),
    (
        "all in sync",
        topic("orders", min__insync__replicas="3"),
        "min-isr-all",
        WARNING,
        "min.insync.replicas=3",
    ),
    (
        "one in sync",
        topic("headgate.journal", min__insync__replicas="1"),
        "min-isr-one",
        WARNING,
        "min.insync.replicas=1",
    ),
    (
        "one replica",
        topic("headgate.history", replicas=1, in_sync=1, min__insync__replicas="1"),
        "one-replica",
        WARNING,
        "headgate.history",
    ),
    (
        "transaction log",
        kafka(
            settings={
                "transaction.max.timeout.ms": "900000",
                "transaction.state.log.replication.factor": "1",
            }
        ),
        "one-replica",
        WARNING,
        "transaction.state.log",
    ),
    (
        "plaintext",
        lambda facts: with_config(
            facts.config.model_copy(update={"kafka": KafkaConfig(partitions=8, replication=3)})
        )(facts),
        "kafka-readable",
        WARNING,
        "PLAINTEXT, without TLS",
    ),
    ("unread", kafka(job_topics=()), "topic-unread", WARNING, "orders"),
    (
        "wide events",
        topic("orders", max__message__bytes="9000000"),
        "events-wide",
        WARNING,
        "9000000",
    ),
    (
        "compacted events",
        topic("orders", cleanup__policy="compact,delete"),
        "events-compacted",
        WARNING,
        "orders",
    ),
    (
        "broker's timeout",
        kafka(settings={"transaction.max.timeout.ms": "300000"}),
        "transaction-timeout-broker",
        ERROR,
        "allows 5m",
    ),
    (
        "short transactions",
        with_config(config_of(transaction_timeout='"30s"')),
        "transaction-timeout-short",
        WARNING,
        "30 s",
    ),
    (
        "transactions shorter than a checkpoint",
        lambda f: with_config(config_of(transaction_timeout='"90s"', checkpoint_interval='"60s"'))(
            job(interval_seconds=60.0, slowest_seconds=45.0)(f)
        ),
        "transaction-timeout-short",
        ERROR,
        "45 s long",
    ),
    ("old checkpoint", points((700.0, False)), "checkpoint-old", ERROR, "11.7 min"),
    ("nothing to restore", points((8 * DAY, True)), "retention-restore", ERROR, "every"),
    (
        "an old savepoint",
        points((1.0, False), (8 * DAY, True)),
        "retention-restore",
        WARNING,
        "s3://p/1 (8 days)",
    ),
    (
        "short retention",
        topic("orders", retention__ms="3600000"),
        "retention-short",
        WARNING,
        "orders keeps 60 min",
    ),
    (
        "bounded by size",
        topic("headgate.journal", retention__bytes="1000"),
        "retention-bytes",
        WARNING,
        "retention.bytes=1000",
    ),
    ("a clock ahead", clock(1.2), "clock-skew", WARNING, "1.2 s ahead of"),
    ("a clock far behind", clock(-61.0), "clock-skew", ERROR, "61.0 s behind"),
    (
        "two gates on one",
        lambda f: job(gates=on(2))(flink(task_managers=managers((2, 0), (2, 2)))(f)),
        "interpreter-shared",
        WARNING,
        "2 of Gate's",
    ),
    (
        "no place to go",
        flink(task_managers=managers((1, 0), (1, 0))),
        "no-standby",
        WARNING,
        "tm-0",
    ),
    (
        "many slots",
        flink(task_managers=managers((4, 3), (4, 3))),
        "slots-many",
        WARNING,
        "4 slots",
    ),
    (
        "slots are filled",
        flink_setting("taskmanager.load-balance.mode", "NONE"),
        "slots-filled",
        WARNING,
        "load-balance",
    ),
    (
        "uneven",
        lambda f: job(parallelism=3, gates=on(1, 1, 1))(
            flink(task_managers=managers((2, 1), (2, 1), (2, 1)))(
                replace(f, config=loads(TOML.format(rest="").replace("ism = 2", "ism = 3")))
            )
        ),
        "partitions-uneven",
        WARNING,
        "8 partitions over 3",
    ),
    (
        "no room to grow",
        lambda f: job(parallelism=8, gates=on(*(1,) * 8))(
            flink(task_managers=managers(*[(2, 1)] * 8))(
                replace(f, config=loads(TOML.format(rest="").replace("ism = 2", "ism = 8")))
            )
        ),
        "partitions-full",
        WARNING,
        "8",
    ),
    ("few partitions", topic("orders", partitions=1), "events-few-partitions", WARNING, "orders"),
    *(
        (
            f"gives up: {strategy}",
            flink_setting("restart-strategy.type", strategy),
            "restart-strategy",
            ERROR,
            strategy,
        )
        for strategy in ("none", "off", "disable", "fixed-delay", "failure-rate", "failurerate")
    ),
    (
        "no keys",
        lambda f: replace(f, keys="encryption.keys file:/run/keys: cannot be read"),
        "keys-away",
        ERROR,
        "/run/keys",
    ),
    ("another Flink", flink(version="1.20.1"), "flink-version", WARNING, "1.20.1"),
    (
        "a disk",
        flink_setting("execution.checkpointing.dir", "file:///var/flink"),
        "checkpoints-on-a-disk",
        WARNING,
        "/var/flink",
    ),
    ("agent away", endpoints(GONE), "agent-away", ERROR, "b:1 not reachable"),
    ("one of two away", endpoints(FINE, GONE), "agent-away", WARNING, "b:1 not reachable"),
    (
        "loopback",
        endpoints(Endpoint("order", "localhost:7070", "")),
        "agent-on-loopback",
        WARNING,
        "localhost:7070",
    ),
    ("redis away", services(problem="refused"), "redis-away", ERROR, "refused"),
    (
        "redis evicts",
        services(settings={"maxmemory-policy": "allkeys-lru"}),
        "redis-evicts",
        WARNING,
        "allkeys-lru",
    ),
]


def test_a_healthy_deployment_gives_nothing() -> None:
    assert diagnose(healthy()) == []
    assert exit_code([]) == 0


@pytest.mark.parametrize(
    ("change", "rule", "severity", "said"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_fault_is_named_and_nothing_else(
    change: Change, rule: str, severity: Severity, said: str
) -> None:
    [found] = diagnose(change(healthy()))
    assert (found.rule, found.severity) == (rule, severity)
    assert said in found.what
    assert found.why.endswith(".")
    assert found.cure.endswith(".")
    assert exit_code([found]) == (2 if severity is ERROR else 1)


def written_in(module: ModuleType) -> set[str]:
    """The names of a module's rules, as they are written: the second argument of a Finding."""
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
            name = node.args[1]
            names.add(str(name.value) if isinstance(name, ast.Constant) else "<part>-away")
    return names


def test_every_rule_has_a_case_and_is_asked() -> None:
    written = set().union(*(written_in(module) for module in MODULES))
    assert written - {"<part>-away"} == {case[2] for case in CASES} - {"kafka-away", "redis-away"}
    public = {
        function
        for module in MODULES
        for name, function in vars(module).items()
        if not name.startswith("_") and getattr(function, "__module__", "") == module.__name__
    }
    assert public == set(RULES)


def test_the_page_names_every_rule_and_no_other() -> None:
    page = Path(__file__).parents[3] / "docs" / "scaling.md"
    table = page.read_text("utf-8").partition("| about | rules |")[2].partition("\n\n")[0]
    named = re.findall(r"`([\w-]+)`", table)
    assert sorted(named) == sorted({case[2] for case in CASES} | {"flink-away", "history-away"})


def test_errors_come_first() -> None:
    changed = endpoints(FINE, GONE)(job(state="FAILED")(healthy()))
    assert [each.severity for each in diagnose(changed)] == [ERROR, WARNING]


def test_parts_that_are_missing_cost_their_own_rules_only() -> None:
    facts = replace(endpoints(GONE)(healthy()), kafka=None, flink=None, restore_points=())
    assert [each.rule for each in diagnose(facts)] == ["agent-away"]
    assert diagnose(Facts(config_of())) == []


def test_slots_of_another_job_need_no_place_elsewhere() -> None:
    # The other job's TaskManager is full: it is a standby, which may be lost.
    crowded = flink(task_managers=managers((2, 1), (2, 1), (2, 0)))(healthy())
    assert diagnose(crowded) == []


def test_a_laptop_needs_no_spare_parts() -> None:
    facts = kafka(is_local=True, brokers=1)(healthy())
    facts = flink(task_managers=managers((1, 0)))(facts)
    facts = job(parallelism=1, gates=on(1))(facts)
    facts = replace(facts, config=loads("[kafka]\npartitions = 8\n"))
    single: dict[str, Any] = {"replicas": 1, "in_sync": 1, "min__insync__replicas": "1"}
    for name in list(facts.kafka.topics) if facts.kafka else []:
        facts = topic(name, **single)(facts)
    assert diagnose(facts) == []


def test_an_agent_that_is_paused_may_be_away() -> None:
    assert diagnose(endpoints(replace(GONE, is_paused=True))(healthy())) == []


def test_a_warning_is_no_error() -> None:
    found = Finding(WARNING, "rule", "what", "why", "cure")
    assert exit_code([found]) == 1
    assert exit_code([found, replace(found, severity=ERROR)]) == 2
