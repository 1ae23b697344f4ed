"""k8s/ runs what docker-compose and the embedded stack run, with their settings, and is closed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.config import Config, load
from tests.manifests import (
    OVERLAYS,
    ROOT,
    Manifest,
    base,
    build,
    check_command,
    flink_pods,
    flink_settings,
    of_kind,
    pods,
    properties,
    services,
    the_job,
    words,
)

BASE = ROOT / "k8s" / "base"
LOCAL = ROOT / "k8s" / "overlays" / "local"
PRODUCTION = ROOT / "k8s" / "overlays" / "production"
# Settings of flink-conf/config.yaml that are the operator's here, each with what takes its place.
OPERATORS = {
    "jobmanager.rpc.address",  # addresses of pods
    "jobmanager.bind-host",
    "rest.address",
    "rest.bind-address",
    "taskmanager.host",
    "taskmanager.bind-host",
    "web.submit.enable",  # one job only: nothing can be submitted
    "jobmanager.memory.process.size",  # resources
    "taskmanager.memory.process.size",
}
# And what k8s/ says otherwise, for the reasons that stand there.
OTHERWISE = {"taskmanager.numberOfTaskSlots": "1"}
# What only Kubernetes needs, and where it is in docker-compose.yml where it is there as well.
ADDED = {
    "slotmanager.redundant-taskmanager-num",
    "python.executable",
    "python.client.executable",
    "python.pythonpath",
    "execution.checkpointing.dir",
    "execution.checkpointing.savepoint-dir",
    "high-availability.type",
    "high-availability.storageDir",
    "kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age",
}
# Told by the environment in Kubernetes, and by an option in docker-compose.yml.
BY_ENVIRONMENT = {"--store": "HEADGATE_HISTORY_STORE"}
UNITS = {"Mi": 1, "Gi": 1_024, "m": 1, "g": 1_024}


def text(value: object) -> str:
    """How Flink's configuration writes a value."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def mebibytes(size: str) -> int:
    """Return a size of Flink's (2048m), of Kubernetes' (2Gi) or of docker-compose's (2g)."""
    found = re.fullmatch(r"(\d+)(Mi|Gi|m|g)", size)
    assert found, size
    return int(found[1]) * UNITS[found[2]]


def every_pod(overlay: str) -> dict[str, Manifest]:
    """Return all pods of an overlay, Flink's among them."""
    manifests = build(overlay)
    return pods(manifests) | flink_pods(manifests)


