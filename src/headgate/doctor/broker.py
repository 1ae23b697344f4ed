"""Facts from the broker: topics with their settings and replicas, settings of brokers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headgate.config import Config
from headgate.config.agents import stays_on_this_machine
from headgate.doctor.facts import Kafka, Topic
from headgate.kafka.connect import admin_client
from headgate.kafka.topics import plan_topics

if TYPE_CHECKING:
    from kafka import KafkaAdminClient


def look_at_broker(config: Config, job_topics: tuple[str, ...] | None) -> Kafka:
    """Return what the broker says; raises BrokerUnreachableError.

    job_topics: what the registry says that the job reads, None where nobody knows.
    """
    names = [plan.name for plan in plan_topics(config)]
    with admin_client(config.kafka.bootstrap) as admin:
        brokers = [broker["broker_id"] for broker in admin.describe_cluster()["brokers"]]
        described = [t for t in admin.describe_topics(names) if t["error_code"] == 0]
        found, settings = _settings(admin, [t["name"] for t in described], brokers[:1])
    return Kafka(
        brokers=len(brokers),
        is_local=all(
            stays_on_this_machine(server.strip()) for server in config.kafka.servers.split(",")
        ),
        topics={t["name"]: topic_of(t, found.get(t["name"], {})) for t in described},
        settings=settings,
        job_topics=job_topics,
    )


def topic_of(described: Mapping[str, Any], settings: Mapping[str, str]) -> Topic:
    """Return a topic of what the broker describes."""
    partitions = described["partitions"]
    return Topic(
        name=described["name"],
        partitions=len(partitions),
        replicas=min((len(each["replica_nodes"]) for each in partitions), default=0),
        in_sync=min((len(each["isr_nodes"]) for each in partitions), default=0),
        leaderless=sum(each["leader_id"] < 0 for each in partitions),
        settings=settings,
    )


def _settings(
    admin: KafkaAdminClient, topics: list[str], brokers: list[int]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    from kafka.admin import ConfigResource, ConfigResourceType

    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    resources += [ConfigResource(ConfigResourceType.BROKER, str(each)) for each in brokers]
    # All: what was never set is left out otherwise, and the broker's default may be what hurts.
    described = admin.describe_configs(resources, config_filter="all")
    plain = {
        kind: {
            name: {key: each["value"] for key, each in entries.items() if each["value"] is not None}
            for name, entries in named.items()
        }
        for kind, named in described.items()
    }
    return plain.get("topic", {}), next(iter(plain.get("broker", {}).values()), {})
