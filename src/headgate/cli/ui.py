"""`headgate ui`: the web console."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from headgate.bootstrap import Bootstrap
from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.look import Output, OutputOption, answers, as_json
from headgate.cli.past import HistoryOption, find_history
from headgate.config.ui import UiConfig
from headgate.errors import ConfigError
from headgate.local import state_file


def ui(
    *,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="HOST", help="Address to listen on. Default: ui.host."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=0,
            max=65_535,
            metavar="PORT",
            help="0: any that is free. Default: ui.port.",
        ),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Show everything, change nothing.")
    ] = False,
    flink: Annotated[
        str | None,
        typer.Option(
            "--flink",
            metavar="URL",
            help="Of the JobManager's REST. Default: ui.flink, else of the stack that runs here.",
            show_default=False,
        ),
    ] = None,
    history: HistoryOption = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Serve the web console, until Ctrl-C: what runs, what is wrong, what any instance did.

    It keeps nothing: start it and end it as you like. On another address
    than loopback it wants a token or a reverse proxy's header, which
    headgate.toml names. `headgate dev` has one of these.

    [bold]Examples[/]

      headgate ui
      headgate ui --port 8000 --read-only
    """
    broker = find_broker(config, bootstrap)
    given = broker.config.ui
    from headgate.ui.guard import Access
    from headgate.ui.serve import serve

    access = Access(
        token=read_token(given),
        proxy_header=given.proxy_header,
        hosts=frozenset(name.lower() for name in given.hosts),
        read_only=read_only or given.read_only,
    )
    at = host or given.host

    def say(bound: int) -> None:
        url = f"http://{f'[{at}]' if ':' in at else at}:{bound}"
        if output is Output.JSON:
            as_json({"url": url})
        else:
            answers.print(f"The console is at {url}. Ctrl-C ends it.")

    asyncio.run(
        serve(
            broker,
            access,
            host=at,
            port=given.port if port is None else port,
            history=find_history(history, config),
            flink=flink or given.flink or _flink_here(broker.bootstrap),
            trace_url=given.trace_url,
            on_ready=say,
        )
    )


def read_token(given: UiConfig) -> str:
    """Return the token that opens the console, "" where none is asked for.

    Raises:
        ConfigError: it is named, and not there, or empty.
    """
    from_env = os.environ.get(given.token_env or "", "").strip()
    if from_env:
        return from_env
    if given.token_file is not None:
        try:
            token = Path(given.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            message = f"ui.token_file: {given.token_file} cannot be read: {error}"
            raise ConfigError(message) from error
        named = f"ui.token_file: {given.token_file}"
    elif given.token_env is not None:
        token = ""
        named = f"ui.token_env: {given.token_env}"
    else:
        return ""
    if not token:
        message = f"{named} is empty: anybody could log in"
        raise ConfigError(message)
    return token


def _flink_here(bootstrap: Bootstrap) -> str:
    """Return the REST of the stack that runs here, if it is that of this broker."""
    state = state_file.read(Path(os.environ.get("HEADGATE_HOME", ".headgate")).resolve())
    return state.flink_rest_url if state and state.kafka_bootstrap == bootstrap.servers else ""
