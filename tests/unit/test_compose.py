"""docker-compose.yml is valid, stays on loopback, and agrees with the embedded stack."""

import re
import shutil
import subprocess
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from headgate.config import load
from tests.manifests import ROOT, check_command, flink_settings, properties, services, words

DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
MAVEN = {"m": "http://maven.apache.org/POM/4.0.0"}
# What containers must set differently from flink-conf/config.yaml: addresses.
ADDRESSES = {
    "jobmanager.rpc.address",
    "jobmanager.bind-host",
    "rest.address",
    "rest.bind-address",
    "taskmanager.host",
    "taskmanager.bind-host",
}


def overrides(service: str) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(
        services()[service]["environment"]["FLINK_PROPERTIES"]
    )
    return settings


def jar_versions() -> dict[str, str]:
    tree = ET.parse(ROOT / "flink-conf" / "jars.xml")  # noqa: S314 - our own file
    return {
        dependency.findtext("m:artifactId", "", MAVEN): dependency.findtext("m:version", "", MAVEN)
        for dependency in tree.iterfind(".//m:dependency", MAVEN)
    }


def test_docker_compose_accepts_the_file() -> None:
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("docker-compose is not installed (apt-get install docker-compose)")
    run = subprocess.run(
        [compose, "-f", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_every_port_is_published_on_loopback_only() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert len(ports) == 9
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports), ports


def test_everything_that_stays_up_has_a_health_check_and_is_restarted() -> None:
    for name, service in services().items():
        if name != "job":
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name


def test_everything_is_bounded_and_python_has_room_beside_flink() -> None:
    units = {"m": 1, "g": 1_024}
    limits = {}
    for name, service in services().items():
        assert service["cpus"] > 0, name
        limits[name] = int(service["mem_limit"][:-1]) * units[service["mem_limit"][-1]]
    for name in ("jobmanager", "taskmanager"):
        planned = str(flink_settings()[f"{name}.memory.process.size"])
        assert planned.endswith("m")
        assert limits[name] >= 1.5 * int(planned[:-1])
    assert limits["taskmanager-2"] == limits["taskmanager"]
    heap = re.fullmatch(r"-Xmx(\d+)m", services()["kafka"]["environment"]["KAFKA_HEAP_OPTS"])
    assert heap
    assert limits["kafka"] >= 2 * int(heap[1])


def test_what_must_outlive_a_container_is_on_a_volume() -> None:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    mounts = {
        name: [volume.split(":") for volume in service.get("volumes", []) if volume[0] != "."]
        for name, service in services().items()
    }
    used = {volume for each in mounts.values() for volume, _ in each}
    assert used == set(document["volumes"])
    # Checkpoints and savepoints, which all of Flink must reach; and the history's store.
    for name in ("jobmanager", "taskmanager", "taskmanager-2", "job", "history"):
        assert mounts[name] == [["state", "/data"]]
    for key in ("execution.checkpointing.dir", "execution.checkpointing.savepoint-dir"):
        assert overrides("taskmanager")[key].startswith("file:///data/")
    assert "sqlite:////data/" in services()["history"]["command"]
    logs = properties((ROOT / "docker" / "kafka.properties").read_text(encoding="utf-8"))
    assert mounts["kafka"] == [["kafka", logs["log.dirs"]]]
    assert mounts["redis"] == [["redis", "/data"]]
    assert mounts["prometheus"] == [["prometheus", "/prometheus"]]


@pytest.mark.parametrize("name", ["console", "history", "redis-feed"])
def test_a_service_runs_a_command_that_is_there(name: str) -> None:
    check_command(words(services()[name]["command"]))


def test_the_second_taskmanager_differs_from_the_first_by_its_address() -> None:
    first, second = dict(services()["taskmanager"]), dict(services()["taskmanager-2"])
    given = words(second.pop("command"))
    assert words(first.pop("command")) == ["taskmanager"]
    assert given == ["taskmanager", "-D", "taskmanager.host=taskmanager-2"]
    for name, each in (("taskmanager", first), ("taskmanager-2", second)):
        assert f'"id":"{name}:' in each.pop("healthcheck")["test"]
    assert first == second
    assert overrides("taskmanager")["taskmanager.host"] == "taskmanager"


def test_the_console_asks_for_a_token_and_is_where_browsers_look_for_it() -> None:
    config = load(ROOT / "docker" / "headgate.toml")
    console = services()["console"]
    # Without a token it would not start: it listens on every interface of its container.
    assert config.ui.token_env in console["environment"]
    assert "--host 0.0.0.0" in console["command"]
    assert console["ports"] == [f"127.0.0.1:{config.ui.port}:{config.ui.port}"]
    host, _, port = config.ui.flink.removeprefix("http://").partition(":")
    assert services()[host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    host, _, port = config.history.endpoint.partition(":")
    assert f"127.0.0.1:{port}:{port}" in services()[host]["ports"]


def test_dependencies_are_awaited_until_they_are_healthy() -> None:
    for service in services().values():
        for name, wanted in service.get("depends_on", {}).items():
            assert wanted == {"condition": "service_healthy"}
            assert "healthcheck" in services()[name]


def test_kafka_is_the_version_of_the_embedded_one() -> None:
    assert services()["kafka"]["image"] == f"apache/kafka:{jar_versions()['kafka_2.13']}"


def test_flink_is_the_version_of_the_python_package_everywhere() -> None:
    (floor,) = re.findall(r"apache-flink>=([\d.]+)", (ROOT / "setup.py").read_text("utf-8"))
    assert re.findall(r"^FROM flink:(\S+)-java17 ", DOCKERFILE, re.MULTILINE) == [floor]
    assert re.findall(r"apache-flink==([\d.]+)", DOCKERFILE) == [floor]
    assert re.findall(r"flink-python-([\d.]+)\.jar", DOCKERFILE) == [floor]
    assert services()["jobmanager"]["image"] == f"headgate-flink:{floor}"


def test_the_connector_is_the_one_of_the_embedded_stack() -> None:
    assert "flink-sql-connector-kafka" in jar_versions()
    assert "COPY flink-conf/jars.xml" in DOCKERFILE
    assert "-Pflink " in DOCKERFILE


def test_flink_runs_with_the_embedded_settings_except_for_addresses() -> None:
    assert "COPY --chown=flink:flink flink-conf/config.yaml" in DOCKERFILE
    for service in ("jobmanager", "taskmanager", "taskmanager-2", "job"):
        assert set(overrides(service)) & set(flink_settings()) == ADDRESSES


def test_addresses_name_the_services() -> None:
    settings = overrides("taskmanager")
    assert settings["jobmanager.rpc.address"] in services()
    assert settings["rest.address"] in services()
    assert settings["taskmanager.host"] in services()


def test_kafka_has_the_settings_of_the_embedded_one_except_for_addresses() -> None:
    embedded = pytest.importorskip("headgate.local.kafka")
    ours = properties((ROOT / "docker" / "kafka.properties").read_text(encoding="utf-8"))
    theirs = properties(embedded.PROPERTIES)
    addresses = {
        "advertised.listeners",
        "controller.quorum.bootstrap.servers",
        "controller.quorum.voters",
        "inter.broker.listener.name",
        "listener.security.protocol.map",
        "listeners",
        "log.dirs",
    }
    assert {k: v for k, v in ours.items() if k not in addresses} == {
        k: v for k, v in theirs.items() if k not in addresses
    }
    assert services()["kafka"]["environment"]["KAFKA_HEAP_OPTS"] == embedded.HEAP


def test_published_ports_are_those_that_kafka_advertises_and_clients_expect() -> None:
    ours = properties((ROOT / "docker" / "kafka.properties").read_text(encoding="utf-8"))
    (port,) = services()["kafka"]["ports"]
    published, _, inside = port.rpartition(":")
    assert f"HOST://{published}" in ours["advertised.listeners"]
    assert f"HOST://:{inside}" in ours["listeners"]


def test_the_job_finds_kafka_and_the_agent_by_their_services() -> None:
    config = load(ROOT / "docker" / "headgate.toml")
    ours = properties((ROOT / "docker" / "kafka.properties").read_text(encoding="utf-8"))
    assert f"PLAINTEXT://{config.kafka.bootstrap}" in ours["advertised.listeners"]
    (agent,) = config.agents.values()
    host, port = agent.endpoint.split(":")
    assert f"--port {port}" in services()[host]["command"]


def test_history_and_redis_are_where_commands_look_for_them() -> None:
    config = load(ROOT / "docker" / "headgate.toml")
    assert config.redis.url.startswith("redis://redis:")
    history = pytest.importorskip("headgate.local.history")
    ports = {port.rpartition(":")[0] for port in services()["history"]["ports"]}
    assert ports == {f"127.0.0.1:{p}" for p in (history.HTTP_PORT, history.GRPC_PORT)}
    for name in ("history", "redis-feed"):
        assert "--config /opt/jobs/headgate.toml" in services()[name]["command"]


def test_redis_loses_nothing_that_it_acknowledged() -> None:
    flags = services()["redis"]["command"]
    assert "--appendonly yes" in flags
    assert "--appendfsync always" in flags


def test_prometheus_scrapes_flink_where_its_reporter_listens_and_grafana_asks_prometheus() -> None:
    monitoring = ROOT / "monitoring"
    scraped = yaml.safe_load((monitoring / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = scraped["scrape_configs"]
    targets = {target for each in job["static_configs"] for target in each["targets"]}
    lowest, _, _ = str(flink_settings()["metrics.reporter.prom.port"]).partition("-")
    assert targets == {
        f"{name}:{lowest}" for name in ("jobmanager", "taskmanager", "taskmanager-2")
    }
    provisioned = monitoring / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(provisioned.read_text(encoding="utf-8"))["datasources"]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert services()[host]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_what_is_mounted_is_in_the_repository() -> None:
    mounted = [
        volume.partition(":")[0]
        for service in services().values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert mounted
    for path in mounted:
        assert (ROOT / path).exists(), path


@pytest.mark.xfail(
    not all((ROOT / part).exists() for part in ("jobs", "agents/dialogue_state")),
    reason="jobs/ or agents/dialogue_state is not there yet",
    strict=True,
)
def test_what_the_containers_run_is_in_the_repository_and_in_the_images() -> None:
    script = services()["agent"]["command"].split()[1]
    assert (ROOT / "agents" / script).is_file()
    assert services()["job"]["command"] == "/opt/jobs/submit"
    for copied in re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for path in copied.split():
            assert (ROOT / path).exists(), path
