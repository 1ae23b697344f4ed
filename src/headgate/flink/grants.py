"""Calls that the ledger lets go, on their way to Invoke.

They come to the shard of their instance, so that they reach the Invoke that remembers what it
journaled for it: the one behind that shard's Gate. Invoke itself takes no keys.
"""

from typing import Any

from pyflink.datastream.functions import ProcessFunction


class Grants(ProcessFunction):
    """Takes the key off: rows `(key, request)` in, the bytes of an `InvokeRequest` out."""

    def process_element(self, value: Any, ctx: Any) -> list[bytes]:
        """Hand on a request."""
        return [bytes(value[1])]
