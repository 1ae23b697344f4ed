"""The history into Redis as a Flink job: `flink run -py jobs/redis_feed.py -- --config
headgate.toml`. Beside the agents' job, as often as there are Redises to feed.
"""

import argparse
import os

from pyflink.datastream import StreamExecutionEnvironment

from headgate.config import load
from headgate.flink.redis_feed import NAME, build_feed

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="redis_feed.py", description=__doc__)
    default = os.environ.get("HEADGATE_CONFIG", "headgate.toml")
    parser.add_argument("--config", default=default, help="headgate.toml of the agents' job")
    config = load(parser.parse_args().config)
    env = StreamExecutionEnvironment.get_execution_environment()
    build_feed(env, config)
    env.execute(f"{config.job.name}-{NAME}")
