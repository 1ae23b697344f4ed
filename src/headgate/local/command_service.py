"""A command of `headgate` that runs until it is ended, as a child of the stack."""

import sys
from pathlib import Path

from headgate.bootstrap import Bootstrap
from headgate.local.process import Child, Family
from headgate.local.supervisor import Supervisor

# A second alone; as long as others need beside a Flink that starts on a busy machine.
START_SECONDS = 60.0
SAYS = "Ctrl-C ends it."


class CommandService:
    """`headgate NOUN VERB`; started again when it dies."""

    def __init__(
        self, family: Family, supervisor: Supervisor, home: Path, noun: str, verb: str
    ) -> None:
        """`home` is where its log goes."""
        self._family = family
        self._supervisor = supervisor
        self._words = [noun, verb]
        self._name = f"{noun}-{verb}"
        self._log = home / f"{verb}.log"

    @property
    def pid(self) -> int | None:
        """The process id, None while it is down."""
        return self._supervisor.pid(self._name)

    def start(self, bootstrap: Bootstrap, config: Path, *options: str) -> None:
        """Start it for the job of a configuration, whose topics must be there, and wait until it
        is at work.
        """
        command = [sys.executable, "-u", "-m", "headgate.cli.app", *self._words]
        command += ["--config", str(config.resolve()), "--bootstrap", bootstrap.servers, *options]

        def spawn() -> Child:
            return self._family.spawn(self._name, command, log=self._log)

        self._log.parent.mkdir(parents=True, exist_ok=True)
        begin = self._log.stat().st_size if self._log.exists() else 0
        self._supervisor.keep(self._name, spawn)
        self._supervisor.await_ready(
            self._name, lambda: self._is_at_work(begin), START_SECONDS, self._log
        )

    def kill(self) -> int | None:
        """Kill it with SIGKILL and return its process id; it is started again."""
        return self._supervisor.kill(self._name)

    def stop(self) -> None:
        """End it and do not start it again."""
        self._supervisor.end(self._name)

    def _is_at_work(self, begin: int) -> bool:
        if not self._log.exists():
            return False
        with self._log.open("rb") as log:
            log.seek(begin)
            return SAYS.encode() in log.read()
