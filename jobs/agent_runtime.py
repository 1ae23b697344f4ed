"""The agent runtime as a Flink job: `flink run -py jobs/agent_runtime.py -- --config
headgate.toml`. `--reemit` and `--after-long-outage` restore what is refused otherwise.
"""

import sys

from pyflink.datastream import StreamExecutionEnvironment

from headgate.flink.entry import configure
from headgate.flink.job import build_job

if __name__ == "__main__":
    config = configure(sys.argv[1:])
    env = StreamExecutionEnvironment.get_execution_environment()
    build_job(env, config)
    env.execute(config.job.name)
