"""What runs beside Kafka, Flink and agents where it is wanted: history, console, Temporal, Redis,
traces.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from headgate.bootstrap import Bootstrap
from headgate.local import temporal_build
from headgate.local.command_service import CommandService
from headgate.local.console import Console
from headgate.local.history import History
from headgate.local.process import Family
from headgate.local.redis import Redis
from headgate.local.supervisor import Supervisor
from headgate.local.temporal import Temporal


class Beside:
    """Each is started once, and again when it dies; to start it a second time gets the first."""

    def __init__(
        self, family: Family, supervisor: Supervisor, home: Path, say: Callable[[str], None]
    ) -> None:
        """Start nothing yet. `home` is the stack's: each has a folder of its own below."""
        self._family = family
        self._supervisor = supervisor
        self._home = home
        self._say = say
        self._history: History | None = None
        self._console: Console | None = None
        self._temporal: Temporal | None = None
        self._redis: Redis | None = None
        self._commands: dict[str, CommandService] = {}

    def start_history(
        self,
        bootstrap: Bootstrap,
        config: Path,
        *,
        store: str | None = None,
        http_port: int | None = None,
        grpc_port: int | None = None,
    ) -> History:
        """Start the history service of a configuration's job, whose topics must be there, and wait
        until it serves.
        """
        if self._history is None:
            made = History(
                self._family,
                self._supervisor,
                self._home / "history",
                http_port=http_port,
                grpc_port=grpc_port,
            )
            made.start(bootstrap, config, store)
            self._history = made
        return self._history

    def start_console(
        self, bootstrap: Bootstrap, config: Path, flink: str, port: int | None = None
    ) -> Console:
        """Start the web console of a configuration's job, and wait until it serves."""
        if self._console is None:
            made = Console(self._family, self._supervisor, self._home / "console", port)
            made.start(bootstrap, config, flink, self._history.endpoint if self._history else "")
            self._console = made
        return self._console

    def start_temporal(self) -> Temporal:
        """Start a Temporal server, built with Go if need be, and wait until it serves."""
        if self._temporal is None:
            program = temporal_build.build(say=self._say)
            made = Temporal(self._family, self._supervisor, self._home / "temporal", program)
            made.launch()
            self._temporal = made
        self._temporal.await_serving()
        return self._temporal

    def start_redis(self, port: int | None = None) -> Redis:
        """Start a Redis server, and wait until it serves."""
        if self._redis is None:
            made = Redis(self._family, self._supervisor, self._home / "redis", port)
            made.launch()
            self._redis = made
        self._redis.await_serving()
        return self._redis

    def start_redis_service(
        self, verb: Literal["feed", "intake"], bootstrap: Bootstrap, config: Path
    ) -> CommandService:
        """Start `headgate redis VERB` for a configuration's job at `start_redis`'s server, and wait
        until it is at work.
        """
        url = self.start_redis().url
        return self._start_command("redis", verb, bootstrap, config, "--url", url)

    def start_trace_export(self, bootstrap: Bootstrap, config: Path) -> CommandService:
        """Start `headgate trace export` for a configuration's job, and wait until it is at work."""
        # Before anything happens here: all turns are wanted.
        return self._start_command("trace", "export", bootstrap, config, "--from-start")

    def _start_command(
        self, noun: str, verb: str, bootstrap: Bootstrap, config: Path, *options: str
    ) -> CommandService:
        name = f"{noun}-{verb}"
        if name not in self._commands:
            made = CommandService(self._family, self._supervisor, self._home / noun, noun, verb)
            made.start(bootstrap, config, *options)
            self._commands[name] = made
        return self._commands[name]

    def stop_readers(self) -> None:
        """End those that read from Kafka or write to it."""
        for reader in (self._console, self._history, *self._commands.values()):
            if reader is not None:
                reader.stop()
        self._console = self._history = None
        self._commands.clear()

    def stop_servers(self) -> None:
        """End the others."""
        for server in (self._temporal, self._redis):
            if server is not None:
                server.stop()
        self._temporal = self._redis = None

    def pids(self) -> dict[str, int | None]:
        """Return the process id of each that was started."""
        found = {"temporal": self._temporal, "redis": self._redis}
        pids = {name: server.pid for name, server in found.items() if server is not None}
        pids |= {name: service.pid for name, service in self._commands.items()}
        if self._history is not None:
            pids["history"] = self._history.pid
        if self._console is not None:
            pids["console"] = self._console.pid
        return pids

    def addresses(self) -> dict[str, Any]:
        """Return where each listens, by the names of `StackState`; "" for what was not started."""
        return {
            "temporal": self._temporal.target if self._temporal else "",
            "redis": self._redis.url if self._redis else "",
            "console": self._console.url if self._console else "",
            "history": self._history.endpoint if self._history else "",
            "history_url": self._history.url if self._history else "",
        }
