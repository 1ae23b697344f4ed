"""Flink settings that belong to the job, whatever cluster it is submitted to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyflink.common import Configuration
from pyflink.datastream import (
    CheckpointingMode,
    StreamExecutionEnvironment,
    async_data_stream,
    data_stream,
)
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import get_j_env_configuration

import headgate
from headgate.config import Config

MODE = "python.execution-mode"

BUNDLE_TIME = "python.fn-execution.bundle.time"
"""How long a Python process gathers. Operators that run inside the JVM have no bundles, and wake up
as often all the same, to look whether one is to be ended: each of them 200 times a second. So it is
set for Invoke alone, and they look once a second, Flink's default.
"""

LEAN = Path(__file__).with_name("lean")
"""First of Python's paths wherever the job runs: modules here cannot be imported. Beam imports
pymongo and pandas where they are installed, and they always are; no operator of ours uses either.
Without them a worker starts in half the time, which is most of the outage after one was killed.
"""


def apply(env: StreamExecutionEnvironment, config: Config) -> None:
    """Set what the job needs: modes, parallelism, checkpoints, how long buffers gather."""
    made = Configuration()
    # Gate and intake run inside the TaskManager's JVM; Invoke gets a process of its own below.
    made.set_string(MODE, "thread")
    made.set_string("python.fn-execution.bundle.size", "1000")
    made.set_string("execution.buffer-timeout.interval", f"{config.job.buffer_ms} ms")
    made.set_string("python.pythonpath", ":".join(_module_path()))
    # No operator of the job keeps or changes what it was handed: chained ones need no copies.
    made.set_string("pipeline.object-reuse", "true")
    # No operator of the job asks for event time.
    made.set_string("pipeline.auto-watermark-interval", "0 ms")
    made.set_string("pipeline.name", config.job.name)
    # Sources of one topic each: alignment would only hold records back.
    made.set_string("table.exec.source.idle-timeout", "0 ms")
    env.configure(made)
    # Set here, by a cluster's own configuration, it would count for all operators in the end.
    _configuration(env).removeKey(BUNDLE_TIME)
    env.set_parallelism(config.job.parallelism)
    # As many key groups as shards: shard n is key group n (headgate.flink.shards).
    env.set_max_parallelism(config.kafka.partitions)
    interval_ms = int(config.job.checkpoint_interval.total_seconds() * 1000)
    env.enable_checkpointing(interval_ms, CheckpointingMode.EXACTLY_ONCE)


def _module_path() -> list[str]:
    """Where Python in the TaskManager and in workers finds modules.

    Thread mode knows neither virtual environments nor the .pth files of editable installs:
    site-packages and the folder that Headgate was imported from are named one by one.
    """
    own = str(Path(headgate.__file__).resolve().parents[1])
    found = [path for path in sys.path if path.endswith("-packages")]
    return [str(LEAN), own, *(path for path in found if path != own)]


@contextmanager
def process_mode(env: StreamExecutionEnvironment, config: Config) -> Iterator[None]:
    """Define operators that run in a Python process of their own, and gather bundles for it.

    PyFlink hands each Python operator the environment's own configuration: one object for all. Here
    they get a copy.
    """
    own: Any = get_gateway().jvm.org.apache.flink.configuration.Configuration(_configuration(env))
    own.setString(MODE, "process")
    own.setString(BUNDLE_TIME, str(config.job.bundle_ms))
    modules: tuple[Any, ...] = (data_stream, async_data_stream)
    stock = [module.get_j_env_configuration for module in modules]
    for module in modules:
        module.get_j_env_configuration = lambda _: own
    try:
        yield
    finally:
        for module, found in zip(modules, stock, strict=True):
            module.get_j_env_configuration = found


def _configuration(env: StreamExecutionEnvironment) -> Any:
    return get_j_env_configuration(env._j_stream_execution_environment)
