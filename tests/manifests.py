"""What is shipped, as data: docker-compose.yml, and k8s/ as kustomize builds it."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from headgate.cli.app import app

ROOT = Path(__file__).parents[1]
OVERLAYS = ("local", "production")
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
BUILD_SECONDS = 300
"""Half a minute where Go has its modules; minutes where they must come over a slow line."""

Manifest = dict[str, Any]


def services() -> dict[str, Any]:
    """Return the services of docker-compose.yml, by name."""
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["services"]
    return found


def flink_settings() -> dict[str, Any]:
    """Return the settings of flink-conf/config.yaml."""
    text = (ROOT / "flink-conf" / "config.yaml").read_text(encoding="utf-8")
    settings: dict[str, Any] = yaml.safe_load(text)
    return settings


def properties(text: str) -> dict[str, str]:
    """Return the lines of a Java properties file."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def check_command(words: list[str]) -> None:
    """Fail if a `headgate` command does not exist, or does not take what it is given."""
    program, *rest = words
    assert program == "headgate", words
    command: Any = typer.main.get_command(app)
    parent = None
    while hasattr(command, "commands"):
        parent = command.make_context(program, [], parent, resilient_parsing=True)
        program, *rest = rest
        command = command.commands[program]
    # Raises for an option that is not there, or a value that it does not take.
    command.make_context(program, rest, parent)


def base() -> list[Manifest]:
    """Return every object of k8s/base as it is written."""
    folder = ROOT / "k8s" / "base"
    index = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    texts = [(folder / name).read_text(encoding="utf-8") for name in index["resources"]]
    return [each for text in texts for each in yaml.safe_load_all(text)]


@functools.cache
def kustomize() -> tuple[str, ...]:
    """Return the command that builds a folder: one that is installed, else one that Go builds here
    once; skips the test where there is neither.
    """
    if found := shutil.which("kustomize"):
        return (found, "build")
    if found := shutil.which("kubectl"):
        run = [found, "version", "--client"]
        said = subprocess.run(run, capture_output=True, text=True, check=False).stdout
        if re.search(r"Kustomize Version: v[5-9]", said):
            return (found, "kustomize")
    folder = ROOT / ".headgate" / "kustomize"
    program = folder / "kustomize"
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            pytest.skip("no kustomize 5, no kubectl with one, and no Go to build it with")
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [go, "install", KUSTOMIZE],
            env={**os.environ, "GOBIN": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS,
        )
        if done.returncode != 0:
            pytest.skip(f"Go cannot build kustomize: {done.stderr.strip().splitlines()[-1]}")
    return (str(program), "build")


@functools.cache
def _built(overlay: str) -> str:
    run = subprocess.run(
        [*kustomize(), str(ROOT / "k8s" / "overlays" / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def build(overlay: str) -> list[Manifest]:
    """Return every object that an overlay would apply."""
    return list(yaml.safe_load_all(_built(overlay)))


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Return the objects of a kind, by name."""
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def the_job(manifests: list[Manifest]) -> Manifest:
    """Return what the FlinkDeployment asks for."""
    [found] = of_kind(manifests, "FlinkDeployment").values()
    spec: Manifest = found["spec"]
    return spec


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the pod templates of all workloads but Flink's, by the workload's name."""
    found = of_kind(manifests, "Deployment") | of_kind(manifests, "StatefulSet")
    return {name: each["spec"]["template"] for name, each in found.items()}


def flink_pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return the pods of JobManager and TaskManager as the operator makes them: its labels, and
    the common template with the process' own laid over it.
    """
    spec = the_job(manifests)
    [common] = spec["podTemplate"]["spec"]["containers"]
    found = {}
    for process in ("jobManager", "taskManager"):
        own = spec[process]["podTemplate"]["spec"]
        [container] = own["containers"]
        labels = {"app": "headgate", "type": "flink-native-kubernetes"}
        labels["component"] = process.lower()
        merged = {**spec["podTemplate"]["spec"], **own}
        merged["containers"] = [
            {**common, **container, "image": spec["image"], "resources": spec[process]["resources"]}
        ]
        found[process.lower()] = {"metadata": {"labels": labels}, "spec": merged}
    return found


def words(command: str | list[str]) -> list[str]:
    """Return a command of docker-compose's or of Kubernetes' as words."""
    return shlex.split(command) if isinstance(command, str) else list(command)
