"""docs/deploy.md: every command of it that can be run without a cluster is run here."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.manifests import OVERLAYS, ROOT, base, build, kustomize, of_kind, services, the_job

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
# Theirs is a cluster, or an engine, that answers.
CANNOT = (
    "docker-compose build",
    "docker-compose up",
    "helm ",
    "kind ",
    "kubectl -n ",
    "kubectl apply",
    "kubectl create",
)
# Of Flink's distribution, or of a job that runs: tests/flink does those.
FLINK = ("$FLINK_HOME/", "export ", "mkdir $FLINK_HOME", "cp $FLINK_HOME", "headgate ")


def commands() -> Iterator[str]:
    """Return every command of the page's shell blocks, without its comment."""
    for kind, text in BLOCK.findall(PAGE):
        if kind == "sh":
            for line in text.replace("\\\n", " ").splitlines():
                yield re.sub(r"\s+#.*", "", line).strip()


RUN = [each for each in commands() if not each.startswith(CANNOT + FLINK)]


@pytest.mark.parametrize("command", RUN)
def test_a_command_runs(command: str) -> None:
    program, *rest = shlex.split(command)
    if program == "kubectl":
        assert rest.pop(0) == "kustomize"
        run = [*kustomize(), *rest]
    else:
        found = shutil.which(program)
        if found is None:
            pytest.skip(f"{program} is not installed")
        run = [found, *rest]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_that_is_all_that_can_be_run() -> None:
    assert len(RUN) == len(OVERLAYS) + 1, RUN


@pytest.mark.parametrize("command", [each for each in commands() if each.startswith("kubectl")])
def test_what_a_command_names_is_there(command: str) -> None:
    words = shlex.split(command)
    for path in (word for word in words if word.startswith("k8s/")):
        assert (ROOT / path / "kustomization.yaml").is_file()
    manifests = build("production")
    if "-n" in words:
        assert words[words.index("-n") + 1] in of_kind(manifests, "Namespace")
    if "flinkdeployment" in words:
        name = words[words.index("flinkdeployment") + 1]
        assert name in of_kind(manifests, "FlinkDeployment")
    if "-p" in words:
        patch = yaml.safe_load(words[words.index("-p") + 1])
        assert set(patch["spec"]["job"]) == {"initialSavepointPath"}
    for word in words:
        if word.startswith("service/"):
            [port] = of_kind(manifests, "Service")[word.removeprefix("service/")]["spec"]["ports"]
            assert str(port["port"]) == words[words.index(word) + 1]


def test_images_that_are_built_are_those_that_are_loaded() -> None:
    [build_line] = [each for each in commands() if each.startswith("docker-compose build")]
    [load_line] = [each for each in commands() if each.startswith("kind load")]
    built = {services()[name]["image"] for name in build_line.split()[2:]}
    loaded = {word.removesuffix(":latest") for word in load_line.split()[3:]}
    assert built == loaded


def test_ports_of_the_page_are_published() -> None:
    [line] = re.findall(r"^- All ports are published on loopback: (.*?)\.\n", PAGE, re.M | re.S)
    told = set(map(int, re.findall(r"\d+", line)))
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert told == {int(port.split(":")[1]) for port in ports}


def test_memory_of_the_page_is_the_sum_of_limits() -> None:
    units = {"m": 1 / 1_024, "g": 1}
    limits = [service["mem_limit"] for service in services().values()]
    total = sum(int(each[:-1]) * units[each[-1]] for each in limits)
    assert f"{total:.1f} GB of memory" in PAGE


def test_settings_of_the_page_are_those_of_the_job() -> None:
    [told] = [
        text for kind, text in BLOCK.findall(PAGE) if kind == "yaml" and "s3.endpoint" in text
    ]
    shipped = {
        **the_job(base())["flinkConfiguration"],
        **the_job(build("local"))["flinkConfiguration"],
    }
    for key, value in yaml.safe_load(told).items():
        assert key in shipped
        if key != "s3.endpoint":
            assert str(value).lower() == shipped[key]


def test_the_schema_in_tests_is_the_one_that_the_page_asks_for() -> None:
    schema = Path(__file__).with_name("schemas") / "flinkdeployment.json"
    [release] = re.findall(r"The operator \*\*(\d+\.\d+) or newer", PAGE)
    assert f"{release}-" in schema.read_text(encoding="utf-8").split('"$comment"')[1][:200]
