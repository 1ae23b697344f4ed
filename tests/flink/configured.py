"""The headgate.toml of a job with one topic, `events`, and one agent for all of it."""

from __future__ import annotations


def headgate_toml(
    bootstrap: object, agent: str, endpoint: str, *, kafka: str = "", job: str = "", more: str = ""
) -> str:
    """Return its text. `kafka` and `job` are further lines of those sections, `more` is what stands
    behind the agent's.
    """
    return f"""
[kafka]
bootstrap = "{bootstrap}"
{kafka}

[job]
{job}

[[topics]]
name = "events"

[[routes]]
topic = "events"
agent = "{agent}"

[agents.{agent}]
endpoint = "{endpoint}"
{more}
"""
