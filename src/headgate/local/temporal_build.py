"""Temporal's server as a program: built with Go once, and kept for all stacks of a working copy."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from headgate.errors import HeadgateError
from headgate.local.jars import MissingToolError, settings_folder

VERSION = "v1.32.0"
SOURCE = "go.temporal.io/server/cmd/server"
# From an empty cache of Go's it takes one to five minutes on two cores, most of it compiling. One
# that has not ended by now waits for a network that swallows what is sent.
BUILD_SECONDS = 1_200.0
SAY_SECONDS = 15.0  # a terminal that is silent for longer looks as if it hung
POLL_SECONDS = 0.1
LOG_TAIL_LINES = 12


def default_folder() -> Path:
    """Return where all stacks of this working copy share the program."""
    return settings_folder().parent / ".headgate" / "temporal" / VERSION


def build(folder: Path | None = None, say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the path of the server's program; built if it is not there, twice costs nothing.

    Raises MissingToolError without Go (only if there is something to build), HeadgateError with the
    end of the build's log if that fails.
    """
    folder = (folder or default_folder()).resolve()
    program = folder / "server"
    if program.is_file():
        return program
    go = shutil.which("go")
    if go is None:
        message = (
            f"Go is missing; it builds Temporal's server {VERSION}, once. Debian and Ubuntu: apt "
            f"install golang, or put a server that you have built elsewhere at {program}"
        )
        raise MissingToolError(message)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        # Two first starts at once would compile the same for twice as long.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            _build(go, folder, say)
            # In one step: a build that was interrupted leaves no half program to be started.
            (folder / "new" / "server").replace(program)
    return program


def _build(go: str, folder: Path, say: Callable[[str], None]) -> None:
    """Compile the server into `folder/new`, and say how far it is."""
    say(f"building Temporal's server {VERSION} with Go (once; some minutes)")
    log = folder / "build.log"
    began = said = time.monotonic()
    with log.open("wb") as output:
        running = subprocess.Popen(
            # -v: a line for each package, so that one sees it move.
            [go, "install", "-v", f"{SOURCE}@{VERSION}"],
            env={**os.environ, "GOFLAGS": "-mod=mod", "GOBIN": str(folder / "new")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while running.poll() is None:
            now = time.monotonic()
            if now - began > BUILD_SECONDS:
                message = f"not built after {BUILD_SECONDS:.0f} s. {_end_of(log)}"
                raise HeadgateError(message)
            if now - said >= SAY_SECONDS:
                said = now
                lines = _lines(log)
                say(f"still building, {now - began:.0f} s: {lines[-1] if lines else '...'}")
            time.sleep(POLL_SECONDS)
    finally:
        # Ctrl-C during the build as well.
        running.kill()
        running.wait()
    if running.returncode != 0:
        message = f"Go could not build Temporal's server {VERSION}. {_end_of(log)}"
        raise HeadgateError(message)


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def _end_of(log: Path) -> str:
    return f"The end of {log}:\n" + "\n".join(_lines(log)[-LOG_TAIL_LINES:])
