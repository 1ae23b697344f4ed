"""The parts of the embedded stack that need neither Kafka nor Flink."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.errors import ConfigError
from headgate.local import flink_home, state_file, watchdog
from headgate.local.jars import settings_folder
from headgate.local.ports import free_ports, is_free, remembered_ports
from headgate.local.process import Family, ProcessDiedError
from headgate.local.supervisor import Supervisor

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
PARENT_OF_A_SLEEPER = [
    sys.executable,
    "-S",
    "-c",
    "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True);"
    "time.sleep(600)",
]
OWNER = """
import sys, time
from pathlib import Path
from headgate.local.process import Family
family = Family()
log = Path(sys.argv[1])
family.spawn("parent", {command!r}, log=log)
while not log.read_text():
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie whose parent is gone does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def await_true(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not become true in time"
        time.sleep(0.01)


def test_free_ports_are_distinct_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(5)
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(ports)) == 5
    assert all(port < first and is_free(port) for port in ports)


def test_ports_stay_the_same_from_start_to_start(tmp_path: Path) -> None:
    ports = remembered_ports(tmp_path / "ports", 2)
    assert remembered_ports(tmp_path / "ports", 2) == ports
    (tmp_path / "ports").write_text("nonsense")
    assert len(remembered_ports(tmp_path / "ports", 2)) == 2


def test_settings_are_flat_and_overridden_by_the_cluster(tmp_path: Path) -> None:
    shared = settings_folder() / "config.yaml"
    flink_home.write_configuration(tmp_path, shared, {"taskmanager.numberOfTaskSlots": "3"})
    rendered = flink_home.read_settings((tmp_path / "config.yaml").read_text())
    assert rendered["taskmanager.numberOfTaskSlots"] == "3"
    assert rendered["state.backend.type"] == "rocksdb"
    assert (tmp_path / "log4j-console.properties").is_file()


def test_every_setting_has_a_reason() -> None:
    lines = (settings_folder() / "config.yaml").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        is_setting = bool(line) and not line.startswith("#")
        assert not is_setting or before, f"no comment above {line}"


@pytest.mark.parametrize("text", ["a:\n  b: 1\n", "  a: 1\n", "a\n"])
def test_nested_settings_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="line 1"):
        flink_home.read_settings(text)


def test_servers_listen_on_loopback_only() -> None:
    settings = flink_home.read_settings((settings_folder() / "config.yaml").read_text())
    hosts = {key: value for key, value in settings.items() if key.endswith("host")}
    assert set(hosts.values()) == {"127.0.0.1"}
    assert len(hosts) == 3


def test_watchdog_follows_births_and_ends() -> None:
    groups: set[int] = set()
    for line in ("+12", "+7", "-12", "garbage", "+", ""):
        watchdog.apply(groups, line)
    assert groups == {7}


def test_a_child_that_ends_early_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Family() as family:
        child = family.spawn(
            "kafka", ["sh", "-c", "echo no space left; exit 3"], log=tmp_path / "l"
        )
        with pytest.raises(ProcessDiedError, match=r"(?s)kafka ended with code 3.*no space left"):
            child.await_ready(lambda: False, 5.0)


def test_grandchildren_end_with_their_group(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Family() as family:
        child = family.spawn("parent", PARENT_OF_A_SLEEPER, log=log)
        await_true(log.read_text)
        family.end(child)
        await_true(lambda: not is_alive(int(log.read_text())))


def test_no_orphan_when_the_owner_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    code = OWNER.format(command=PARENT_OF_A_SLEEPER)
    with subprocess.Popen([sys.executable, "-c", code, str(log)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        grandchild = int(log.read_text())
        assert is_alive(grandchild)
        owner.kill()
    await_true(lambda: not is_alive(grandchild))


def test_a_supervised_child_is_replaced_with_all_that_was_in_its_group(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Family() as family:
        supervisor = Supervisor(family)
        supervisor.keep("tm", lambda: family.spawn("tm", PARENT_OF_A_SLEEPER, log=log))
        first = supervisor.child("tm")
        assert first is not None
        await_true(log.read_text)
        grandchild = int(log.read_text().split()[0])
        first.kill()
        await_true(lambda: supervisor.restarts() == {"tm": 1})
        second = supervisor.child("tm")
        assert second is not None
        assert second.pid != first.pid
        await_true(lambda: not is_alive(grandchild))
        supervisor.stop()


def test_a_wait_for_a_child_outlives_its_kills_but_not_its_own_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pids: set[int] = set()

    def is_ready_in_its_third_life() -> bool:
        child = supervisor.child("service")
        assert child is not None
        pids.add(child.pid)
        if len(pids) < 3:
            child.kill()
            assert not child.is_alive()
        return len(pids) == 3

    with Family() as family:
        supervisor = Supervisor(family)
        supervisor.keep("service", lambda: family.spawn("service", SLEEP, log=log))
        supervisor.await_ready("service", is_ready_in_its_third_life, 20.0, log)
        supervisor.keep("broken", lambda: family.spawn("broken", ["sh", "-c", "exit 3"], log=log))
        with pytest.raises(ProcessDiedError, match="broken"):
            supervisor.await_ready("broken", lambda: False, 2.0, log)
        supervisor.stop()


def test_one_stack_per_folder(tmp_path: Path) -> None:
    lock = state_file.acquire(tmp_path)
    state_file.StackState(os.getpid(), "running").write(tmp_path)
    with pytest.raises(state_file.StackRunningError, match="headgate down"):
        state_file.acquire(tmp_path)
    assert state_file.read(tmp_path) == state_file.StackState(os.getpid(), "running")
    os.close(lock)
    assert state_file.read(tmp_path) is None  # the file of a killed stack does not count


def test_the_lock_is_held_until_the_watchdog_has_cleared_away(tmp_path: Path) -> None:
    lock = state_file.acquire(tmp_path)
    family = Family(lock)
    child = family.spawn("sleeper", SLEEP, log=tmp_path / "log")
    os.close(lock)
    assert state_file.is_locked(tmp_path)
    family.close()
    assert child.popen.wait(5.0) == -signal.SIGKILL
    assert not state_file.is_locked(tmp_path)


def test_nothing_to_end(tmp_path: Path) -> None:
    assert state_file.end(tmp_path) is False
