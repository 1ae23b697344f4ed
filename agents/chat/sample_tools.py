"""A tool to try with: --tools agents/chat/sample_tools.py."""

from typing import Literal

from tools import Tools  # type: ignore[import-not-found]

tools = Tools()

DAYS = {"letter": 2, "parcel": 3, "pallet": 7}


@tools.add
def delivery_days(kind: Literal["letter", "parcel", "pallet"], is_abroad: bool = False) -> int:
    """Tell how many working days a delivery takes."""
    return DAYS[kind] * (3 if is_abroad else 1)
