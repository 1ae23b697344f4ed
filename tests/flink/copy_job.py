"""A job of two operators, one per Python execution mode, that copies the topic `in` to `out`."""

import sys
from collections.abc import Iterator

from pyflink.common import SimpleStringSchema, Time, Types, WatermarkStrategy
from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.async_data_stream import AsyncDataStream
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.functions import AsyncFunction, KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.util.java_utils import get_j_env_configuration


class Count(KeyedProcessFunction):
    """Append to each value how many came before it with the same key."""

    def open(self, runtime_context: RuntimeContext) -> None:
        descriptor = ValueStateDescriptor("count", Types.PICKLED_BYTE_ARRAY())
        self.count = runtime_context.get_state(descriptor)

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        before = self.count.value() or 0
        self.count.update(before + 1)
        yield f"{value}:{before}"


class Shout(AsyncFunction):
    """Turn a value into capitals, in a Python worker process."""

    async def async_invoke(self, value: str) -> list[str]:
        return [value.upper()]


def main(bootstrap: str) -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    settings = get_j_env_configuration(env._j_stream_execution_environment)
    settings.setString("python.execution-mode", "thread")
    env.enable_checkpointing(1000)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(bootstrap)
        .set_topics("in")
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    schema = (
        KafkaRecordSerializationSchema.builder()
        .set_topic("out")
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder().set_bootstrap_servers(bootstrap).set_record_serializer(schema).build()
    )
    counted = (
        env.from_source(source, WatermarkStrategy.no_watermarks(), "in")
        .key_by(lambda value: value, key_type=Types.STRING())
        .process(Count(), output_type=Types.STRING())
    )
    settings.setString("python.execution-mode", "process")
    shouted = AsyncDataStream.unordered_wait(
        counted, Shout(), Time.milliseconds(0), output_type=Types.STRING()
    ).disable_chaining()
    settings.setString("python.execution-mode", "thread")
    shouted.sink_to(sink)
    env.execute("copy")


if __name__ == "__main__":
    main(sys.argv[1])
