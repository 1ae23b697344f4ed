"""packages.txt, and `.ci/packages`, which names what is missing of it and as root installs it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASICS = ("rm", "chmod", "cat", "touch")
LISTED = """\
# PACKAGE   NEED   SIGN                      WHAT FOR
compiler    setup  compiles                  everything
snake       setup  $PYTHON:no_such_module    a module
server      tests  {folder}/*/serves|serves  a server
older       extra  ages                      what is old
"""


@dataclass
class Machine:
    """A folder for the script and its list, and one that is the whole PATH."""

    folder: Path

    def __post_init__(self) -> None:
        self.path = self.folder / "bin"
        for made in (self.path, self.folder / ".ci"):
            made.mkdir()
        self.script = Path(shutil.copy(ROOT / ".ci" / "packages", self.folder / ".ci"))
        for name in BASICS:
            (self.path / name).symlink_to(shutil.which(name) or name)
        listed = LISTED.format(folder=self.folder)
        (self.folder / "packages.txt").write_text(listed, encoding="utf-8")
        self.is_user(1000)
        self.command("python3.11", "exit 1")

    def command(self, name: str, does: str = "exit 0") -> None:
        """Put a command on the PATH."""
        (self.path / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (self.path / name).chmod(0o755)

    def is_user(self, number: int) -> None:
        """Say who runs the script."""
        self.command("id", f"echo {number}")

    def run(self, **environment: str) -> tuple[int, str]:
        """Run the script; return its code and what it said."""
        given = {"PATH": str(self.path), "POLICY": str(self.policy), **environment}
        done = subprocess.run(
            ["/bin/bash", str(self.script)],
            env=given,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def policy(self) -> Path:
        """What Debian asks before it starts a server."""
        return self.folder / "policy-rc.d"

    @property
    def asked(self) -> list[str]:
        """What apt-get was called with, options apart."""
        log = self.folder / "apt.log"
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        return [re.sub(r" ?(-o \S+|-\S+)", "", line) for line in lines]

    def has_mirror(self, does: str = "") -> None:
        """Put an apt-get on the PATH that notes what it is asked for, and then does that."""
        self.command("apt-get", f'echo "$@" >>{self.folder}/apt.log\n{does}')


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing is installed, and nobody is root."""
    return Machine(tmp_path)


def test_what_is_missing_is_named_with_the_command(machine: Machine) -> None:
    machine.has_mirror()
    code, said = machine.run()
    assert code == 1
    assert "Debian and Ubuntu: apt-get install -y compiler snake\n" in said
    assert "Debian and Ubuntu: apt-get install -y server older\n" in said
    assert re.search(r"compiler +everything\n", said)
    assert "make setup PYTHON=" in said
    assert machine.asked == []


def test_tests_alone_stop_nothing(machine: Machine) -> None:
    machine.command("compiles")
    machine.command("python3.11")
    code, said = machine.run()
    assert code == 0
    assert "Tests are skipped for want of:\n  server" in said
    assert "Headgate needs" not in said


def test_nothing_is_said_where_all_is_there(machine: Machine) -> None:
    for name in ("compiles", "ages"):
        machine.command(name)
    # Off the PATH, as PostgreSQL's programs are; and the Python that was named.
    (machine.folder / "15").mkdir()
    (machine.folder / "15" / "serves").touch()
    machine.command("mine")
    machine.is_user(0)
    machine.has_mirror()
    assert machine.run(PYTHON=str(machine.path / "mine")) == (0, "")
    assert machine.asked == []


def test_root_installs_what_is_missing_and_starts_no_server(machine: Machine) -> None:
    machine.is_user(0)
    bin_ = machine.path
    made = f"{bin_}/compiles {bin_}/serves"
    machine.has_mirror(
        f"cat {machine.policy} >{machine.folder}/policy.log\n"
        f"touch {made}; chmod +x {made}; echo exit 0 >{bin_}/python3.11"
    )
    code, said = machine.run()
    assert machine.asked == ["update", "install compiler snake", "install server"]
    assert (code, "Headgate needs" in said) == (0, False)
    assert "exit 101" in (machine.folder / "policy.log").read_text("utf-8")
    assert not machine.policy.exists()
    # Never by itself.
    assert "Tests are skipped for want of:\n  older" in said


def test_a_policy_that_is_there_is_left_as_it_is(machine: Machine) -> None:
    machine.is_user(0)
    machine.has_mirror()
    machine.policy.write_text("mine", encoding="utf-8")
    machine.run()
    assert machine.policy.read_text("utf-8") == "mine"


@pytest.mark.parametrize("is_needed", [False, True])
def test_a_mirror_that_cannot_be_reached_costs_what_is_missing(
    machine: Machine, is_needed: bool
) -> None:
    machine.is_user(0)
    machine.has_mirror("exit 100")
    machine.command("python3.11")
    if not is_needed:
        machine.command("compiles")
    code, said = machine.run()
    assert code == is_needed
    assert "Tests are skipped for want of:\n  server" in said
    assert ("apt-get install -y compiler\n" in said) == is_needed
    assert not machine.policy.exists()


def listed() -> list[list[str]]:
    """The fields of packages.txt's lines."""
    lines = (ROOT / "packages.txt").read_text("utf-8").splitlines()
    return [line.split(maxsplit=3) for line in lines if line and not line.startswith("#")]


def test_the_list_has_four_fields_a_line() -> None:
    assert {len(fields) for fields in listed()} == {4}
    assert {need for _, need, _, _ in listed()} == {"setup", "tests", "extra"}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_pages_name_what_setup_needs(page: str) -> None:
    [named] = re.findall(r"^`?apt-get install (.+?)`?\.?$", (ROOT / page).read_text("utf-8"), re.M)
    assert set(named.split()) == {package for package, need, _, _ in listed() if need == "setup"}


def test_the_makefile_names_packages_of_the_list() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    lines = re.findall(r"apt-get install ([^\"]+)", text)
    named = {package for line in lines for package in line.split()}
    assert named
    assert named <= {package for package, *_ in listed()}
