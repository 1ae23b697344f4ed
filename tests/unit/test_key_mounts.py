"""Compose and Kubernetes bring the list of keys to every process of Headgate's, and to no other."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests import ROOT, flink_pods, kustomize, pods

FOLDER = "/run/secrets/headgate"
NO_NEED = {"kafka", "redis", "postgres", "minio", "prometheus", "grafana", "agent"}
"""Others' servers, and the agent service, which is called in the clear: by design."""


def compose(keys: str | None) -> subprocess.CompletedProcess[str]:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed (apt-get install docker-compose)")
    environment = {**os.environ}
    environment.pop("HEADGATE_KEYS", None)
    if keys is not None:
        environment["HEADGATE_KEYS"] = keys
    files = ("-f", "docker-compose.yml", "-f", "docker/encryption.yml")
    return subprocess.run(
        [program, *files, "config"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_container_of_headgates_has_the_list(tmp_path: Path) -> None:
    run = compose(str(tmp_path))
    assert run.returncode == 0, run.stderr
    services: dict[str, Any] = yaml.safe_load(run.stdout)["services"]
    having = {
        name
        for name, service in services.items()
        for volume in service.get("volumes", [])
        if isinstance(volume, dict) and volume["target"] == FOLDER
    }
    assert having == services.keys() - NO_NEED
    for name in having:
        [mount] = [each for each in services[name]["volumes"] if isinstance(each, dict)]
        assert mount["read_only"]
        assert mount["source"] == str(tmp_path)


def test_compose_says_what_is_missing() -> None:
    run = compose(None)
    assert run.returncode != 0
    assert "the folder with the list of keys" in run.stderr


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_each_pod_of_headgates_has_the_list(overlay: str, tmp_path: Path) -> None:
    base = os.path.relpath(ROOT / "k8s", tmp_path)
    index = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{base}/overlays/{overlay}"],
        "components": [f"{base}/components/encryption"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(index), encoding="utf-8")
    run = subprocess.run([*kustomize(), str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    manifests = list(yaml.safe_load_all(run.stdout))
    found = pods(manifests) | flink_pods(manifests)
    having = set()
    for name, pod in found.items():
        spec = pod["spec"]
        [container] = spec["containers"]
        for mount in container.get("volumeMounts", []):
            if mount["mountPath"] != FOLDER:
                continue
            [volume] = [each for each in spec["volumes"] if each["name"] == mount["name"]]
            assert volume["secret"]["secretName"] == "headgate-keys"
            # A file of a volume is root's: the group reads it.
            assert volume["secret"]["defaultMode"] == 0o440
            assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"]
            assert mount["readOnly"]
            having.add(name)
    assert having == found.keys() - NO_NEED
