"""A real Redis Cluster of three nodes: a partition lies in one slot, no script touches two."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest
import redis

from headgate.config.redis import RedisConfig
from headgate.local.ports import LOOPBACK, free_ports
from headgate.local.process import Family
from headgate.local.redis import NoRedisServerError, program
from headgate.redis.connect import open_redis
from headgate.redis.keys import PartitionKeys
from headgate.view import View
from tests.redis_server import await_true
from tests.unit.history.telling import PARTITIONS
from tests.unit.redis.test_target import Hashed, assert_is, feed_all, target_of

NODES, SLOTS = 3, 16_384


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a node."""
    try:
        server = program()
    except NoRedisServerError as error:
        pytest.skip(str(error))
    home = tmp_path_factory.mktemp("cluster")
    free = free_ports(2 * NODES)
    ports, buses = free[:NODES], free[NODES:]
    with Family() as family:
        for port, bus in zip(ports, buses, strict=True):
            command = [server, "--port", str(port), "--bind", LOOPBACK, "--save", ""]
            command += ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
            command += ["--cluster-config-file", f"nodes-{port}.conf"]
            family.spawn(f"node-{port}", command, log=home / f"{port}.log", folder=home)
        await_true(lambda: all(answers(port) for port in ports))
        for number, port in enumerate(ports):
            with redis.Redis(port=port) as node:
                begin, end = number * SLOTS // NODES, (number + 1) * SLOTS // NODES - 1
                node.execute_command("CLUSTER", "ADDSLOTSRANGE", begin, end)
                if number:
                    node.execute_command("CLUSTER", "MEET", LOOPBACK, ports[0], buses[0])
        await_true(lambda: all(is_joined(port) for port in ports))
        yield f"redis://{LOOPBACK}:{ports[0]}"


def answers(port: int) -> bool:
    with contextlib.suppress(redis.RedisError), redis.Redis(port=port) as node:
        return bool(node.ping())
    return False


def is_joined(port: int) -> bool:
    with redis.Redis(port=port) as node:
        said = node.execute_command("CLUSTER", "INFO")
        return b"cluster_state:ok" in said and b"cluster_size:%d" % NODES in said


def test_each_partition_lies_on_one_node_and_all_of_it_is_the_history(cluster: str) -> None:
    told = Hashed(41)
    told.go_on(150)
    config = RedisConfig(url=cluster, prefix="clustered", cluster=True)
    feed_all(config, told, 41)
    client = open_redis(config.url, cluster=True)
    nodes = {
        client.get_node_from_key(PartitionKeys("clustered", number).position).port
        for number in range(PARTITIONS)
    }
    assert len(nodes) > 1
    assert_is(told, config)

    async def read() -> int:
        async with View(cluster, prefix="clustered", cluster=True) as view:
            return (await view.get("thing/0")).turn

    assert asyncio.run(read()) > 0
    target_of(config).erase()
    assert client.keys("*clustered*", target_nodes="all") == []
