"""Revisions on trial: a share of an agent's instances, until promoted or rolled back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headgate.cli.agent_views import registered
from headgate.cli.broker import BootstrapOption, ConfigOption, find_broker
from headgate.cli.look import Output, OutputOption, answers, as_json
from headgate.cli.registered import find_agent, read, write
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import AgentSpec

Name = Annotated[str, typer.Argument(metavar="NAME", help="Agent type.", show_default=False)]


class CanaryError(HeadgateError):
    """A revision cannot be tried, promoted or rolled back so.

    Operator action: do what the message says.
    """


def read_share(text: str) -> int:
    """Return a percentage in hundredths of a percent; raises CanaryError.

    >>> read_share("10%"), read_share("0.5")
    (1000, 50)
    """
    try:
        share = round(float(text.removesuffix("%")) * 100)
    except (ValueError, OverflowError):
        share = 0
    if not 0 < share <= 10_000:
        message = f"--canary {text!r}: give a percentage, such as 10% or 0.5%"
        raise CanaryError(message)
    return share


def with_canary(
    known: AgentSpec,
    *,
    given: Mapping[str, Any],
    beside: Mapping[str, object],
    revision: str | None,
    share: int,
) -> AgentSpec:
    """Return the agent as it is attached, with a canary.

    given: the keys of its table that the command line named. beside: its other options, by name. A
    canary goes by the policy of its agent, and takes no more than an endpoint.

    Raises:
        CanaryError: no revision, one that the agent is pinned to, or more than an endpoint.
        ConfigError: an endpoint is none.
    """
    if not revision:
        message = "--canary: which revision? Give it with --revision"
        raise CanaryError(message)
    other = sorted(set(given) - {"endpoint", "replicas"})
    other += [name for name, value in beside.items() if value]
    if other:
        message = (
            f"--canary takes --endpoint and --revision alone, not {', '.join(other)}: a canary "
            f"goes by the routes and the policy of {known.type}; attach that without --canary first"
        )
        raise CanaryError(message)
    if revision == known.revision:
        message = f"{known.type} is pinned to revision {revision} already: nothing is left to try"
        raise CanaryError(message)
    made = type(known)()
    made.CopyFrom(known)
    if "endpoint" in given:
        from headgate.config.attached import read_attached
        from headgate.kafka.specs import specs_of

        [there] = specs_of(read_attached(known.type, given)).values()
        made.canary.endpoints[:] = there.endpoints
    elif known.canary.revision != revision:
        # A new one without an endpoint is where its agent is; with another share it stays.
        del made.canary.endpoints[:]
    made.canary.revision, made.canary.share = revision, share
    return made


def keep(known: AgentSpec, spec: AgentSpec) -> None:
    """Let what was set at run time stay when an agent is attached again."""
    spec.paused, spec.revision = known.paused, known.revision
    if known.HasField("canary"):
        spec.canary.CopyFrom(known.canary)
    if not spec.routes:
        spec.routes.extend(known.routes)


def promote(
    name: Name,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Let the canary of an agent take all of its instances.

    Name its endpoint in headgate.toml too, if the agent stands there: until
    it is attached again, the promoted one goes on after a restart.

    [bold]Example[/]

      headgate agents promote order
    """
    broker = find_broker(config, bootstrap)
    contents = read(broker)
    spec = _tried(find_agent(contents, name))
    spec.revision, spec.promoted = spec.canary.revision, True
    if spec.canary.endpoints:
        spec.endpoints[:] = spec.canary.endpoints
    spec.ClearField("canary")
    write(broker, contents, name, spec)
    if output is Output.JSON:
        as_json(registered(spec))
    else:
        where = ", ".join(spec.endpoints)
        answers.print(f"{name} is revision {spec.revision} at {where} now", highlight=False)


def rollback(
    name: Name,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Take the canary of an agent away. Its instances go on where the others are.

    They go on with the state that the canary has left: undo that, where the
    older revision cannot read it, with `headgate instances reset`.

    [bold]Example[/]

      headgate agents rollback order
    """
    broker = find_broker(config, bootstrap)
    contents = read(broker)
    spec = _tried(find_agent(contents, name))
    gone = spec.canary.revision
    spec.ClearField("canary")
    write(broker, contents, name, spec)
    if output is Output.JSON:
        as_json(registered(spec))
    else:
        answers.print(f"revision {gone} of {name} is taken away", highlight=False)


def _tried(spec: AgentSpec) -> AgentSpec:
    if not spec.HasField("canary"):
        message = f"{spec.type} has no canary; see `headgate agents describe {spec.type}`"
        raise CanaryError(message)
    return spec
