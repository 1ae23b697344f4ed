"""Temporal workflows that drive Headgate's agents: activities over the front door, and their calls.

A worker is given ``Headgate("localhost:7081").all``. In a workflow:

    answer = await temporal.ask("order/17", "shop.order.ask", {"text": "where is it?"})
"""

from headgate.temporal.activities import Headgate
from headgate.temporal.asked import Answer, Ask, Run, Tell
from headgate.temporal.calls import ask, run, send, tell

__all__ = ["Answer", "Ask", "Headgate", "Run", "Tell", "ask", "run", "send", "tell"]
