"""The front door, as headgate.toml says it. Tokens are in a file of their own, as digests."""

from headgate.config.connections import Path
from headgate.config.fields import Section


class DoorConfig(Section):
    """Whom the door lets in.

    tokens_file: names the callers and whose instances they reach; without one, nobody is asked.
    """

    tokens_file: Path | None = None
