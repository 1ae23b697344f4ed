"""A small thread-mode job that measures what Gate's building blocks cost, one phase after another.

Each phase lasts for some elements; its cost is the CPU time of the task's thread from its first
element to its last: Flink's own part, the way into Python and out of it, and what the phase does.
"""

import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.datastream import DataStream, KeyedStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a script's own folder is all that Python would look in

from benchmarks.micro_operator import ELEMENTS, FLAT, SIDE, Micro  # noqa: E402
from headgate.config import Config  # noqa: E402
from headgate.flink import settings  # noqa: E402
from headgate.flink.rows import BYTES, KEY_TYPE, KEYED_ROW  # noqa: E402

KEYS = 5_000


def _by_key(stream: DataStream) -> KeyedStream:
    selector = get_gateway().jvm.KeyByKeySelector()
    keyed = stream._j_data_stream.keyBy(selector, KEY_TYPE.get_java_type_info())
    return KeyedStream(keyed, None, stream)


def main(file: str) -> None:
    """Build and run the job."""
    env = StreamExecutionEnvironment.get_execution_environment()
    settings.apply(env, Config())
    made = Configuration()
    made.set_string("python.pythonpath", ":".join([str(ROOT), *settings._module_path()]))
    env.configure(made)
    tables = StreamTableEnvironment.create(env)
    # Two phases' worth more than there are phases: buffers must be full until the last has ended.
    count = ELEMENTS * 17
    tables.execute_sql(
        "CREATE TEMPORARY TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', "
        f"'rows-per-second' = '1000000', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', "
        f"'fields.n.end' = '{count}')"
    )
    columns = (
        f"CONCAT('echo/k', CAST(MOD(n, {KEYS}) AS STRING)) AS k, CAST(n AS INT) AS n, "
        "ENCODE(RPAD('', 300, 'y'), 'UTF-8') AS v"
    )
    query = f"SELECT k, ROW(k, n, v) AS r FROM (SELECT {columns} FROM numbers)"  # noqa: S608
    selected = tables.sql_query(query)
    numbers = _by_key(tables.to_data_stream(selected))
    # The first input's type names the key's type, which a Table stream cannot; as in Gate, the
    # second may be one.
    row = ("none", ("none", 0, b""))
    none = _by_key(env.from_collection([row], type_info=KEYED_ROW))
    micro = none.connect(numbers).process(Micro(file), output_type=BYTES)
    jvm = get_gateway().jvm
    discarding = jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink
    for each in (micro, micro.get_side_output(SIDE), micro.get_side_output(FLAT)):
        each._j_data_stream.sinkTo(discarding())
    env.execute("micro")


if __name__ == "__main__":
    main(sys.argv[1])
