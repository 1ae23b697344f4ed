"""The second job: the history into Redis, on a Flink cluster. In one process, `headgate redis feed`
does the same.

Flink spreads the partitions and starts again what dies; where Redis stands is Redis' own word.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from pyflink.datastream import KeyedStream, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.functions import KeyedProcessFunction
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment
from pyflink.util.java_utils import get_j_env_configuration

from headgate.config import Config
from headgate.config.redis import RedisConfig
from headgate.flink import settings, sources
from headgate.flink.rows import BYTES, KEY_TYPE
from headgate.flink.shards import shard_keys
from headgate.kafka.resumed import Resumed
from headgate.redis.batch import RECORDS, Record
from headgate.redis.connect import open_redis, reaching
from headgate.redis.mended import MendedLane, refuse_gap
from headgate.redis.target import Target

NAME = "redis-feed"
CHECKPOINTS = "execution.checkpointing.dir"

GATHER_MS = 5
"""How long records wait for others: a script costs as much as ten records in it."""

REREAD_RECORDS = 2_000


def build_feed(env: StreamExecutionEnvironment, config: Config) -> None:
    """Build the job on an environment; `env.execute` runs it.

    Raises:
        BrokerUnreachableError, UnknownTopicError, RedisUnreachableError, FeedError.
    """
    settings.apply(env, config)
    _apart(env)
    tables = StreamTableEnvironment.create(env)
    topic = config.topic_names.history
    keys = shard_keys(config.kafka.partitions)
    history = sources.history(
        tables,
        bootstrap=config.kafka.bootstrap,
        topic=topic,
        starts=_starts(config),
        keys=keys,
        group=f"{config.job.name}-{NAME}",
    )
    selector = get_gateway().jvm.KeyByKeySelector()
    keyed = history._j_data_stream.keyBy(selector, KEY_TYPE.get_java_type_info())
    feed = RedisFeed(config.kafka.bootstrap, topic, config.redis, config.kafka.partitions)
    KeyedStream(keyed, None, history).process(feed, output_type=BYTES).name(NAME).uid(NAME)


def _apart(env: StreamExecutionEnvironment) -> None:
    """Keep checkpoints apart from the agents' job's, whose newest is looked for by its date."""
    configuration: Any = get_j_env_configuration(env._j_stream_execution_environment)
    folder = dict(configuration.toMap()).get(CHECKPOINTS)
    if folder:
        configuration.setString(CHECKPOINTS, f"{folder.rstrip('/')}/{NAME}")


def _starts(config: Config) -> list[int]:
    """Where Redis stands, for each partition; raises FeedError where it cannot go on there."""
    topic = config.topic_names.history
    client = open_redis(config.redis.url, cluster=config.redis.cluster)
    with (
        Resumed(config.kafka.bootstrap, topic, most_records=1) as read,
        reaching(config.redis.url),
    ):
        target = Target(client, config.redis, topic, read.partitions)
        target.claim()
        for partition in range(read.partitions):
            begin = read.begin(partition)
            if begin:
                target.skip_to(partition, begin)
        starts = [target.position(partition) for partition in range(read.partitions)]
        for partition, start in enumerate(starts):
            if read.fault_of(partition, start, "Redis"):
                raise refuse_gap(topic, partition, start, read.begin(partition))
        return starts


class RedisFeed(KeyedProcessFunction):
    """Gathers records of its partitions for a moment and writes them."""

    def __init__(self, bootstrap: str, topic: str, config: RedisConfig, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._settings = config
        self._partitions = partitions

    def open(self, runtime_context: RuntimeContext) -> None:
        """Connect."""
        client = open_redis(self._settings.url, cluster=self._settings.cluster)
        self._target = Target(client, self._settings, self._topic, self._partitions)
        self._lanes: dict[int, MendedLane] = {}
        self._waiting: dict[int, list[Record]] = {}

    def process_element(self, value: Any, ctx: Any) -> list[bytes]:
        """Take a record of the history."""
        partition, offset, raw = value[1]
        waiting = self._waiting.setdefault(partition, [])
        if not waiting:
            ctx.timer_service().register_processing_time_timer(_now_ms() + GATHER_MS)
        waiting.append(Record(offset, bytes(raw or b"")))
        if len(waiting) >= RECORDS:
            self._flush(partition)
        return []

    def on_timer(self, timestamp: int, ctx: Any) -> list[bytes]:
        """Write what has gathered."""
        for partition in [*self._waiting]:
            self._flush(partition)
        return []

    def _flush(self, partition: int) -> None:
        waiting = self._waiting.pop(partition, [])
        if not waiting:
            return
        # Whatever fails here fails the job, which goes on from its checkpoint: what was waiting is
        # missing in Redis then, and read again.
        with reaching(self._settings.url):
            lane = self._lanes.get(partition)
            if lane is None:
                lane = self._lanes[partition] = MendedLane(self._target, partition, self._reread)
            lane.write(waiting)

    def _reread(self, partition: int, begin: int, until: int) -> Iterator[Sequence[Record]]:
        with Resumed(self._bootstrap, self._topic, most_records=REREAD_RECORDS) as read:
            if begin < read.begin(partition):
                raise refuse_gap(self._topic, partition, begin, read.begin(partition))
            read.only(partition, begin)
            while read.position(partition) < until:
                records = read.poll().get(partition, [])
                yield [
                    Record(record.offset, record.value or b"")
                    for record in records
                    if record.offset < until
                ]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
