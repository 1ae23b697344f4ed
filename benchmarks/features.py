"""What metrics, tracing and the ledger cost together: one job that is without their lines, and with
them, in turn.

Two lives of one and the same code differ by more than what is looked for here: by what their JVMs
have made of it. So it is one process: its functions get the code of a copy without those lines
(`benchmarks.bare`), and their own back (`benchmarks.switched`), between one drain and the next.
What is left in the job without them are the ledger's two tasks, which have nothing to do: what
their threads take is told beside. The ledger has no budget: what those cost who have one, `ledger`
measures. As often as repeats say it is a new life.
"""

import shutil
import time
from pathlib import Path

from benchmarks import bare
from benchmarks.against import PART, Pair, Side, Tree, in_turn, rows_of, side, told
from benchmarks.measure import Result
from benchmarks.options import Options
from benchmarks.stand import ROOT
from benchmarks.switched import BARE, SWITCH, WITH, WITHOUT

# Where each process that Headgate's code runs in begins to follow.
FOLLOWERS = ("flink/gate.py", "rpc/dispatcher.py")
# The TaskManager and the worker.
PROCESSES = 2
FOLLOW_SECONDS = 10.0
POLL_SECONDS = 0.05


def run(options: Options) -> list[Result]:
    """Drain without and with, in turn, in so many lives."""
    without = bare.make(ROOT, options.home / "bare")
    tree = _switched(without, options.home / "switched")
    load = {"count": options.backlog // PART}
    pairs: list[Pair] = []
    for number in range(options.repeats):
        options.say(f"life {number + 1} of {options.repeats}")
        switch = _Switch(options.home / "followers" / "switch")
        environment = {SWITCH: str(switch.file), BARE: str(without / "src")}
        with side(options, Tree("switched", tree), environment) as job:
            job.answer()
            sides = _Switched(job, switch, WITHOUT), _Switched(job, switch, WITH)
            # Python adapts to what it runs, too.
            for each in sides:
                each.ask(load)
                each.answer()
            pairs.append(in_turn(sides, load))
        options.say(told(pairs[-1]))
    return rows_of("saturated in turn", (WITHOUT, WITH), pairs)


class _Switch:
    """The file that says how processes are to be, and beside it those in which they say how they
    are.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        shutil.rmtree(file.parent, ignore_errors=True)
        file.parent.mkdir()

    def put(self, mode: str) -> None:
        """Have all be so.

        Raises:
            RuntimeError: they do not follow.
        """
        written = self.file.with_name(f".{self.file.name}")
        written.write_text(mode, encoding="ascii")
        written.replace(self.file)
        deadline = time.monotonic() + FOLLOW_SECONDS
        while self._following(mode) < PROCESSES:
            if time.monotonic() > deadline:
                message = f"only {self._following(mode)} of {PROCESSES} processes follow the switch"
                raise RuntimeError(message)
            time.sleep(POLL_SECONDS)

    def _following(self, mode: str) -> int:
        said = self.file.parent.glob(f"{self.file.name}-*")
        return sum(each.read_text(encoding="ascii") == mode for each in said)


class _Switched:
    """One job, as one of the two that it can be."""

    def __init__(self, job: Side, switch: _Switch, mode: str) -> None:
        self._job, self._switch, self._mode = job, switch, mode

    def ask(self, load: Result) -> None:
        """Have it take a load, so."""
        self._switch.put(self._mode)
        self._job.ask(load)

    def answer(self) -> Result:
        """Return what came of it."""
        return self._job.answer()


def _switched(without: Path, target: Path) -> Path:
    """Make a tree whose processes follow the switch."""
    modules = sorted({cut.module for cut in bare.CUTS} - {"flink/job.py"})
    names = ["headgate." + module.removesuffix(".py").replace("/", ".") for module in modules]
    bare.copy(ROOT, target)
    package = target / "src" / "headgate"
    shutil.copy(Path(__file__).with_name("switched.py"), package / "switched.py")
    for follower in FOLLOWERS:
        with (package / follower).open("a", encoding="utf-8") as file:
            file.write(f"\n\nfrom headgate.switched import follow\n\nfollow({names!r})\n")
    return target
