"""A real PostgreSQL server for tests, on a port and in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from headgate.local.ports import free_ports

START_SECONDS = 60.0
POLL_SECONDS = 0.1


class PostgresServer:
    """Initialised and started; may be killed and started again, over the same data."""

    def __init__(self) -> None:
        """Skips the test where PostgreSQL is not installed."""
        self._programs = programs()
        self._port = free_ports(1)[0]
        self._databases = 0
        # Not pytest's: the server refuses to run as root, and another user cannot read in there.
        self._folder = Path(tempfile.mkdtemp(prefix="headgate-postgres-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
        data = str(self._folder / "data")
        made = [self._programs / "initdb", "-D", data, "-U", "headgate", "-A", "trust", "-N"]
        self._run([str(part) for part in made])
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it serves."""
        command = [str(self._programs / "postgres"), "-D", str(self._folder / "data")]
        command += ["-p", str(self._port), "-h", "127.0.0.1", "-k", str(self._folder)]
        # What a killed server wrote, the kernel has; a machine that crashes takes the test with it.
        command += ["-c", "fsync=off"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, cwd=self._folder
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self._url("postgres")).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(POLL_SECONDS)

    def database(self) -> str:
        """Make a database and return the store's URL for it."""
        self._databases += 1
        name = f"history{self._databases}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def kill(self) -> None:
        """End it as a crash does: the server and all that serve its connections."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        self._process.kill()
        self._process.wait()
        # They find their parent gone by themselves; the data is locked until they have.
        deadline = time.monotonic() + START_SECONDS
        while any(Path(f"/proc/{pid}").exists() for pid in children.split()):
            assert time.monotonic() < deadline
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """End it and remove its data."""
        if self._process is not None:
            # At once: it would write the pages of all databases first, which are removed next.
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _url(self, name: str) -> str:
        return f"postgresql://headgate@127.0.0.1:{self._port}/{name}"

    def _run(self, command: list[str]) -> None:
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=self._folder)


def programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs; skips where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    on_path = shutil.which("initdb")
    if not found and not on_path:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    return found[-1].parent if found else Path(str(on_path)).parent


def _version(program: Path) -> int:
    text = program.parts[-3]
    return int(text) if text.isdecimal() else 0
