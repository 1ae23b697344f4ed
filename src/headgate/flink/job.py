"""The job's graph: sources -> intake and inbox -> Gate -> Invoke, Gate -> sinks. See
`docs/architecture.md`.
"""

from __future__ import annotations

from pyflink.common import Time, WatermarkStrategy
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
from headgate.core.trace import bound_of
from headgate.flink import settings, sinks, sources
from headgate.flink.arrivals import Arrivals, ArrivalSettings
from headgate.flink.gate import Gate, GateSettings
from headgate.flink.grants import Grants
from headgate.flink.inbox import Inbox
from headgate.flink.intake import Intake
from headgate.flink.invoke import Invoke, InvokeSettings
from headgate.flink.ledger import LedgerHost, LedgerSettings
from headgate.flink.outputs import Topics
from headgate.flink.rows import BILLED, BYTES, KEY_TYPE, KEYED_ROW, OUTPUT, REQUESTED
from headgate.flink.shards import shard_keys
from headgate.kafka.rules import rules_of
from headgate.kafka.topics import message_bytes
from headgate.kafka.transactions import transactional_id_prefix
from headgate.sealing.places import encryption_of

RECORDS = (
    "SELECT f0, f1, NULLIF(f2, X'') FROM headgate_gate WHERE f0 NOT IN ('{inbox}', '{replies}')"
)
"""Topic, key and value of what the exactly-once sink writes. No record has an empty value: that
stands for null, which takes a key out of a compacted topic.
"""

MESSAGES = "SELECT f0, f1, f2 FROM headgate_gate WHERE f0 IN ('{inbox}', '{replies}')"
"""Topic, key and value of what goes out at once. Kafka's names of topics hold no quote."""


AT_ONCE = 0
"""Buffers to the ledger and behind it are sent with each row. Timers that would do so each 5 ms, in
threads of their own, are most of what they cost a job without budgets."""


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

    keys = shard_keys(config.kafka.partitions)
    arrivals = _arrivals(tables, config, keys)
    journal = sources.journal(
        tables,
        bootstrap=bootstrap,
        topic=names.journal,
        partitions=config.kafka.partitions,
        group=group,
    )
    topics = Topics(
        journal=names.journal,
        outbox=names.outbox,
        history=names.history,
        dead_letters=names.dead_letters,
        parked=names.parked,
        inbox=names.inbox,
        answers=names.answers,
        pressure=names.pressure,
        replies=names.replies,
    )
    sampled_below = bound_of(config.tracing.ratio)
    gate_settings = GateSettings(
        bootstrap, names.registry, topics, keys, sampled_below, encryption_of(config)
    )
    gate = (
        _by_shard(arrivals)
        .connect(_by_shard(journal))
        .process(Gate(gate_settings), output_type=OUTPUT)
        .name("gate")
        .uid("gate")
    )
    tables.create_temporary_view("headgate_gate", gate)
    ledger = LedgerSettings(bootstrap, names.registry, names.spending, keys)
    _invoke(env, _requests(gate, ledger), config)
    statements = tables.create_statement_set()
    sinks.exactly_once(
        tables,
        statements,
        tables.sql_query(RECORDS.format(inbox=names.inbox, replies=names.replies)),
        bootstrap=bootstrap,
        topics=[names.outbox, names.history, names.dead_letters, names.parked],
        prefix=transactional_id_prefix(config.job.name),
        timeout_ms=int(config.job.transaction_timeout.total_seconds() * 1000),
        request_bytes=message_bytes(config),
    )
    sinks.at_least_once(
        tables,
        statements,
        tables.sql_query(MESSAGES.format(inbox=names.inbox, replies=names.replies)),
        bootstrap=bootstrap,
        topics=[names.inbox, names.replies],
        request_bytes=message_bytes(config),
    )
    statements.attach_as_datastream()


