"""What an entry script does before it builds the job: read the configuration, see to the topics."""

from __future__ import annotations

import argparse
import os

from headgate.config import Config, load
from headgate.kafka.registry import publish_agents
from headgate.kafka.topics import ensure_topics


def configure(arguments: list[str]) -> Config:
    """Read ``--config FILE`` (or HEADGATE_CONFIG), make the topics, write the agents to the
    registry.

    Raises:
        HeadgateError: the file or the topics are not as they must be; nothing was submitted.
    """
    parser = argparse.ArgumentParser(
        prog="agent_runtime.py", description="Headgate's agent runtime."
    )
    default = os.environ.get("HEADGATE_CONFIG", "headgate.toml")
    parser.add_argument("--config", default=default, help="headgate.toml of the job")
    config = load(parser.parse_args(arguments).config)
    ensure_topics(config)
    publish_agents(config)
    return config
