"""Listing 10,000 parked instances: the whole command, from the shell's view, on a real broker."""

import os
import subprocess
import sys
import time

from benchmarks.figures import spread
from benchmarks.measure import Result
from benchmarks.options import Options
from headgate.config import Config
from headgate.config.kafka import KafkaConfig
from headgate.kafka.publish import Publisher
from headgate.kafka.topics import ensure_topics
from headgate.local.jars import fetch
from headgate.local.kafka import Kafka
from headgate.local.process import Family
from headgate.v1.turn_pb2 import ParkedInstance

INSTANCES = 10_000
# Each was parked, went on, and was parked again: compaction comes later than people ask.
RECORDS_EACH = 3


def run(options: Options) -> list[Result]:
    """Write what the job would have written, then time the command."""
    with Family() as family:
        kafka = Kafka(family, options.home / "parked-kafka", fetch() / "kafka")
        kafka.start()
        config = Config(kafka=KafkaConfig(bootstrap=kafka.bootstrap.servers))
        ensure_topics(config)
        _write(config)
        command = [sys.executable, "-m", "headgate.cli.app", "instances", "list", "--parked"]
        command += ["--bootstrap", kafka.bootstrap.servers, "-o", "json"]
        took = []
        for number in range(options.repeats):
            options.say(f"listing {INSTANCES} parked instances, {number + 1} of {options.repeats}")
            begin = time.monotonic()
            done = subprocess.run(command, capture_output=True, check=True, cwd=options.home)
            took.append(time.monotonic() - begin)
            if done.stdout.count(b'"address"') != INSTANCES:
                message = "the command did not list them all"
                raise AssertionError(message)
        kafka.stop()
    return [
        {
            "what": f"list {INSTANCES} parked",
            "list_seconds": spread(took),
            "runs": len(took),
            "load_average": os.getloadavg()[0],
        }
    ]


def _write(config: Config) -> None:
    topic = config.topic_names.parked
    with Publisher(config.kafka.bootstrap, linger_ms=20) as publisher:
        for turn in range(1, RECORDS_EACH + 1):
            made = ParkedInstance(
                turn=turn,
                at_us=time.time_ns() // 1_000,
                message="the agent asks for a person to look at it, and says so at some length",
                schema_version=1,
            )
            for number in range(INSTANCES):
                publisher.send(topic, f"order/customer-{number}", made.SerializeToString())
        publisher.flush()
