"""Puts Restate's server and Python SDK into a folder of their own; twice costs nothing."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SERVER = "@restatedev/restate-server@1.7.12"
SDK = ("restate-sdk==1.3.0", "hypercorn==0.18.0")
STAMP = ".installed"


@dataclass(frozen=True)
class Installed:
    """Where the server and an interpreter with the SDK are."""

    server: Path
    python: Path


def install(folder: Path, say: Callable[[str], None]) -> Installed:
    """Install what is not there yet; exits if there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("--peer restate needs npm, which is not on the PATH")
    python = folder / "venv" / "bin" / "python"
    wanted = " ".join([SERVER, *SDK])
    stamp = folder / STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        say(f"installing {wanted} (once)")
        folder.mkdir(parents=True, exist_ok=True)
        # No install scripts: one of a dependency reports the installation to its authors.
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        _run([npm, "install", "--prefix", str(folder), *quiet, SERVER])
        _run([sys.executable, "-m", "venv", str(folder / "venv")])
        _run([str(python), "-m", "pip", "install", "--quiet", *SDK])
        stamp.write_text(wanted, encoding="utf-8")
    found = list((folder / "node_modules" / "@restatedev").glob("*/bin/restate-server"))
    if not found:
        sys.exit(f"npm installed no restate-server for this machine below {folder}")
    return Installed(found[0], python)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
