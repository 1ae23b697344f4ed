"""The options of `headgate agents attach`, and the keys of an [agents.NAME] table behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer


def _option(flag: str, metavar: str, text: str, panel: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=text, rich_help_panel=panel, show_default=False)


_POLICY, _WAY = "Policy (docs/configuration.md has the defaults)", "How it is reached"

Wire = Annotated[str | None, _option("--wire", "headgate | a2a", "What it speaks.", _WAY)]
Deadline = Annotated[
    str | None, _option("--deadline", "DURATION", "Of one attempt, such as 30s.", _POLICY)
]
Attempts = Annotated[int | None, _option("--max-attempts", "N", "Tries of one event.", _POLICY)]
Batch = Annotated[int | None, _option("--max-batch", "N", "Events in one turn.", _POLICY)]
OnExhausted = Annotated[
    str | None,
    _option("--on-exhausted", "dead_letter | park", "What the last failed try leads to.", _POLICY),
]
StateTtl = Annotated[
    str | None, _option("--state-ttl", "DURATION", "Idle instances lose their state.", _POLICY)
]
MailboxLimit = Annotated[
    int | None, _option("--mailbox-limit", "N", "Events that wait for one instance.", _POLICY)
]
OnFull = Annotated[
    str | None,
    _option("--on-full", "dead_letter | hold_back", "What an event beyond it leads to.", _POLICY),
]
Concurrency = Annotated[
    int | None, _option("--concurrency", "N", "Calls in flight, per subtask.", _POLICY)
]
Rate = Annotated[
    float | None, _option("--rate", "N", "Calls begun per second, per subtask.", _POLICY)
]
_MONEY = "Who pays (docs/cost.md)"
Tenant = Annotated[str | None, _option("--tenant", "NAME", "Whose all its instances are.", _MONEY)]
TenantBefore = Annotated[
    str | None,
    _option("--tenant-before", "TEXT", "Instead: what stands before it in the key.", _MONEY),
]
Estimate = Annotated[
    float | None,
    _option("--estimate", "AMOUNT", "What an event is taken to cost before it was tried.", _MONEY),
]
_REVISION = "Revisions"
Revision = Annotated[
    str | None, _option("--revision", "NAME", "The only revision that takes its turns.", _REVISION)
]
CanaryShare = Annotated[
    str | None, _option("--canary", "PERCENT", "Of the instances go to --revision.", _REVISION)
]
Tls = Annotated[
    bool,
    typer.Option(
        "--tls",
        help="Reach it by TLS, trusting the authorities that gRPC ships.",
        rich_help_panel=_WAY,
    ),
]
_THERE = "; the path is that of the job's workers."
TlsCa = Annotated[str | None, _option("--tls-ca", "FILE", f"Authorities to trust{_THERE}", _WAY)]
TlsCert = Annotated[str | None, _option("--tls-cert", "FILE", f"Own certificate{_THERE}", _WAY)]
TlsKey = Annotated[str | None, _option("--tls-key", "FILE", f"Its key{_THERE}", _WAY)]
TlsName = Annotated[str | None, _option("--tls-name", "NAME", "What its certificate is for.", _WAY)]
TokenFile = Annotated[
    str | None, _option("--token-file", "FILE", f"A token goes with every call{_THERE}", _WAY)
]
TokenEnv = Annotated[
    str | None,
    _option("--token-env", "VARIABLE", "As --token-file, from the workers' environment.", _WAY),
]


def table_of(
    endpoints: Sequence[str] | None,
    *,
    wire: str | None,
    money: Mapping[str, Any],
    policy: Mapping[str, Any],
    has_tls: bool,
    tls: Mapping[str, Any],
    token: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what was given as a table of headgate.toml; what was not given is not in it."""
    made: dict[str, Any] = {}
    if endpoints:
        made["endpoint"], made["replicas"] = endpoints[0], list(endpoints[1:])
    if wire:
        made["wire"] = wire
    made |= {key: given for key, given in money.items() if given is not None}
    for key, value in (("policy", policy), ("tls", tls), ("token", token)):
        named = {each: given for each, given in value.items() if given is not None}
        if named or (key == "tls" and has_tls):
            made[key] = named
    return made
