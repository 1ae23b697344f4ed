"""`headgate doctor`: what is configured so that it will hurt, and what to do about it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.checkpoint import config_of
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, table
from headgate.errors import ConfigError

if TYPE_CHECKING:
    from headgate.doctor.facts import Facts, Finding
    from headgate.local.rest import FlinkRest

FlinkOption = Annotated[
    str | None,
    typer.Option(
        "--flink",
        metavar="URL",
        help="Flink's REST address, http://HOST:PORT. Default: that of the stack that runs here.",
        show_default=False,
    ),
]


def doctor(
    *,
    flink: FlinkOption = None,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Find what is configured so that it will hurt: topics, Flink, clocks, agents, services.

    Nothing is changed. What cannot be reached costs its own checks only, and
    is said. Exit code: 0 where nothing was found, 1 for warnings (it will
    hurt on a bad day), 2 for errors (it does not work, or something is
    lost), Kafka or Flink not answering where they were said to be included.
    Other checks that were not made do not count.

    [bold]Examples[/]

      headgate doctor
      headgate doctor --flink http://jobmanager:8081 -o json
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    settings = config_of(find_broker(config, bootstrap))
    from headgate.doctor.gather import gather
    from headgate.doctor.rules import diagnose, exit_code

    facts = gather(settings, find_flink(flink))
    findings = diagnose(facts)
    if output is Output.JSON:
        as_json(described(facts, findings))
    else:
        _show(facts, findings)
    if code := exit_code(findings):
        raise typer.Exit(code)


def find_flink(url: str | None) -> "FlinkRest | None":
    """Return a client of the Flink that was named, else of the stack that runs here, else None.

    Raises:
        ConfigError: the URL names no host and port, or asks for TLS.
    """
    from headgate.local import state_file
    from headgate.local.rest import FlinkRest

    if url is None:
        state = state_file.read(Path(os.environ.get("HEADGATE_HOME", ".headgate")).resolve())
        if state is None or not state.flink_rest_url:
            return None
        url = state.flink_rest_url
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port is None or parts.scheme not in {"", "http"}:
        message = f"--flink must be http://HOST:PORT, not {url!r}"
        raise ConfigError(message)
    return FlinkRest(host, port)


def described(facts: "Facts", findings: "list[Finding]") -> dict[str, object]:
    """Return what was found, as programs read it."""
    from headgate.doctor.rules import exit_code

    return {
        "exit_code": exit_code(findings),
        "findings": [
            {
                "severity": each.severity.value,
                "rule": each.rule,
                "what": each.what,
                "why": each.why,
                "cure": each.cure,
            }
            for each in findings
        ],
        "unchecked": [{"what": each.what, "why": each.why} for each in facts.unchecked],
        "clocks": [
            {"whose": each.whose, "ahead_seconds": round(each.ahead_seconds, 3)}
            for each in facts.clocks
        ],
    }


def _show(facts: "Facts", findings: "list[Finding]") -> None:
    colours = {"error": "red", "warning": "yellow"}
    for each in findings:
        colour = colours[each.severity.value]
        answers.print(
            f"[bold {colour}]{each.severity.value}[/] [dim]{each.rule}[/]  {plain(each.what)}",
            highlight=False,
        )
        answers.print(f"  why   {plain(each.why)}", highlight=False)
        answers.print(f"  do    {plain(each.cure)}\n", highlight=False)
    if facts.unchecked:
        rows = [(plain(each.what), plain(each.why)) for each in facts.unchecked]
        table(("not checked", "because"), rows)
    errors = sum(each.severity.value == "error" for each in findings)
    if not findings:
        answers.print(
            "Nothing that will hurt is in what was checked."
            if facts.unchecked
            else "Nothing was found that will hurt."
        )
    else:
        answers.print(f"errors: {errors}, warnings: {len(findings) - errors}")