def is_matched(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def plain(config: Config) -> dict[str, Any]:
    dumped: dict[str, Any] = config.model_dump(mode="json")
    return dumped


def test_flink_runs_with_the_embedded_settings() -> None:
    ours = the_job(base())["flinkConfiguration"]
    theirs = {key: text(value) for key, value in flink_settings().items() if key not in OPERATORS}
    assert {key: ours[key] for key in ours.keys() - ADDED} == theirs | OTHERWISE
    assert not ADDED & theirs.keys()


def test_flinks_memory_is_the_embedded_one_and_has_room_for_python() -> None:
    job, settings = the_job(base()), flink_settings()
    for process in ("jobManager", "taskManager"):
        asked = job[process]["resources"]
        planned = settings[f"{process.lower()}.memory.process.size"]
        assert mebibytes(asked["requests"]["memory"]) == mebibytes(planned)
        assert mebibytes(asked["limits"]["memory"]) >= 1.5 * mebibytes(planned)
        limit = services()[process.lower()]["mem_limit"]
        assert mebibytes(asked["limits"]["memory"]) == mebibytes(limit)


def test_python_is_where_docker_compose_has_it() -> None:
    ours = the_job(base())["flinkConfiguration"]
    lines = services()["jobmanager"]["environment"]["FLINK_PROPERTIES"]
    theirs = yaml.safe_load(lines)
    for key in ("python.executable", "python.client.executable", "python.pythonpath"):
        assert ours[key] == theirs[key]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_one_taskmanager_stands_by_and_a_drain_leaves_the_work_to_one(overlay: str) -> None:
    manifests = build(overlay)
    job = the_job(manifests)
    settings = job["flinkConfiguration"]
    working = job["job"]["parallelism"] / int(settings["taskmanager.numberOfTaskSlots"])
    spare = int(settings["slotmanager.redundant-taskmanager-num"])
    assert (working, spare) == (1, 1)
    budgets = of_kind(manifests, "PodDisruptionBudget")
    assert budgets["headgate-taskmanager"]["spec"]["minAvailable"] == working


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_budget_stops_a_drain_for_good(overlay: str) -> None:
    """More pods are asked for than must stay."""
    manifests = build(overlay)
    job = the_job(manifests)
    wanted = {"jobmanager": job["jobManager"]["replicas"], "taskmanager": 2}
    for name, each in of_kind(manifests, "PodDisruptionBudget").items():
        stays = each["spec"].get("minAvailable")
        if stays is not None:
            assert stays < wanted[name.removeprefix("headgate-")]
        else:
            assert each["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_job_is_the_script_of_the_image_with_the_mounted_configuration(overlay: str) -> None:
    job = the_job(build(overlay))
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert "COPY jobs /opt/jobs" in dockerfile
    assert job["job"]["entryClass"] == "org.apache.flink.client.python.PythonDriver"
    flag, script, option, path = job["job"]["args"]
    assert (flag, option) == ("-py", "--config")
    assert (ROOT / "jobs" / Path(script).relative_to("/opt/jobs")).is_file()
    [volume] = job["podTemplate"]["spec"]["volumes"]
    [container] = job["podTemplate"]["spec"]["containers"]
    [mount] = container["volumeMounts"]
    assert path == f"{mount['mountPath']}/headgate.toml"
    made = of_kind(build(overlay), "ConfigMap")[volume["configMap"]["name"]]
    assert list(made["data"]) == ["headgate.toml"]


@pytest.mark.parametrize("folder", [BASE, PRODUCTION], ids=lambda folder: folder.name)
def test_the_operator_plans_for_the_parallelism_that_the_job_sets(folder: Path) -> None:
    config = load(folder / "headgate.toml")
    assert the_job(base())["job"]["parallelism"] == config.job.parallelism


def test_the_configuration_is_docker_composes_except_for_addresses() -> None:
    ours, theirs = plain(load(BASE / "headgate.toml")), plain(load(ROOT / "docker/headgate.toml"))
    assert ours["ui"].pop("flink") == "http://headgate-rest:8081"
    assert theirs["ui"].pop("flink") == "http://jobmanager:8081"
    assert theirs["redis"].pop("url") == "redis://redis:6379/0"
    del ours["redis"]["url"]  # by a Secret
    assert ours == theirs


def test_the_configuration_of_production_survives_a_broker() -> None:
    config = load(PRODUCTION / "headgate.toml")
    assert config.kafka.replication == 3
    assert config.ui.hosts


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_images_are_docker_composes(overlay: str) -> None:
    composed = {each["image"].partition(":")[0] for each in services().values()}
    versions = {each["image"] for each in services().values()}
    for name, pod in every_pod(overlay).items():
        [container] = pod["spec"]["containers"]
        image = container["image"].replace("registry.example.com/headgate/", "headgate-")
        if name == "minio":
            assert ":" in image
        elif name == "agent":
            assert image.partition(":")[0] in composed
        else:
            assert image in versions, name


def test_the_version_of_flink_is_that_of_the_image() -> None:
    job = the_job(base())
    major, minor, _ = job["image"].partition(":")[2].split(".")
    assert job["flinkVersion"] == f"v{major}_{minor}"
    assert job["image"] == services()["jobmanager"]["image"]


@pytest.mark.parametrize("name", ["door", "console", "history", "redis-feed"])
def test_a_service_runs_a_command_that_is_there_as_docker_compose_runs_it(name: str) -> None:
    [container] = pods(base())[name]["spec"]["containers"]
    ours = words(container["command"])
    check_command(ours)
    assert "/etc/headgate/headgate.toml" in ours
    if name not in services():
        assert name == "door", "docker-compose has all but the front door"
        return
    theirs = words(services()[name]["command"])
    for option, variable in BY_ENVIRONMENT.items():
        if option in theirs:
            at = theirs.index(option)
            del theirs[at : at + 2]
            assert variable in {each["name"] for each in container["env"]}
    at = theirs.index("--config")
    theirs[at + 1] = "/etc/headgate/headgate.toml"
    assert ours == theirs


def test_the_agent_runs_as_in_docker_compose() -> None:
    [container] = pods(base())["agent"]["spec"]["containers"]
    assert words(container["command"]) == words(services()["agent"]["command"])


def test_ports_are_docker_composes_and_a_service_has_each() -> None:
    made = of_kind(base(), "Service")
    for name, pod in pods(base()).items():
        [container] = pod["spec"]["containers"]
        ports = {each["name"]: each["containerPort"] for each in container.get("ports", [])}
        if name in services():
            published = services()[name].get("ports", [])
            assert set(ports.values()) == {int(each.rpartition(":")[2]) for each in published}
        if ports:
            offered = {each["targetPort"]: each["port"] for each in made[name]["spec"]["ports"]}
            assert offered == ports


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_the_configuration_names_is_there(overlay: str) -> None:
    manifests = build(overlay)
    [made] = [
        each for each in of_kind(manifests, "ConfigMap").values() if "headgate.toml" in each["data"]
    ]
    written = made["data"]["headgate.toml"]
    offered = {
        f"{name}:{port['port']}"
        for name, each in of_kind(manifests, "Service").items()
        for port in each["spec"]["ports"]
    }
    # The operator's own, of the name that it makes of the FlinkDeployment's.
    [job] = of_kind(manifests, "FlinkDeployment")
    offered.add(f"{job}-rest:8081")
    named = re.findall(r'^(?:endpoint|bootstrap|flink) = "(?:http://)?([^"]+)"', written, re.M)
    elsewhere = {"kafka-bootstrap.kafka:9092"} if overlay == "production" else set()
    assert len(named) == 4
    assert set(named) - elsewhere <= offered


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_select_something(overlay: str) -> None:
    labels = [pod["metadata"]["labels"] for pod in every_pod(overlay).values()]
    manifests = build(overlay)
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
        for name, each in of_kind(manifests, kind).items():
            spec = each["spec"]
            if kind == "Service":
                selectors = [spec["selector"]]
            elif kind == "PodDisruptionBudget":
                selectors = [spec["selector"]["matchLabels"]]
            else:
                peers = [peer for rule in spec.get("ingress", []) for peer in rule["from"]]
                own = [peer["podSelector"] for peer in peers if "namespaceSelector" not in peer]
                selectors = [e.get("matchLabels", {}) for e in (spec["podSelector"], *own)]
            for selector in selectors:
                found = [each for each in labels if is_matched(selector, each)]
                assert found, f"{kind} {name} selects no pod: {selector}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nobody_is_called_but_by_those_who_are_named(overlay: str) -> None:
    policies = of_kind(build(overlay), "NetworkPolicy")
    assert policies["nobody-calls"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    for name, each in policies.items():
        for rule in each["spec"].get("ingress", []):
            assert rule["from"], name
            for peer in rule["from"]:
                if "namespaceSelector" in peer:
                    assert peer["podSelector"]["matchLabels"], f"{name}: a whole namespace"
                    assert rule["ports"], name


def test_the_job_can_be_called_by_those_who_must() -> None:
    """A TaskManager calls agents, the console calls Flink, agents and history, the door agents."""
    policies, labels = of_kind(base(), "NetworkPolicy"), {}
    for name, pod in (pods(base()) | flink_pods(base())).items():
        labels[name] = pod["metadata"]["labels"]
    calls = [("taskmanager", "jobmanager", 6123), ("jobmanager", "taskmanager", 6122)]
    calls += [("taskmanager", "agent", 7070), ("door", "agent", 7070), ("console", "agent", 7070)]
    calls += [("console", "jobmanager", 8081), ("console", "history", 7091)]

    def may(caller: str, called: str, port: int) -> bool:
        return any(
            is_matched(policy["spec"]["podSelector"].get("matchLabels", {}), labels[called])
            and any(
                "namespaceSelector" not in peer
                and is_matched(peer["podSelector"]["matchLabels"], labels[caller])
                for peer in rule["from"]
            )
            and ("ports" not in rule or port in {each["port"] for each in rule["ports"]})
            for policy in policies.values()
            for rule in policy["spec"].get("ingress", [])
        )

    assert [call for call in calls if not may(*call)] == []
    assert not may("agent", "jobmanager", 8081)
    assert not may("agent", "history", 7091)
    assert not may("door", "jobmanager", 8081)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_container_is_bounded_ready_when_it_says_so_and_may_do_little(overlay: str) -> None:
    for name, pod in every_pod(overlay).items():
        own = pod["spec"]["securityContext"]
        assert own["runAsNonRoot"] is True, name
        assert own["runAsUser"] > 0
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}
        [container] = pod["spec"]["containers"]
        for bound in ("requests", "limits"):
            assert set(container["resources"][bound]) == {"cpu", "memory"}, name
        assert container["readinessProbe"], name
        limits = container["securityContext"]
        assert limits["allowPrivilegeEscalation"] is False, name
        assert limits["capabilities"] == {"drop": ["ALL"]}, name


def test_secrets_are_named_and_never_written() -> None:
    manifests = build("production")
    assert of_kind(manifests, "Secret") == {}
    named = set()
    for pod in every_pod("production").values():
        for container in pod["spec"]["containers"]:
            for variable in container.get("env", []):
                assert set(variable) == {"name", "valueFrom"}, variable
                named.add(variable["valueFrom"]["secretKeyRef"]["name"])
    assert named == {"headgate-console", "headgate-history", "headgate-redis", "headgate-s3"}
    # The page says how each is made.
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for name in named:
        assert f"create secret generic {name}" in page
    written = " ".join(str(each) for each in manifests)
    assert not re.search(r"s3\.(access|secret)-key|password *[=:]|://[^/ ]*:[^/ ]*@", written, re.I)


def test_locally_the_secrets_are_those_that_production_asks_for() -> None:
    secrets = of_kind(build("local"), "Secret")
    for pod in every_pod("local").values():
        for container in pod["spec"]["containers"]:
            for variable in container.get("env", []):
                if "valueFrom" in variable:
                    asked = variable["valueFrom"]["secretKeyRef"]
                    assert asked["key"] in secrets[asked["name"]]["data"]


def test_local_kafka_and_redis_are_docker_composes() -> None:
    [made] = [
        each["data"]["server.properties"]
        for each in of_kind(build("local"), "ConfigMap").values()
        if "server.properties" in each["data"]
    ]
    addresses = {
        "advertised.listeners",
        "controller.quorum.voters",
        "listeners",
        "listener.security.protocol.map",
    }
    composed = (ROOT / "docker" / "kafka.properties").read_text(encoding="utf-8")
    ours, theirs = properties(made), properties(composed)
    assert {k: v for k, v in ours.items() if k not in addresses} == {
        k: v for k, v in theirs.items() if k not in addresses
    }
    found = pods(build("local"))
    [kafka] = found["kafka"]["spec"]["containers"]
    heap = services()["kafka"]["environment"]["KAFKA_HEAP_OPTS"]
    assert kafka["env"] == [{"name": "KAFKA_HEAP_OPTS", "value": heap}]
    [redis] = found["redis"]["spec"]["containers"]
    assert words(redis["command"])[:-2] == words(services()["redis"]["command"])


def test_the_store_is_one_bucket_and_its_plugin_is_in_the_image() -> None:
    settings = the_job(base())["flinkConfiguration"]
    paths = {value for value in settings.values() if str(value).startswith("s3")}
    assert {path.split("/")[2] for path in paths} == {"headgate"}
    assert len(paths) == 3
    [minio] = pods(build("local"))["minio"]["spec"]["containers"]
    assert "mkdir -p /data/headgate " in minio["command"][-1]
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    release = the_job(base())["image"].partition(":")[2]
    assert f"opt/flink-s3-fs-presto-{release}.jar /opt/flink/plugins/" in dockerfile


def test_prometheus_scrapes_the_same_names_and_labels_as_docker_composes() -> None:
    [monitor] = of_kind(base(), "ServiceMonitor").values()
    [endpoint] = monitor["spec"]["endpoints"]
    text = (ROOT / "monitoring" / "prometheus.yml").read_text(encoding="utf-8")
    [job] = yaml.safe_load(text)["scrape_configs"]
    renamed = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    ours = [
        {renamed.get(key, key): value for key, value in rule.items()}
        for rule in endpoint["metricRelabelings"]
    ]
    assert ours == job["metric_relabel_configs"]
    labels = {rule["targetLabel"] for rule in endpoint["relabelings"]}
    assert labels == {"job", *(key for each in job["static_configs"] for key in each["labels"])}
    assert {"targetLabel": "job", "replacement": job["job_name"]} in endpoint["relabelings"]
    service = of_kind(base(), "Service")["headgate-metrics"]
    assert is_matched(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
    [port] = service["spec"]["ports"]
    lowest = str(flink_settings()["metrics.reporter.prom.port"]).partition("-")[0]
    assert (port["name"], port["targetPort"]) == (endpoint["port"], int(lowest))


def test_alerts_are_those_of_monitoring() -> None:
    [rules] = of_kind(base(), "PrometheusRule").values()
    text = (ROOT / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    assert rules["spec"] == yaml.safe_load(text)


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PrometheusRule"])
def test_prometheus_types_are_only_where_its_operator_is(kind: str) -> None:
    assert list(of_kind(build("production"), kind)) == ["headgate"]
    assert of_kind(build("local"), kind) == {}


@pytest.mark.parametrize(("overlay", "folder"), [("local", BASE), ("production", PRODUCTION)])
def test_checkpoints_may_fail_for_as_long_as_transactions_live(overlay: str, folder: Path) -> None:
    settings = the_job(build(overlay))["flinkConfiguration"]
    allowed = int(settings["execution.checkpointing.tolerable-failed-checkpoints"])
    job = load(folder / "headgate.toml").job
    assert allowed * job.checkpoint_interval == job.transaction_timeout


def test_the_job_survives_its_jobmanager_and_an_upgrade() -> None:
    for overlay in OVERLAYS:
        job = the_job(build(overlay))
        assert job["job"]["upgradeMode"] == "last-state"
        settings = job["flinkConfiguration"]
        assert settings["high-availability.type"] == "kubernetes"
        kept = "execution.checkpointing.externalized-checkpoint-retention"
        assert settings[kept] == "RETAIN_ON_CANCELLATION"
    assert the_job(build("production"))["jobManager"]["replicas"] == 2