def _arrivals(tables: StreamTableEnvironment, config: Config, keys: tuple[str, ...]) -> DataStream:
    """What arrives for instances: users' events, and what the inbox has for them."""
    bootstrap, names = config.kafka.bootstrap, config.topic_names
    arriving = ArrivalSettings(
        bootstrap, names.registry, names.pressure, rules_of(config), keys, encryption_of(config)
    )
    readers: dict[str, tuple[Arrivals, list[str]]] = {}
    readers["inbox"] = Inbox(arriving), [names.inbox]
    if config.topics:
        # A Kafka source must have a topic; agents may live on messages and signals alone.
        readers["intake"] = Intake(arriving), [topic.name for topic in config.topics]
    streams = []
    for name, (reader, topics) in readers.items():
        records = sources.records(
            tables, f"{name}_records", bootstrap=bootstrap, topics=topics, group=config.job.name
        )
        streams.append(records.process(reader, output_type=KEYED_ROW).name(name).uid(name))
    first, *others = streams
    return first.union(*others) if others else first


def _requests(gate: DataStream, ledger: LedgerSettings) -> DataStream:
    """Calls as Gate asks for them, and those of agents with budgets as the ledger lets them go."""
    granted = (
        _by_shard(_at_once(_side_output(gate, BILLED)))
        .process(LedgerHost(ledger), output_type=KEYED_ROW)
        .name("ledger")
        .uid("ledger")
        .set_buffer_timeout(AT_ONCE)
    )
    grants = _to_shard(granted).process(Grants(), output_type=BYTES).name("grants").uid("grants")
    return _side_output(gate, REQUESTED).union(grants.set_buffer_timeout(AT_ONCE))


def _at_once(billed: DataStream) -> DataStream:
    """Send what the ledger is told on with each row, where Gate's own buffers gather: how long they
    do belongs to the operator before an edge. This one does nothing else, in Gate's own chain.
    """
    plain = billed.assign_timestamps_and_watermarks(WatermarkStrategy.no_watermarks())
    return DataStream(plain._j_data_stream.name("billed").uid("billed").setBufferTimeout(AT_ONCE))


def _side_output(stream: DataStream, tag: OutputTag) -> DataStream:
    """`DataStream.get_side_output` would put a Python identity function behind it."""
    return DataStream(stream._j_data_stream.getSideOutput(tag.get_java_output_tag()))


def _invoke(env: StreamExecutionEnvironment, requests: DataStream, config: Config) -> None:
    invoke = InvokeSettings(
        bootstrap=config.kafka.bootstrap,
        journal=config.topic_names.journal,
        gather_seconds=config.job.gather_ms / 1000,
        concurrency=config.limits.endpoint_concurrency,
        queue_bytes=config.limits.endpoint_queue,
        record_bytes=config.limits.max_record,
        encryption=encryption_of(config),
    )
    with settings.process_mode(env, config):
        AsyncDataStream.unordered_wait(
            requests,
            Invoke(invoke),
            # 0: no timeout. Any other number would cost a thread per record; deadlines are
            # Invoke's own.
            Time.milliseconds(0),
            # Requests are done at once, so the bound is never reached.
            capacity=10_000,
            output_type=BYTES,
        ).disable_chaining().name("invoke").uid("invoke")


def _by_shard(stream: DataStream) -> KeyedStream:
    """Key rows (key, row) by their first field with PyFlink's own Java selector.

    `DataStream.key_by` would call Python once more for every record.
    """
    selector = get_gateway().jvm.KeyByKeySelector()
    j_keyed = stream._j_data_stream.keyBy(selector, KEY_TYPE.get_java_type_info())
    return KeyedStream(j_keyed, None, stream)


def _to_shard(stream: DataStream) -> DataStream:
    """Send rows (key, row) to where their shard is, for an operator that keeps nothing: a keyed one
    has a database of its own, and a part in every checkpoint.
    """
    j_keyed = _by_shard(stream)._j_data_stream
    j_streams = get_gateway().jvm.org.apache.flink.streaming.api.datastream
    plain = j_streams.DataStream(j_keyed.getExecutionEnvironment(), j_keyed.getTransformation())
    return DataStream(plain)
