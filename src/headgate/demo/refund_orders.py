"""The orders of the workflow demo, and what must come of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """One order, and what must come of it: the workflow's result, its payments, its notice."""

    number: int

    @property
    def address(self) -> str:
        return f"refund/order-{self.number}"

    @property
    def kind(self) -> str:
        """Of five: small, large and approved, large and declined, fraud, and one that cannot be
        told about its payment, which is taken back.
        """
        return ("small", "approved", "declined", "fraud", "closed")[self.number % 5]

    def data(self) -> dict[str, Any]:
        cents = self.number + (20_000 if self.kind in {"approved", "declined"} else 100)
        account = "closed" if self.kind == "closed" else f"account-{self.number}"
        text = "a stolen card" if self.kind == "fraud" else "it came broken"
        return {"account": account, "cents": cents, "text": text}

    def result(self) -> tuple[str, Any]:
        """Return status and result."""
        cents = self.data()["cents"]
        return {
            "small": ("completed", {"refunded": cents, "why": "damaged"}),
            "approved": ("completed", {"refunded": cents, "why": "damaged"}),
            "declined": ("completed", {"refunded": 0, "why": "not approved"}),
            "fraud": ("completed", {"refunded": 0, "why": "fraud"}),
            "closed": ("failed", None),
        }[self.kind]

    def payments(self) -> list[int]:
        cents = self.data()["cents"]
        return {"small": [cents], "approved": [cents], "closed": [cents, -cents]}.get(self.kind, [])

    def is_told(self) -> bool:
        """Whether `refund.done` leaves."""
        return self.kind in {"small", "approved"}
