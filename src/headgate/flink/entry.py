"""What an entry script does before it builds the job: read the configuration, see to the topics,
look at what is to be restored.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping
from typing import Any

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.util.java_utils import get_j_env_configuration

from headgate.config import Config, load
from headgate.flink.restore import check_restore
from headgate.kafka.registry import publish_agents, publish_costs, publish_job
from headgate.kafka.topics import ensure_topics
from headgate.sealing.known import know
from headgate.sealing.places import check_keys

log = logging.getLogger(__name__)

# `flink run --fromSavepoint` and the JobManager's own option set the first; people who know Flink 1
# may set the second.
RESTORE_PATHS = ("execution.state-recovery.path", "execution.savepoint.path")
EMBEDDED = "embedded"


def configure(arguments: list[str]) -> Config:
    """Read ``--config FILE`` (or HEADGATE_CONFIG), make the topics, look at the checkpoint to be
    restored, write agents and job to the registry.

    Raises:
        HeadgateError: the file, the topics or the checkpoint are not as they must be; nothing was
            submitted.
    """
    given = _parser().parse_args(arguments)
    config = load(given.config)
    know(config.kafka.bootstrap, config)
    check_keys(config)
    ensure_topics(config)
    settings = _settings()
    if may_recover(settings):
        # The script runs again when a JobManager takes over, and Flink then restores what its own
        # store names: the path is that of the first start, long passed.
        log.warning("high availability is on: what is restored is not checked")
    else:
        check_restore(
            config,
            restored_path(settings),
            reemit=given.reemit,
            after_long_outage=given.after_long_outage,
        )
    publish_agents(config)
    publish_costs(config)
    publish_job(config)
    return config


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agent_runtime.py", description="Headgate's agent runtime."
    )
    default = os.environ.get("HEADGATE_CONFIG", "headgate.toml")
    parser.add_argument("--config", default=default, help="headgate.toml of the job")
    parser.add_argument(
        "--reemit",
        action="store_true",
        help="restore although newer outputs exist: they are written again, with the same ids",
    )
    parser.add_argument(
        "--after-long-outage",
        action="store_true",
        help="restore although outputs are missing; `headgate repair` can write them later",
    )
    return parser


def _settings() -> dict[str, str]:
    env = StreamExecutionEnvironment.get_execution_environment()
    configuration: Any = get_j_env_configuration(env._j_stream_execution_environment)
    return dict(configuration.toMap())


def restored_path(settings: Mapping[str, str]) -> str | None:
    """Return the checkpoint or savepoint that Flink is going to restore, None if there is none."""
    return next((settings[key] for key in RESTORE_PATHS if settings.get(key)), None)


def may_recover(settings: Mapping[str, str]) -> bool:
    """Tell whether this may be a JobManager that takes over from one that died."""
    availability = settings.get("high-availability.type", "NONE").upper()
    return availability != "NONE" and settings.get("execution.target") == EMBEDDED
