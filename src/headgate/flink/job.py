"""The job's graph: sources -> intake -> Gate -> Invoke, Gate -> sinks. See
`docs/architecture.md`.
"""

from __future__ import annotations

from typing import Any

from pyflink.common import Time
from pyflink.datastream import (
    AsyncDataStream,
    DataStream,
    KeyedStream,
    OutputTag,
    StreamExecutionEnvironment,
)
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from headgate.config import Config
from headgate.core.decode import TopicRule
from headgate.flink import settings, sinks, sources
from headgate.flink.gate import DEAD_LETTERS, HISTORY, OUTBOX, Gate, GateSettings
from headgate.flink.intake import REFUSED, Intake
from headgate.flink.invoke import Invoke, InvokeSettings
from headgate.flink.rows import BYTES, KEY_TYPE, KEYED_ROW


def build_job(env: StreamExecutionEnvironment, config: Config) -> None:
    """Build the whole job on an environment; `env.execute` runs it.

    The topics must be there (`headgate.kafka.topics.ensure_topics`).
    """
    settings.apply(env, config)
    tables = StreamTableEnvironment.create(env)
    tables.get_config().set_local_timezone("UTC")
    names = config.topic_names
    bootstrap = config.kafka.bootstrap
    group = config.job.name

    records = sources.records(
        tables,
        bootstrap=bootstrap,
        topics=[*(topic.name for topic in config.topics), names.inbox],
        group=group,
    )
    intake = (
        records.process(Intake(_rules(config), names.inbox), output_type=KEYED_ROW)
        .name("intake")
        .uid("intake")
    )
    journal = sources.journal(
        tables,
        bootstrap=bootstrap,
        topic=names.journal,
        partitions=config.kafka.partitions,
        group=group,
    )
    gate_settings = GateSettings(
        bootstrap=bootstrap,
        registry=names.registry,
        journal=names.journal,
        tick_keys=_tick_keys(env),
    )
    gate = (
        _by_address(intake)
        .connect(_by_address(journal))
        .process(Gate(gate_settings), output_type=BYTES)
        .name("gate")
        .uid("gate")
    )
    _invoke(env, gate, config)
    letters = _aside(gate, DEAD_LETTERS).union(_aside(intake, REFUSED))
    for name, stream, topic in (
        ("outbox", _aside(gate, OUTBOX), names.outbox),
        ("history", _aside(gate, HISTORY), names.history),
        ("dead-letters", letters, names.dead_letters),
    ):
        sinks.exactly_once(
            stream,
            name,
            bootstrap=bootstrap,
            topic=topic,
            prefix=config.job.name,
            timeout_ms=int(config.job.transaction_timeout.total_seconds() * 1000),
        )


def _invoke(env: StreamExecutionEnvironment, gate: DataStream, config: Config) -> None:
    invoke = InvokeSettings(
        bootstrap=config.kafka.bootstrap,
        journal=config.topic_names.journal,
        partitions=config.kafka.partitions,
        linger_ms=config.job.bundle_ms / 2,
        concurrency=config.limits.endpoint_concurrency,
        queue_bytes=config.limits.endpoint_queue,
        record_bytes=config.limits.max_record,
    )
    with settings.process_mode(env):
        AsyncDataStream.unordered_wait(
            gate,
            Invoke(invoke),
            # 0: no timeout. Any other number would cost a thread per record; deadlines are
            # Invoke's own.
            Time.milliseconds(0),
            # Requests are done at once, so the bound is never reached.
            capacity=10_000,
            output_type=BYTES,
        ).disable_chaining().name("invoke").uid("invoke")


def _by_address(stream: DataStream) -> KeyedStream:
    """Key rows (address, row) by their first field with PyFlink's own Java selector.

    `DataStream.key_by` would call Python once more for every record.
    """
    selector = get_gateway().jvm.KeyByKeySelector()
    j_keyed = stream._j_data_stream.keyBy(selector, KEY_TYPE.get_java_type_info())
    return KeyedStream(j_keyed, None, stream)


def _aside(stream: DataStream, tag: OutputTag) -> DataStream:
    """Take a side output as it is.

    `DataStream.get_side_output` puts an identity function in Python behind it: one more entry into
    Python for every record of every turn.
    """
    return DataStream(stream._j_data_stream.getSideOutput(tag.get_java_output_tag()))


def _rules(config: Config) -> dict[str, list[TopicRule]]:
    return {
        topic.name: [
            TopicRule(
                agent_type=agent,
                format=topic.format,
                key=topic.key,
                type=topic.event_type,
                max_bytes=config.limits.max_record,
            )
            for agent in config.agents_for(topic.name)
        ]
        for topic in config.topics
    }


def _tick_keys(env: StreamExecutionEnvironment) -> tuple[str, ...]:
    """Find, for each Gate subtask, a key that Flink hands to it: ticks are addressed so."""
    jvm: Any = get_gateway().jvm
    assign = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignKeyToParallelOperator
    parallelism, most = env.get_parallelism(), env.get_max_parallelism()
    found: dict[int, str] = {}
    number = 0
    while len(found) < parallelism:
        key = f"@tick/{number}"
        row = jvm.org.apache.flink.types.Row.withPositions(1)
        row.setField(0, key)
        found.setdefault(assign(row, most, parallelism), key)
        number += 1
    return tuple(found[subtask] for subtask in range(parallelism))
