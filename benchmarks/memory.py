"""Resident memory by process, read from /proc."""

from pathlib import Path

from benchmarks.cpu import Processes


def resident_mb(processes: Processes) -> dict[str, float]:
    """Return the megabytes of each name's processes that are in RAM."""
    return {name: sum(map(_resident, pids)) / 1e6 for name, pids in processes().items()}


def largest_mb(processes: Processes) -> dict[str, float]:
    """Return the megabytes of each name's largest process that are in RAM; 0 if there is none."""
    found = processes().items()
    return {name: max(map(_resident, pids), default=0) / 1e6 for name, pids in found}


def _resident(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
