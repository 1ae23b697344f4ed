"""headgate.toml: what it may say, and errors that name file, line and key.

    config = load("headgate.toml")
    config.topic_names.journal          # "headgate.journal"

Imports neither Flink nor Kafka: the command line, the job and the workers all read it.
"""

from headgate.config.agents import AgentConfig, BackoffConfig, PolicyConfig
from headgate.config.kafka import KafkaConfig
from headgate.config.keys import KeySource
from headgate.config.load import load, loads
from headgate.config.model import (
    Config,
    JobConfig,
    LimitsConfig,
    RouteConfig,
    TopicConfig,
    TopicNames,
)

__all__ = [
    "AgentConfig",
    "BackoffConfig",
    "Config",
    "JobConfig",
    "KafkaConfig",
    "KeySource",
    "LimitsConfig",
    "PolicyConfig",
    "RouteConfig",
    "TopicConfig",
    "TopicNames",
    "load",
    "loads",
]
