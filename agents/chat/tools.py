"""Tools: Python functions that a model may call, with their arguments checked first."""

import asyncio
import inspect
import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from headgate.sdk import Park, RetryableError, TerminalError
from headgate.sdk.annotations import compile_codec
from headgate.sdk.codec import Codec
from headgate.sdk.errors import StateError

F = TypeVar("F", bound=Callable[..., Any])

# A parameter of this name is not the model's to give: it is a key for effects (Tools.run).
STEP_KEY = "step_key"
# Results are stored and go to the model again with each later message of the conversation.
RESULT_CHARACTERS = 8_000

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class _Tool:
    function: Callable[..., Any]
    schema: dict[str, Any]
    codecs: dict[str, Codec]
    required: frozenset[str]
    wants_key: bool


class Tools:
    """The functions an author lets the model call.

    Their names, docstrings and annotated parameters (str, int, float, bool, Literal, list, dict
    with str keys, Optional) become what the model is told. Plain functions run in threads.

    >>> tools = Tools()
    >>> @tools.add
    ... def stock(article: str, size: int = 0) -> int:
    ...     '''How many of an article are in stock.'''
    ...     return 3
    >>> tools.schemas()[0]["function"]["parameters"]["required"]
    ['article']
    """

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = {}

    def add(self, function: F) -> F:
        """Let the model call this function; TypeError if a parameter cannot be described."""
        name = function.__name__
        hints = typing.get_type_hints(function)
        properties: dict[str, Any] = {}
        codecs: dict[str, Codec] = {}
        required: list[str] = []
        signature = inspect.signature(function)
        for parameter in signature.parameters.values():
            if parameter.name == STEP_KEY:
                continue
            where = f"{name}({parameter.name})"
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                message = f"{where}: a tool's parameters are given by name"
                raise TypeError(message)
            hint = hints.get(parameter.name)
            properties[parameter.name] = _schema(hint, where)
            codecs[parameter.name] = compile_codec(hint, where)
            if parameter.default is parameter.empty:
                required.append(parameter.name)
        schema = {
            "name": name,
            "description": inspect.getdoc(function) or "",
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            },
        }
        self._tools[name] = _Tool(
            function, schema, codecs, frozenset(required), STEP_KEY in signature.parameters
        )
        return function

    def schemas(self) -> list[dict[str, Any]]:
        """Describe all tools as the chat-completions API wants it."""
        return [{"type": "function", "function": tool.schema} for tool in self._tools.values()]

    async def run(self, name: str, arguments: str, step_key: str) -> str:
        """Run a call of the model's; what went wrong is a result too, for the model to read.

        A function with a parameter `step_key` is given it: the same for the same call of the same
        event, so that an effect is not made twice when the turn is tried again. Only the errors by
        which an author decides about the turn (RetryableError, TerminalError, Park) are raised.
        """
        try:
            tool = self._find(name)
            given = self._checked(tool, arguments)
            if tool.wants_key:
                given[STEP_KEY] = step_key
            if inspect.iscoroutinefunction(tool.function):
                result = await tool.function(**given)
            else:
                result = await asyncio.to_thread(tool.function, **given)
            text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        except (RetryableError, TerminalError, Park):
            raise
        except _Refused as refused:
            return json.dumps({"error": str(refused)}, ensure_ascii=False)
        except Exception as error:  # the model may try another way
            return json.dumps({"error": f"{type(error).__name__}: {error}"}, ensure_ascii=False)
        if len(text) > RESULT_CHARACTERS:
            return f"{text[:RESULT_CHARACTERS]} [cut: {len(text)} characters]"
        return text

    def _find(self, name: str) -> _Tool:
        tool = self._tools.get(name)
        if tool is None:
            message = f"there is no tool {name!r}; there are: {', '.join(self._tools) or 'none'}"
            raise _Refused(message)
        return tool

    def _checked(self, tool: _Tool, arguments: str) -> dict[str, Any]:
        try:
            given = json.loads(arguments or "{}")
        except (ValueError, RecursionError) as error:
            message = f"the arguments are not JSON: {error}"
            raise _Refused(message) from None
        if not isinstance(given, dict):
            message = "the arguments are not a JSON object"
            raise _Refused(message)
        problems = [f"{name}: no such argument" for name in given if name not in tool.codecs]
        problems += [f"{name}: missing" for name in sorted(tool.required - given.keys())]
        checked: dict[str, Any] = {}
        for name, codec in tool.codecs.items():
            if name in given:
                try:
                    checked[name] = codec.from_bytes(json.dumps(given[name]).encode(), name)
                except StateError as error:
                    problems.append(str(error))
        if problems:
            raise _Refused("; ".join(problems))
        return checked


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """A call that is not made; its text is for the model."""


def _schema(hint: Any, where: str) -> dict[str, Any]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    if origin is typing.Literal:
        return {"enum": list(args)}
    if origin is list:
        return {"type": "array", "items": _schema(args[0], where)}
    if origin is dict and args[0] is str:
        return {"type": "object", "additionalProperties": _schema(args[1], where)}
    if origin in (typing.Union, types.UnionType) and len(args) == 2 and type(None) in args:
        (inner,) = (arg for arg in args if arg is not type(None))
        return {"anyOf": [_schema(inner, where), {"type": "null"}]}
    message = f"{where}: {hint!r} cannot be described to a model"
    raise TypeError(message)
