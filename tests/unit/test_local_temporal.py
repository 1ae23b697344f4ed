"""Temporal's server as a part of the stack: how it is built, and what is said when it is not."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest

from headgate.cli import app
from headgate.errors import HeadgateError
from headgate.local import temporal, temporal_build
from headgate.local.jars import MissingToolError
from headgate.local.process import Family, ProcessDiedError
from headgate.local.stack import LocalStack
from headgate.local.state_file import StackState
from headgate.local.supervisor import Supervisor
from headgate.local.temporal import Temporal

BUILDS = 'echo a/package; mkdir -p "$GOBIN"; echo "$GOFLAGS $*" > "$GOBIN/server"'


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go that is not one: a script; no other is to be found."""
    path = tmp_path / "bin" / "go"
    path.parent.mkdir()
    for name in ("mkdir", "seq", "sleep"):
        (path.parent / name).symlink_to(shutil.which(name) or name)
    write(path, BUILDS)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


def write(path: Path, script: str) -> None:
    """Write a program."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_it_is_built_once(tmp_path: Path, go: Path) -> None:
    said: list[str] = []
    program = temporal_build.build(tmp_path / "cache", said.append)
    assert program == tmp_path / "cache" / "server"
    wanted = f"-mod=mod install -v go.temporal.io/server/cmd/server@{temporal_build.VERSION}\n"
    assert program.read_text() == wanted
    [line] = said
    assert "once" in line
    go.unlink()
    assert temporal_build.build(tmp_path / "cache", said.append) == program
    assert said == [line], "what is there needs no Go"


def test_without_go_the_package_is_named(tmp_path: Path, go: Path) -> None:
    go.unlink()
    with pytest.raises(MissingToolError, match="apt install golang") as missing:
        temporal_build.build(tmp_path / "cache")
    assert str(tmp_path / "cache" / "server") in str(missing.value)


def test_a_build_that_fails_says_how_it_ended(tmp_path: Path, go: Path) -> None:
    write(go, 'seq 100; echo "go: no route to the proxy" >&2; exit 1')
    with pytest.raises(HeadgateError, match="no route to the proxy") as failed:
        temporal_build.build(tmp_path / "cache")
    assert "\n99\n" in str(failed.value)
    assert "\n10\n" not in str(failed.value), "its end, and no more"
    assert not (tmp_path / "cache" / "server").exists()
    write(go, BUILDS)
    assert temporal_build.build(tmp_path / "cache").is_file(), "the next start tries again"


def test_a_build_that_takes_long_says_so_and_ends(
    tmp_path: Path, go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal_build, "SAY_SECONDS", 0.0)
    monkeypatch.setattr(temporal_build, "BUILD_SECONDS", 1.0)
    write(go, "echo one/package; exec sleep 600")
    said: list[str] = []
    with pytest.raises(HeadgateError, match=r"(?s)not built after 1 s.*one/package"):
        temporal_build.build(tmp_path / "cache", said.append)
    assert "still building" in said[-1]
    assert "one/package" in said[-1]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    write(tmp_path / "server", "echo the database is of a newer version; exit 1")
    with Family() as family:
        supervisor = Supervisor(family)
        made = Temporal(family, supervisor, tmp_path / "temporal", tmp_path / "server")
        made.launch()
        with pytest.raises(ProcessDiedError, match="of a newer version"):
            made.await_serving()
        supervisor.stop()
        made.stop()
        assert made.pid is None


def test_it_is_given_ports_of_loopback_and_a_place_below_home(tmp_path: Path) -> None:
    write(tmp_path / "server", "exec sleep 600")
    with Family() as family:
        supervisor = Supervisor(family)
        made = Temporal(family, supervisor, tmp_path / "temporal", tmp_path / "server")
        made.launch()
        again = Temporal(family, supervisor, tmp_path / "temporal", tmp_path / "server")
        supervisor.stop()
        made.stop()
    assert again.target == made.target
    config = yaml.safe_load((tmp_path / "temporal" / "config" / "stack.yaml").read_text())
    services = config["services"].values()
    assert all(each["rpc"]["bindOnLocalHost"] for each in services)
    assert f"127.0.0.1:{config['services']['frontend']['rpc']['grpcPort']}" == made.target
    assert (tmp_path / "temporal" / "data").is_dir()


def test_the_namespace_is_asked_for_as_temporal_reads_it() -> None:
    request = RegisterNamespaceRequest.FromString(temporal.REGISTRATION)
    assert request.namespace == temporal.NAMESPACE
    assert request.workflow_execution_retention_period.ToSeconds() == 3 * 86_400


def test_a_fresh_start_keeps_the_program(tmp_path: Path) -> None:
    data = tmp_path / "temporal" / "data"
    program = tmp_path / "temporal" / temporal_build.VERSION / "server"
    for folder in (data, program.parent):
        folder.mkdir(parents=True)
    program.touch()
    LocalStack(tmp_path).erase()
    assert program.is_file()
    assert not data.exists()


def test_temporal_beside_a_stack_that_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(HeadgateError, match="has not been started"):
        LocalStack(tmp_path).start_temporal()


@pytest.mark.parametrize("temporal_at", ["", "127.0.0.1:7233"])
def test_status_shows_its_address(
    temporal_at: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = StackState(1, "running", temporal=temporal_at)
    monkeypatch.setattr("headgate.local.state_file.read", lambda _: state)
    monkeypatch.setattr(sys, "argv", ["headgate", "status", "--home", str(tmp_path)])
    with pytest.raises(SystemExit):
        app.main()
    shown = capsys.readouterr().out
    assert ("Temporal" in shown) is bool(temporal_at)
    assert temporal_at in shown


def test_dev_passes_it_on_when_it_detaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, go: Path
) -> None:
    """And has built by then: the process that is awaited need not."""
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr("headgate.cli.dev._detach", lambda *args: called.append(args[3:]))
    monkeypatch.setattr(temporal_build, "default_folder", lambda: tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    given = ["headgate", "dev", "--detach", "--temporal"]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit):
        app.main()
    assert called == [("--temporal",)]
    assert (tmp_path / "cache" / "server").is_file()
