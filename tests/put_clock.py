"""Wall clocks of child processes that a test can put, while they run."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


def build(folder: Path) -> Path | None:
    """Compile the library for LD_PRELOAD; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    made = folder / "clock.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-nostdlib", "-fno-builtin"]
    subprocess.run([*command, str(SOURCE), "-o", str(made)], check=True)
    return made


class PutClock:
    """The clock of all processes that are started with its `environment`."""

    def __init__(self, library: Path, file: Path) -> None:
        """The true time, at first. ``file`` is where it stands."""
        self._file = file
        file.write_bytes(struct.pack("@q", 0))
        self.environment = {"LD_PRELOAD": str(library), "HEADGATE_TEST_CLOCK": str(file)}

    def put(self, seconds: int) -> None:
        """Put it so far ahead of the true time."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("@q", seconds))
