"""Whose an instance is: a function of its address, so that every process computes it alike."""

from __future__ import annotations

from headgate.v1.cost_pb2 import Tenancy

DEFAULT_TENANT = "default"
"""The tenant of instances that no rule gives to another."""


def tenant_of(tenancy: Tenancy, key: str) -> str:
    """Return the tenant of the instance with this key.

    >>> tenant_of(Tenancy(before=":"), "acme:customer-17")
    'acme'
    >>> tenant_of(Tenancy(before=":"), "customer-17")
    'default'
    """
    if tenancy.name:
        return tenancy.name
    if tenancy.before:
        name, separator, _ = key.partition(tenancy.before)
        if separator and name:
            return name
    return DEFAULT_TENANT
