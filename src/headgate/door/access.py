"""Who may ask at the door, and for whose instances.

A file names the callers. It holds digests, so that who reads it can ask nothing:

    [callers.shop]
    token_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    tenants = ["acme"]            # ["*"]: of all
    agents = ["order"]            # default: of all agent types

Rules:
- A caller reaches an instance whose tenant and agent type are both its own, and no other, whatever
  is asked of it. Where nobody can tell whose it is, only a caller of all tenants reaches it.
- The file is read anew when it has changed. One that cannot be read lets nobody in who was not in
  it before, and is named in the log.
- Every digest is compared, in a time that does not depend on which one is right.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import threading
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.core.identity import split_address
from headgate.core.tenancy import tenant_of
from headgate.door.errors import NotEntitledError, UnauthenticatedError
from headgate.errors import ConfigError
from headgate.v1.cost_pb2 import Tenancy
from headgate.v1.turn_pb2 import AgentSpec

log = logging.getLogger(__name__)

ALL = "*"
LOOK_SECONDS = 1.0
"""Between two looks at the file: so long a token that was taken away still opens the door."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEYS = {"token_sha256", "tenants", "agents"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks. ``digest``: SHA-256 of its token."""

    name: str
    digest: bytes
    tenants: frozenset[str]
    agents: frozenset[str] = frozenset({ALL})

    def may_reach(self, address: str, spec: AgentSpec | None) -> bool:
        """Tell whether an instance is its own; ``spec`` is its agent type's, None if there is
        none.
        """
        agent_type, key = split_address(address)
        if ALL not in self.agents and agent_type not in self.agents:
            return False
        if ALL in self.tenants:
            return True
        if spec is None:
            return False
        tenancy = spec.tenancy if spec.HasField("tenancy") else Tenancy()
        return tenant_of(tenancy, key) in self.tenants


class Access:
    """The callers of a file. Threads may share it."""

    def __init__(self, path: Path, *, look_seconds: float = LOOK_SECONDS) -> None:
        """Read the file; raises ConfigError."""
        self._path = path
        self._look_seconds = look_seconds
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._seen = _look_of(path)
        self._callers = read_callers(path)

    def caller_of(self, authorization: str) -> Caller:
        """Return who asks, by the header `Authorization: Bearer TOKEN`.

        Raises:
            UnauthenticatedError: nobody that the file names.
        """
        scheme, _, token = authorization.partition(" ")
        given = hashlib.sha256(token.strip().encode()).digest()
        found: Caller | None = None
        for each in self._now():
            if hmac.compare_digest(given, each.digest):
                found = each
        if found is None or scheme.lower() != "bearer":
            message = (
                "this door asks who you are: send `Authorization: Bearer TOKEN`, with a token that "
                "its tokens file names"
            )
            raise UnauthenticatedError(message)
        return found

    def _now(self) -> tuple[Caller, ...]:
        with self._lock:
            if time.monotonic() >= self._looked + self._look_seconds:
                self._looked = time.monotonic()
                seen = _look_of(self._path)
                if seen != self._seen:
                    self._seen = seen
                    try:
                        self._callers = read_callers(self._path)
                    except ConfigError as error:
                        log.error("%s; who could ask before still can", error)  # noqa: TRY400 - its text says it all
            return self._callers


def refuse_strangers(caller: Caller, address: str, spec: AgentSpec | None) -> None:
    """Raise NotEntitledError where a caller may not reach an instance."""
    if not caller.may_reach(address, spec):
        message = f"{caller.name} is not entitled to {address}"
        raise NotEntitledError(message)


def read_callers(path: Path) -> tuple[Caller, ...]:
    """Return the callers that a file names.

    Raises:
        ConfigError: it cannot be read, or what it says is not so. Nothing of a token is repeated.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        # Not TOML, not UTF-8, nested without end, a number of a hundred thousand digits.
        why = getattr(error, "strerror", None) or "it is not valid TOML"
        message = f"tokens file {path}: {why}"
        raise ConfigError(message) from None
    callers = document.pop("callers", None)
    if document or not isinstance(callers, dict) or not callers:
        message = f"tokens file {path}: must hold tables [callers.NAME], at least one, and no more"
        raise ConfigError(message)
    made = tuple(_caller(f"{path}: callers.{name}", name, said) for name, said in callers.items())
    if len({each.digest for each in made}) < len(made):
        message = f"tokens file {path}: two callers have the same token"
        raise ConfigError(message)
    return made


def _caller(where: str, name: str, said: Any) -> Caller:
    if not isinstance(said, Mapping) or not {"token_sha256", "tenants"} <= set(said) <= _KEYS:
        message = f"tokens file {where}: has token_sha256, tenants and perhaps agents, no more"
        raise ConfigError(message)
    digest = said["token_sha256"]
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        message = (
            f"tokens file {where}.token_sha256: must be 64 hexadecimal digits in lower case: "
            "printf %s \"$TOKEN\" | sha256sum | cut -d' ' -f1"
        )
        raise ConfigError(message)
    for key in ("tenants", "agents"):
        names = said.get(key, [ALL])
        if not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
            message = f'tokens file {where}.{key}: must be a list of names, such as ["acme"]'
            raise ConfigError(message)
    return Caller(
        name,
        bytes.fromhex(digest),
        frozenset(said["tenants"]),
        frozenset(said.get("agents", [ALL])),
    )


def _look_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    # A file that is replaced has another inode, even within the same tick of the clock.
    return found.st_mtime_ns, found.st_size, found.st_ino
