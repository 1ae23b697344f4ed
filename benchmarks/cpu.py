"""CPU time by process, read from /proc, and what the rest of the machine took meanwhile.

JVMs compile for minutes after their start, one more than the other, and less and less: compilers
are told apart from what their processes do otherwise, and so are the tasks of the job: a task that
is a thread can take as many turns as that thread has time for.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# /proc/stat, columns of the first line after "cpu": idle and iowait are the time of nobody; guest
# time, the last two, is part of user time already.
BUSY_COLUMNS = (0, 1, 2, 5, 6)
# What the hypervisor gave to other machines while this one had work to do.
STOLEN_COLUMN = 7

# HotSpot's threads, by as much of their names as the kernel keeps.
COMPILERS = ("C1 CompilerThre", "C2 CompilerThre")
# Flink's, which are named after the first operator of their task: "gate -> (billed".
TASKS = ("gate", "invoke", "ledger", "grants")

Processes = Callable[[], Mapping[str, list[int]]]


@dataclass(frozen=True, slots=True)
class CpuSample:
    """CPU seconds spent so far: by named processes, and by the whole machine.

    ``compilers``: the CPU seconds of the processes' compiler threads, by their ids. ``tasks``:
    those of the threads of each task of TASKS, by its name.
    """

    by_name: dict[str, float]
    machine: float
    stolen: float
    compilers: dict[int, float]
    tasks: dict[str, float]

    def since(self, earlier: "CpuSample") -> dict[str, float]:
        """Return the CPU seconds of each name since an earlier sample, compilers included."""
        return {
            name: max(0.0, seconds - earlier.by_name.get(name, 0.0))
            for name, seconds in self.by_name.items()
        }

    def compiled_since(self, earlier: "CpuSample") -> float:
        """Return the CPU seconds of all compilers since an earlier sample.

        Compiler threads come and go; what one did before it went is not known.
        """
        return sum(
            seconds - earlier.compilers.get(thread, 0.0)
            for thread, seconds in self.compilers.items()
        )

    def tasks_since(self, earlier: "CpuSample") -> dict[str, float]:
        """Return the CPU seconds of each task since an earlier sample."""
        return {name: spent - earlier.tasks[name] for name, spent in self.tasks.items()}

    def surroundings(self, earlier: "CpuSample", seconds: float) -> dict[str, float]:
        """Return the cores that others used and that were stolen: what spoils a measurement."""
        own = sum(self.since(earlier).values())
        return {
            # The load generator and this process are among them.
            "cores_of_others": (self.machine - earlier.machine - own) / seconds,
            "cores_stolen": (self.stolen - earlier.stolen) / seconds,
        }


def sample(processes: Processes) -> CpuSample:
    """Read the CPU time of the processes; those that have ended count nothing."""
    by_role = processes()
    found = {name: sum(map(cpu_seconds, pids)) for name, pids in by_role.items()}
    compilers: dict[int, float] = {}
    tasks = dict.fromkeys(TASKS, 0.0)
    for pids in by_role.values():
        for pid in pids:
            for thread, (name, seconds) in thread_seconds(pid).items():
                task = name.partition(" ")[0]
                if name in COMPILERS:
                    compilers[thread] = seconds
                elif task in tasks:
                    tasks[task] += seconds
    return CpuSample(found, *machine_seconds(), compilers, tasks)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process with all its threads, 0 if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    return _seconds(stat)


def thread_seconds(pid: int) -> dict[int, tuple[str, float]]:
    """Return name and CPU seconds of each thread of a process."""
    found: dict[int, tuple[str, float]] = {}
    try:
        folders = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return found
    for folder in folders:
        try:
            name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
            told = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            found[int(folder.name)] = (name, _seconds(told))
        except OSError:
            continue
    return found


def machine_seconds() -> tuple[float, float]:
    """Return the CPU seconds that this machine's processes have spent, and those stolen from it."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    columns = [int(word) for word in first]
    return sum(columns[n] for n in BUSY_COLUMNS) / TICKS, columns[STOLEN_COLUMN] / TICKS


def _seconds(stat: str) -> float:
    # The second field is the command in parentheses and may contain anything, spaces too.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
