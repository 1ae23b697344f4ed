"""Attaching an agent: what was asked for is made a spec, its services are asked, the registry is
written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.cli.broker import Broker
from headgate.cli.canary import keep, with_canary
from headgate.cli.job_topics import check_topics
from headgate.cli.registered import find_agent, read, write
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.v1.turn_pb2 import AgentSpec


class UnfitServiceError(HeadgateError):
    """A service cannot serve the agent as it is.

    Operator action: put right what the message says, or attach with --force, and the calls wait
    until the service is there.
    """


class NoEndpointError(HeadgateError):
    """Nothing says where the agent's service listens.

    Operator action: give --endpoint HOST:PORT, or a --file that names one.
    """


@dataclass(frozen=True, slots=True)
class Attached:
    """An agent as it was written; problems: of its services, which were forced."""

    spec: AgentSpec
    is_new: bool
    problems: list[str]


def attach_agent(
    broker: Broker,
    name: str,
    given: Mapping[str, Any],
    *,
    route: list[str] | None = None,
    file: Path | None = None,
    revision: str | None = None,
    share: int | None = None,
    force: bool = False,
) -> Attached:
    """Attach an agent while the job runs, or change how one is attached.

    given: keys of [agents.NAME]. route: TOPIC[:PATTERN]; None: as before. share: of a canary, of
    10,000.

    Raises:
        NoEndpointError: nothing says where it is. UnfitServiceError: a service is not fit, and it
        was not forced. ConfigError, TopicNotReadError: what was asked for cannot be.
    """
    if not given.get("endpoint") and file is None and share is None:
        message = f"where is {name}? Give --endpoint HOST:PORT, or --file"
        raise NoEndpointError(message)
    from headgate.config.attached import read_attached
    from headgate.kafka.specs import specs_of
    from headgate.rpc.fitness import examine

    contents = read(broker)
    known = contents.specs.get(name)
    if share is not None:
        beside = {"route": route, "file": file}
        spec = with_canary(
            find_agent(contents, name), given=given, beside=beside, revision=revision, share=share
        )
    else:
        made = read_attached(name, given, route or (), file=file, limits=broker.config.limits)
        [spec] = specs_of(made).values()
        # Before its services are asked: they must serve the revisions that stay, too.
        if known is not None:
            keep(known, spec)
        if revision is not None:
            spec.revision = revision
    check_topics((each.topic for each in spec.routes), contents, broker)
    problems = [
        f"{each['endpoint']}: {each['problem']}" for each in examine(spec) if each["problem"]
    ]
    if problems and not force:
        advice = "Put that right, or give --force to attach it all the same."
        if spec.revision and revision is None:
            advice += (
                f" It is pinned to revision {spec.revision} since before: --revision R pins it to "
                "another, --revision '' to none."
            )
        message = "\n".join([f"{name} is not attached:", *problems, advice])
        raise UnfitServiceError(message)
    write(broker, contents, name, spec)
    return Attached(spec, is_new=known is None, problems=problems)
