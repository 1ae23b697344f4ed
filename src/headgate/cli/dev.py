"""`headgate dev`, `down` and `status`: the embedded stack from the command line."""

import dataclasses
import importlib
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import psutil
import typer

from headgate.cli.broker import log_as
from headgate.cli.look import Output, answers, as_json, plain, table
from headgate.config import Config, load
from headgate.errors import ConfigError, HeadgateError
from headgate.local import state_file, temporal_build
from headgate.local.console import PORT as CONSOLE_PORT
from headgate.local.history import GRPC_PORT, HTTP_PORT
from headgate.local.ports import LOOPBACK, is_free
from headgate.local.redis import PORT as REDIS_PORT
from headgate.local.rest import FlinkRest
from headgate.local.stack import LocalStack
from headgate.local.state_file import StackState
from headgate.upgrade.record import upgraded

DEFAULT_CONFIG = Path("headgate.toml")
STATE_SECONDS = 1.0  # how often stack.json follows restarted processes
DETACH_SECONDS = 300.0  # the first start fetches jars

Home = Annotated[
    Path, typer.Option(envvar="HEADGATE_HOME", help="Folder of the stack's data, logs and state.")
]
ConfigPath = Annotated[Path, typer.Option("--config", help="The configuration, if there is one.")]


def dev(
    *,
    home: Home = Path(".headgate"),
    config: ConfigPath = DEFAULT_CONFIG,
    task_managers: Annotated[
        int | None, typer.Option(min=1, help="Default: the job's parallelism.")
    ] = None,
    temporal: Annotated[
        bool,
        typer.Option("--temporal", help="A Temporal server too; Go builds it once, in minutes."),
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it runs.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete old topics and state.")] = False,
    reemit: Annotated[
        bool, typer.Option("--reemit", help="Start although newer outputs exist: write them again.")
    ] = False,
) -> None:
    """Start Kafka and Flink on this machine, and the job if there is a headgate.toml."""
    # Only the default name may be missing: a file that was named is expected to be there.
    settings = load(config) if config.is_file() or config != DEFAULT_CONFIG else None
    if settings is not None:
        log_as(settings)
    wanted = task_managers or (settings.job.parallelism if settings else 1)
    if fresh:
        LocalStack(home).erase()
    if detach:
        if temporal:
            # Here, where its progress is seen, and for as long as it takes.
            temporal_build.build(say=answers.print)
        flags = {"--temporal": temporal, "--reemit": reemit}
        _detach(home, config, wanted, *(flag for flag, given in flags.items() if given))
        return
    port = _kafka_port(settings) if settings else None
    stack = LocalStack(home, wanted, kafka_port=port, temporal=temporal, say=answers.print)
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: _interrupt(ended))
    try:
        stack.start(lambda started: _run_job(started, settings, config, reemit))
        _announce(home)
        answers.print("Ctrl-C ends it.")
        while not ended.wait(STATE_SECONDS):
            stack.job = upgraded(stack.home, stack.job)
            stack.publish_state()
    except KeyboardInterrupt:
        pass
    finally:
        ended.set()
        if stack.is_started:
            answers.print("ending Flink and Kafka")
        stack.stop()


def down(home: Home = Path(".headgate")) -> None:
    """End the stack of this folder, from whichever terminal it was started."""
    ended = state_file.end(home.resolve())
    answers.print("ended" if ended else f"no stack runs in {home}")


def status(
    home: Home = Path(".headgate"),
    output: Annotated[Output, typer.Option("-o", "--output")] = Output.TABLE,
) -> None:
    """Show the stack's addresses and processes; exit code 1 if none runs."""
    state = state_file.read(home.resolve())
    if output is Output.JSON:
        as_json({"running": False} if state is None else _described(state))
    elif state is None:
        answers.print(f"no stack runs in {home}; start one with `headgate dev`")
    else:
        _show(state)
    if state is None:
        raise typer.Exit(1)


def _interrupt(ended: threading.Event) -> None:
    # During the start the exception ends it; later, and while stopping, the event is enough:
    # an impatient second Ctrl-C must not leave half of the children behind.
    if not ended.is_set():
        ended.set()
        raise KeyboardInterrupt


def _kafka_port(config: Config) -> int:
    """Return the port that headgate.toml wants Kafka at, so that every command finds it there."""
    if config.kafka.security_protocol != "PLAINTEXT":
        message = (
            f"kafka.security_protocol is {config.kafka.security_protocol}, but `headgate dev` "
            "starts a Kafka of its own, which speaks PLAINTEXT on loopback: leave the keys of TLS "
            "and SASL out here, or submit the job to your own cluster"
        )
        raise ConfigError(message)
    host, _, port = config.kafka.servers.rpartition(":")
    if host not in {LOOPBACK, "localhost"}:
        message = (
            f"kafka.bootstrap is {config.kafka.bootstrap}, but `headgate dev` starts its own: "
            f"name a port of {LOOPBACK}, or submit the job to your own cluster"
        )
        raise ConfigError(message)
    return int(port)


def _run_job(stack: LocalStack, config: Config | None, path: Path, reemit: bool) -> None:
    if config is None:
        return
    from headgate.cli.start import end_transactions, entry_script, start_job

    if not entry_script().is_file():
        importlib.import_module("headgate.kafka.topics").ensure_topics(config)
        return
    answers.print("submitting the job")
    stack.when_flink_ended = lambda: end_transactions(stack, config, say=answers.print)
    flags = ["--reemit"] if reemit else []
    stack.job = start_job(stack, config, path, *flags, say=answers.print)
    _start_history(stack, config, path)
    _start_redis(stack, config, path)
    if config.tracing.endpoint is not None:
        stack.start_trace_export(path)
    # Where `headgate ui` is by itself, unless somebody is there.
    wanted = config.ui.port if "port" in config.ui.model_fields_set else CONSOLE_PORT
    stack.start_console(path, wanted if wanted and is_free(wanted) else None)


