"""A conversation as a workflow of the peer's, written as one would at first: the history is a list
in it, and each call of the model is an activity that is given the list.
"""

import os
from datetime import timedelta
from typing import Any

import httpx
from temporalio import activity, workflow

SYSTEM = {"role": "system", "content": "You are a helpful assistant. Answer briefly."}
Message = dict[str, str]
_clients: list[httpx.AsyncClient] = []


@activity.defn
async def complete(messages: list[Message]) -> str:
    """Ask the model for the next message."""
    if not _clients:
        _clients.append(httpx.AsyncClient(limits=httpx.Limits(max_connections=None)))
    asked: dict[str, Any] = {"model": "scripted", "messages": messages}
    answer = await _clients[0].post(f"{os.environ['MODEL_URL']}/chat/completions", json=asked)
    answer.raise_for_status()
    content: str = answer.json()["choices"][0]["message"]["content"]
    return content


@workflow.defn
class Conversation:
    """Keeps what was said; `window` bounds what the model is shown, 0 shows it all."""

    @workflow.init
    def __init__(self, turns: int, window: int) -> None:
        self._messages: list[Message] = []
        self._window = window

    @workflow.run
    async def run(self, turns: int, window: int) -> int:
        await workflow.wait_condition(
            lambda: len(self._messages) >= 2 * turns and workflow.all_handlers_finished()
        )
        return len(self._messages)

    @workflow.update
    async def say(self, text: str) -> str:
        """Take a user's message; return the model's."""
        self._messages.append({"role": "user", "content": text})
        # Each exchange is two messages: a window that is even begins with a user's.
        shown = self._messages[1 - self._window :] if self._window else self._messages
        answer = await workflow.execute_activity(
            complete, [SYSTEM, *shown], start_to_close_timeout=timedelta(seconds=30)
        )
        self._messages.append({"role": "assistant", "content": answer})
        return answer
