"""Stored state as bytes: a schema version in every control record, and upcasters between versions.

A record of an older version is lifted step by step by ``UPCASTERS`` when it is read; a newer one
than this code knows is refused (:class:`StateVersionError`), never guessed at. Items besides the
control record carry no version of their own: the control record's speaks for all of an instance's
items, so an upcaster that changes their form must be able to tell old from new by their bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from google.protobuf.message import DecodeError

from headgate.v1.turn_pb2 import StoredControl

CONTROL_VERSION = 1

Upcaster = Callable[[StoredControl], StoredControl]
UPCASTERS: Mapping[int, Upcaster] = {}
"""From a version to the next one: ``UPCASTERS[n]`` takes version n and returns version n + 1."""


class StateVersionError(Exception):
    """Stored state cannot be read by this version of Headgate.

    Operator action: run a version of Headgate at least as new as the one that wrote the state, or
    restore a savepoint from before the upgrade.
    """


def encode_control(control: StoredControl) -> bytes:
    """Return the bytes of a control record."""
    return control.SerializeToString()


def compact(control: StoredControl) -> StoredControl:
    """Return a control record without what its changes have left behind in memory.

    A protobuf message frees nothing that it has ever held before it goes itself: one that lives on
    from turn to turn grew by 400 bytes with each, of an echo agent.
    """
    return StoredControl.FromString(control.SerializeToString())


def decode_control(
    raw: bytes,
    address: str,
    *,
    version: int = CONTROL_VERSION,
    upcasters: Mapping[int, Upcaster] = UPCASTERS,
) -> StoredControl:
    """Read a control record, lifting older versions.

    Raises:
        StateVersionError: the bytes are of a newer version, of a version without an upcaster, or no
            control record at all.
    """
    try:
        control = StoredControl.FromString(raw)
    except DecodeError as error:
        msg = f"{address}: stored control record cannot be parsed: {error}"
        raise StateVersionError(msg) from error
    while control.schema_version != version:
        found = control.schema_version
        upcast = upcasters.get(found)
        if found > version or upcast is None:
            msg = f"{address}: stored state has schema version {found}, this code reads {version}"
            raise StateVersionError(msg)
        control = upcast(control)
        control.schema_version = found + 1
    return control
