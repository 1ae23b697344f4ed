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


class ChangedMeanwhileError(HeadgateError):
    """Somebody else has changed an agent while a command was about to. Nothing is written.

    Operator action: see what it is like now with `headgate agents describe NAME`, then try again.
    """


def read(broker: Broker) -> Contents:
    """Return what stands in the registry."""
    from headgate.kafka.registry import read_contents

    return read_contents(broker.bootstrap, broker.config.topic_names.registry)


def find_agent(contents: Contents, name: str) -> AgentSpec:
    """Return an attached agent, to be changed at will: the contents stay as they were read.

    Raises:
        UnknownAgentError: there is none of that name.
    """
    spec = contents.specs.get(name)
    if spec is None:
        names = sorted(contents.specs)
        others = f"{did_you_mean(name, names)}; {listed(names)}" if names else ", nor is any other"
        message = f"no agent {name!r} is attached{others}"
        raise UnknownAgentError(message)
    found = type(spec)()
    found.CopyFrom(spec)
    return found


def doubt(contents: Contents, name: str) -> str:
    """Return that no agent of a name is attached, "" if one is. For what need not be an error: it
    may have been attached, or come later.
    """
    if name in contents.specs:
        return ""
    return f"no agent {name!r} is attached{did_you_mean(name, sorted(contents.specs))}"


def see_attached(broker: Broker, address: str) -> None:
    """See that an address is of an agent type that is attached: what is for another is lost work.

    Raises:
        AddressError, UnknownAgentError: it is not.
    """
    find_agent(read(broker), read_address(address)[0])


def write(broker: Broker, contents: Contents, name: str, spec: AgentSpec | None) -> None:
    """Write an agent, None to take it out; returns once the registry has it for good.

    contents: what it was made from. A command takes seconds from there to here, where it asks the
    agent's services: a pause by somebody else within them must not be written over. Two commands
    within the same few milliseconds still are one after the other, and the later one counts.

    Raises:
        ChangedMeanwhileError: the agent stands otherwise in the registry by now.
    """
    from headgate.kafka.registry import write_specs

    if read(broker).specs.get(name) != contents.specs.get(name):
        message = (
            f"somebody else has changed {name} while this command was under way; nothing is "
            f"written. See `headgate agents describe {name}`, then try again"
        )
        raise ChangedMeanwhileError(message)
    if spec is not None:
        spec.updated_ms = time.time_ns() // 1_000_000
    write_specs(broker.bootstrap, broker.config.topic_names.registry, {name: spec})
