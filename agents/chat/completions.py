"""A client of the chat-completions API that OpenAI made and many servers speak.

Nothing is tried again here: Headgate does that, with the patience of the agent's policy. This
module only says which failures are worth it.
"""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import httpx
from settings import Settings  # type: ignore[import-not-found]

from headgate.sdk import Park, RetryableError, TerminalError

# Connecting is quick or hopeless; the answer itself may take as long as models do.
CONNECT_SECONDS = 5.0
# No answer worth keeping is larger, and a turn's outcome may not be.
ANSWER_BYTES = 4 << 20
# A header that asks for more is a mistake, or a ban: a person should look before then.
RETRY_AFTER_SECONDS = 3600.0
# Of a server's own words in a failure's message.
TOLD_CHARACTERS = 500

NO_HEADERS: Mapping[str, str] = {}

# Not the event's fault but the settings': key, quota, URL or the model's name. Other events would
# meet the same, so the instance stops, with its mailbox, until someone has put it right.
SETTINGS = frozenset({301, 302, 307, 308, 401, 402, 403, 404})
# Too early, too many, or two at once: another time it may work. So may whatever is 500 and up.
TRANSIENT = frozenset({408, 409, 425, 429})


@dataclass
class ToolCall:
    """A call that the model wants made; arguments as it wrote them: JSON, one hopes."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and what it cost."""

    text: str
    tool_calls: list[ToolCall]
    finish_reason: str
    model: str
    input_tokens: int
    output_tokens: int


class Completions:
    """Asks one model. Its connections belong to the first loop that uses it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._client: httpx.AsyncClient | None = None

    async def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        may_call_tools: bool = True,
        idempotency_key: str = "",
        trace_headers: Mapping[str, str] = NO_HEADERS,
    ) -> Answer:
        """Ask for the next message.

        Raises:
            RetryableError: no answer in time, or one that another try may better.
            TerminalError: the server refuses this very request.
            Park: key, quota, URL or model are not accepted; every request would meet the same.
        """
        asked: dict[str, Any] = {"model": self.settings.model, "messages": list(messages)}
        if tools:
            asked |= {"tools": list(tools), "tool_choice": "auto" if may_call_tools else "none"}
        headers = dict(trace_headers)
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        seconds = self.settings.timeout_seconds
        try:
            # Over the whole answer: httpx's own limit starts anew with each byte that drips in.
            async with asyncio.timeout(seconds):
                status, after, body = await self._post(asked, headers)
        except (TimeoutError, httpx.TimeoutException):
            message = f"the model did not answer within {seconds:g} s"
            raise RetryableError(message) from None
        except httpx.HTTPError as error:
            message = f"the model's server cannot be reached: {type(error).__name__}: {error}"
            raise RetryableError(self._redacted(message)) from None
        if not 200 <= status < 300:
            self._refused(status, after, body)
        try:
            return _answer(json.loads(body), self.settings.model)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            message = f"the model's server sent no chat completion: {type(error).__name__}"
            raise RetryableError(message) from None

    async def _post(self, asked: Any, headers: dict[str, str]) -> tuple[int, str, bytes]:
        if self._client is None:
            key = self.settings.api_key
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=httpx.Timeout(self.settings.timeout_seconds, connect=CONNECT_SECONDS),
                # As many as turns that run at once: the service's --max-turns bounds them.
                limits=httpx.Limits(max_connections=None),
            )
        url = f"{self.settings.base_url}/chat/completions"
        async with self._client.stream("POST", url, json=asked, headers=headers) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES:
                    message = f"the model's answer is larger than {ANSWER_BYTES} bytes"
                    raise RetryableError(message)
            return response.status_code, response.headers.get("Retry-After", ""), bytes(body)

    def _refused(self, status: int, after: str, body: bytes) -> NoReturn:
        told = self._redacted(_told(body))[:TOLD_CHARACTERS]  # in this order: no half keys
        message = f"the model's server answered {status}: {told}"
        if status in TRANSIENT or status >= 500:
            raise RetryableError(message, after=retry_after(after))
        if status in SETTINGS:
            raise Park(message)
        raise TerminalError(message)

    def _redacted(self, text: str) -> str:
        # Servers like to quote the key that they refuse.
        key = self.settings.api_key
        return text.replace(key, "[key]") if key else text


def retry_after(header: str, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; None if it does not.

    >>> retry_after("3")
    3.0
    """
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError):
            return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), RETRY_AFTER_SECONDS)


def _told(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    try:
        error = json.loads(text)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, TypeError, LookupError, RecursionError):
        pass
    return str(text).strip()


def _answer(body: Any, model: str) -> Answer:
    choice = body["choices"][0]
    said = choice["message"]
    usage = body.get("usage") or {}
    text = said.get("content") or ""
    if not isinstance(text, str):
        raise TypeError
    return Answer(
        text=text,
        tool_calls=[_call(call) for call in said.get("tool_calls") or ()],
        finish_reason=str(choice.get("finish_reason") or ""),
        model=str(body.get("model") or model),
        input_tokens=int(usage.get("prompt_tokens") or 0),
        output_tokens=int(usage.get("completion_tokens") or 0),
    )


def _call(call: Any) -> ToolCall:
    arguments = call["function"].get("arguments") or ""
    # The API says text; some servers send the object itself.
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall(str(call["id"]), str(call["function"]["name"]), text)