def _start_history(stack: LocalStack, config: Config, path: Path) -> None:
    given = config.history
    store = given.store if "store" in given.model_fields_set else None
    # Where `headgate history serve` is by itself, unless somebody is there.
    http_port = HTTP_PORT if is_free(HTTP_PORT) else None
    port = GRPC_PORT if is_free(GRPC_PORT) else None
    if "endpoint" in given.model_fields_set:
        host, _, number = given.endpoint.rpartition(":")
        if host not in {LOOPBACK, "localhost"}:
            # Somebody else's, which follows another Kafka than ours.
            return
        port = int(number)
    stack.start_history(path, store=store, http_port=http_port, grpc_port=port)


def _start_redis(stack: LocalStack, config: Config, path: Path) -> None:
    if "redis" not in config.model_fields_set:
        return
    url = urlsplit(config.redis.url)
    if url.hostname not in {LOOPBACK, "localhost"} or config.redis.cluster:
        # Somebody else's, which must not be fed by a stack that is tried out.
        answers.print(
            "redis.url names no single server of this machine: it is left alone; start `headgate "
            "redis feed` yourself, and `headgate redis intake`",
            highlight=False,
        )
        return
    answers.print("starting Redis")
    given = "url" in config.redis.model_fields_set or is_free(REDIS_PORT)
    stack.start_redis((url.port or REDIS_PORT) if given else None)
    stack.start_redis_service("feed", path)
    if config.redis.streams:
        stack.start_redis_service("intake", path)


def _detach(home: Path, config: Path, task_managers: int, *flags: str) -> None:
    home = home.resolve()
    present = state_file.read(home)
    if present is not None:
        message = (
            f"A stack runs already in {home} (process {present.owner_pid}). See it with `headgate "
            "status`, give it a headgate.toml that was changed with `headgate upgrade`, end it "
            "with `headgate down`."
        )
        raise state_file.StackRunningError(message)
    log = home / "logs" / "dev.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "headgate.cli.app", "dev", "--home", str(home)]
    command += ["--config", str(config), "--task-managers", str(task_managers), *flags]
    with log.open("wb") as output:
        owner = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal may close
        )
    told = 0
    for _ in range(int(DETACH_SECONDS / 0.1)):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        state = state_file.read(home)
        # The file of a killed stack may still be there: only this owner's word counts.
        if state and state.owner_pid == owner.pid and state.phase == "running":
            _announce(home)
            return
        # What the stack says of its start, as it says it; that it runs is said above.
        for line in lines[told:]:
            answers.print(plain(line), highlight=False)
        told = len(lines)
        try:
            owner.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        break
    end = "\n".join(log.read_text(encoding="utf-8").splitlines()[-15:])
    message = f"the stack did not start:\n{end}"
    raise HeadgateError(message)


def _announce(home: Path) -> None:
    state = state_file.read(home.resolve())
    if state is None:
        return
    _show(state)
    if state.job is None:
        answers.print("No job runs: write a [bold]headgate.toml[/] and start again.")
        answers.print("Next: [bold]headgate status[/]   End: [bold]headgate down[/]")
    else:
        answers.print(
            "Next: [bold]headgate agents attach NAME --endpoint HOST:PORT --route TOPIC[/], if "
            "headgate.toml names no agent\n"
            'Then: [bold]headgate send TOPIC --key KEY \'{"text": "hello"}\'[/]; '
            "[bold]headgate tail outbox[/], or the console in a browser\n"
            "End:  [bold]headgate down[/]"
        )


def _show(state: StackState) -> None:
    described = _described(state)
    rows = [("Kafka", state.kafka_bootstrap), ("Flink", state.flink_rest_url)]
    if state.console:
        rows.insert(0, ("console", state.console))
    if state.history:
        rows += [("history, HTTP", state.history_url), ("history, gRPC", state.history)]
    rows += [("Redis", state.redis)] if state.redis else []
    rows += [("Temporal", state.temporal)] if state.temporal else []
    rows += [(f"agent {name}", endpoint) for name, endpoint in state.agents.items()]
    rows += [(f"metrics of {name}", url) for name, url in state.metrics.items()]
    if state.phase != "running":
        rows.append(("stack", state.phase))
    if state.job is not None:
        rows.append(("job", f"{state.job} {described['job_state']}"))
    table(("", "address"), rows)
    memory = described["memory_mb"]
    table(
        ("process", "pid", "MB"),
        [(name, pid, memory.get(name)) for name, pid in state.pids.items()],
    )


def _described(state: StackState) -> dict[str, Any]:
    memory: dict[str, int] = {}
    for name, pid in state.pids.items():
        try:
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            memory[name] = sum(member.memory_info().rss for member in family) >> 20
        except psutil.Error:
            continue
    return {
        "running": state.phase == "running",
        **dataclasses.asdict(state),
        "job_state": _job_state(state),
        "memory_mb": memory,
    }


def _job_state(state: StackState) -> str | None:
    if state.job is None:
        return None
    port = int(state.flink_rest_url.rpartition(":")[2])
    try:
        return FlinkRest(LOOPBACK, port).state(state.job)
    except HeadgateError:
        return "UNKNOWN"
