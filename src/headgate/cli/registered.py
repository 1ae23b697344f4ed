"""The registry for commands: an agent by its name, and changes to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headgate.cli.broker import Broker
from headgate.cli.control import read_address
from headgate.config.spelling import did_you_mean, listed
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.kafka.registry import Contents
    from headgate.v1.turn_pb2 import AgentSpec


class UnknownAgentError(HeadgateError):
    """No agent of that name is attached.

    Operator action: correct the name; `headgate agents list` shows those there are.
    """


def read(broker: Broker) -> Contents:
    """Return what stands in the registry."""
    from headgate.kafka.registry import read_contents

    return read_contents(broker.bootstrap, broker.config.topic_names.registry)


def find_agent(contents: Contents, name: str) -> AgentSpec:
    """Return an attached agent.

    Raises:
        UnknownAgentError: there is none of that name.
    """
    spec = contents.specs.get(name)
    if spec is None:
        names = sorted(contents.specs)
        message = f"no agent {name!r} is attached{did_you_mean(name, names)}; {listed(names)}"
        raise UnknownAgentError(message)
    return spec


def see_attached(broker: Broker, address: str) -> None:
    """See that an address is of an agent type that is attached: what is for another is lost work.

    Raises:
        AddressError, UnknownAgentError: it is not.
    """
    find_agent(read(broker), read_address(address)[0])


def write(broker: Broker, name: str, spec: AgentSpec | None) -> None:
    """Write an agent, None to take it out; returns once the registry has it for good."""
    from headgate.kafka.registry import write_specs

    if spec is not None:
        spec.updated_ms = time.time_ns() // 1_000_000
    write_specs(broker.bootstrap, broker.config.topic_names.registry, {name: spec})
