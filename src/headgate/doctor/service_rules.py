"""Rules about what stands beside the job: agents, the history service, Redis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from headgate.config.agents import stays_on_this_machine
from headgate.doctor.facts import Endpoint, Facts, Finding, Severity


def agents(facts: Facts) -> Iterator[Finding]:
    """Agents that are attached take turns."""
    of_agent: dict[str, list[Endpoint]] = defaultdict(list)
    for each in facts.endpoints:
        if not each.is_paused:
            of_agent[each.agent].append(each)
    for agent, endpoints in of_agent.items():
        broken = [each for each in endpoints if each.problem]
        if broken:
            is_all = len(broken) == len(endpoints)
            shown = "; ".join(f"{each.endpoint} {each.problem}" for each in broken)
            yield Finding(
                Severity.ERROR if is_all else Severity.WARNING,
                "agent-away",
                f"agent {agent}: {shown}",
                "Its events wait in their mailboxes."
                if is_all
                else "Its other services have its load as well.",
                "Start the service, or attach the agent with the endpoint that it has; `headgate "
                "agents pause` says that it is meant to be away.",
            )


def agents_far(facts: Facts) -> Iterator[Finding]:
    """Endpoints mean the same machine to TaskManagers as to us."""
    if facts.kafka is None or facts.kafka.is_local:
        return
    for each in facts.endpoints:
        if stays_on_this_machine(each.endpoint):
            yield Finding(
                Severity.WARNING,
                "agent-on-loopback",
                f"agent {each.agent} is at {each.endpoint}, and Kafka is on another machine",
                "To a TaskManager that is the TaskManager's own machine. Unless the service runs "
                "beside each of them, its events wait.",
                "Attach it with an address that all TaskManagers reach.",
            )


def parts(facts: Facts) -> Iterator[Finding]:
    """Kafka and Flink answer where they are said to be."""
    for each in facts.away:
        yield Finding(
            Severity.ERROR,
            f"{each.name}-away",
            each.problem,
            "Without it no event gets a turn; and what is wrong with it cannot be seen from here.",
            "Start it, or say where it is.",
        )


def services(facts: Facts) -> Iterator[Finding]:
    """The history service and Redis answer, where headgate.toml has them."""
    for each in facts.services:
        if each.problem:
            yield Finding(
                Severity.ERROR,
                f"{each.name}-away",
                f"{each.name} at {each.address}: {each.problem}",
                "Questions to it fail. The job goes on, and it catches up later as far as the "
                "history's retention reaches.",
                f"Start it, or correct [{each.name}] in headgate.toml.",
            )
        if each.waits:
            yield Finding(
                Severity.ERROR,
                "history-stands",
                f"{each.name} at {each.address} does not go on: {each.waits}",
                "What it answers grows older. Once the topic's retention has passed over what it "
                "has not read, the store must be made anew.",
                "Do what the message says; it then goes on by itself, or when it is started again.",
            )
        policy = each.settings.get("maxmemory-policy", "noeviction")
        if policy != "noeviction":
            yield Finding(
                Severity.WARNING,
                "redis-evicts",
                f"{each.name} at {each.address} has maxmemory-policy {policy}",
                "It drops keys by itself: views then answer as if an instance had no state.",
                "Set maxmemory-policy noeviction.",
            )
