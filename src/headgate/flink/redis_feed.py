"""The second job: the history into Redis, on a Flink cluster. In one process, `headgate redis feed`
does the same.

Flink spreads the partitions and starts again what dies; where Redis stands is Redis' own word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.functions import ProcessFunction
from pyflink.table import StreamTableEnvironment
from pyflink.util.java_utils import get_j_env_configuration

from headgate.config import Config
from headgate.flink import settings, sources
from headgate.flink.rows import BYTES
from headgate.kafka.resumed import Resumed
from headgate.kafka.sealed import Place, opened_at
from headgate.redis.batch import Record
from headgate.redis.connect import open_redis, reaching
from headgate.redis.gathering import Gathering
from headgate.redis.mended import MendedLane
from headgate.redis.target import Target
from headgate.sealing.known import know, seals_at

NAME = "redis-feed"
CHECKPOINTS = "execution.checkpointing.dir"

REREAD_RECORDS = 2_000


def build_feed(env: StreamExecutionEnvironment, config: Config) -> None:
    """Build the job on an environment; `env.execute` runs it.

    Raises:
        BrokerUnreachableError, UnknownTopicError, RedisUnreachableError, FeedError.
    """
    settings.apply(env, config)
    know(config.kafka.bootstrap, config)
    _apart(env)
    tables = StreamTableEnvironment.create(env)
    topic = config.topic_names.history
    history = sources.history(
        tables,
        bootstrap=config.kafka.bootstrap,
        topic=topic,
        starts=_starts(config),
        group=f"{config.job.name}-{NAME}",
    )
    feed = RedisFeed(config, topic)
    # A partition's records stay in their order: nothing is shuffled.
    history.process(feed, output_type=BYTES).name(NAME).uid(NAME)


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
        target = Target(client, config.redis, topic, read.partitions, read.topic_id)
        target.claim()
        return [target.place_in(read, partition) for partition in range(read.partitions)]


class RedisFeed(ProcessFunction):
    """Hands records of its partitions to a thread that writes what has gathered meanwhile.

    Whatever fails there fails the job, which goes on from its checkpoint: what was waiting is
    missing in Redis then, and read again. So no checkpoint need wait for Redis.
    """

    def __init__(self, config: Config, topic: str) -> None:
        self._config = config
        self._bootstrap = config.kafka.bootstrap
        self._topic = topic
        self._settings = config.redis
        self._partitions = config.kafka.partitions

    def open(self, runtime_context: RuntimeContext) -> None:
        """Connect; find the keys."""
        # Here, where it runs: what it reads again by a consumer of its own is opened as well.
        know(self._bootstrap, self._config)
        client = open_redis(self._settings.url, cluster=self._settings.cluster)
        self._target = Target(client, self._settings, self._topic, self._partitions)
        self._lanes: dict[int, MendedLane] = {}
        self._gathering = Gathering(self._write)

    def close(self) -> None:
        """Stop writing."""
        self._gathering.close()

    def process_element(self, value: Any, ctx: Any) -> list[bytes]:
        """Take a record of the history."""
        partition, offset, key, raw = value
        place = Place(self._topic, partition, offset, bytes(key or b""))
        opened = opened_at(place, seals_at(self._bootstrap), bytes(raw or b""))
        self._gathering.add(partition, Record(offset, opened))
        return []

    def _write(self, partition: int, records: Sequence[Record]) -> None:
        with reaching(self._settings.url):
            lane = self._lanes.get(partition)
            if lane is None:
                lane = self._lanes[partition] = MendedLane(self._target, partition, self._reread)
            lane.write(records)

    def _reread(self, partition: int, begin: int, until: int) -> Iterator[Sequence[Record]]:
        with Resumed(self._bootstrap, self._topic, most_records=REREAD_RECORDS) as read:
            read.only(partition, max(begin, self._target.place_in(read, partition)))
            while read.position(partition) < until:
                records = read.poll().get(partition, [])
                yield [
                    Record(record.offset, record.value or b"")
                    for record in records
                    if record.offset < until
                ]
