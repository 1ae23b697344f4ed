"""Agent: a name, a state class and handlers for types of events."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from headgate.core.own_types import SIGNAL, TIMER
from headgate.core.patterns import Pattern, compile_pattern
from headgate.sdk.errors import DefinitionError, UnhandledEventError
from headgate.sdk.state import NoState, StateCodec
from headgate.v1 import agent_pb2 as pb

S = TypeVar("S")
F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
# Types come from outside: a cache without a bound would grow with whatever is sent.
_CACHED_TYPES = 1024
_NAME_CHARS = 255
_MARK = "__headgate_on__"


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that takes events, and how it is to be called."""

    call: Callable[..., Any]
    is_async: bool
    in_thread: bool


class Agent(Generic[S]):
    """An agent type: what `serve` serves and `AgentTester` tests.

    >>> @dataclass
    ... class Counter:
    ...     seen: int = 0
    >>> agent = Agent("counter", state=Counter)
    >>> @agent.on("shop.*")
    ... def count(turn, event):
    ...     turn.state.seen += 1
    """

    @overload
    def __init__(
        self: "Agent[NoState]", name: str, *, revision: str = "1", summary: str = ""
    ) -> None: ...
    @overload
    def __init__(
        self, name: str, state: type[S], *, revision: str = "1", summary: str = ""
    ) -> None: ...
    def __init__(
        self, name: str, state: type[Any] = NoState, *, revision: str = "1", summary: str = ""
    ) -> None:
        """Name an agent type.

        state: the dataclass that each instance has one of.
        revision: of the code, chosen by you; raise it with each release that a canary is to try.
        summary: a line for people.
        """
        if not _NAME.fullmatch(name):
            message = f"agent name {name!r}: use a-z, 0-9, _ and -, at most 63 characters"
            raise DefinitionError(message)
        self.name = name
        self.revision = revision
        self.summary = summary
        self.codec: StateCodec[S] = StateCodec(state)
        self._handlers: list[tuple[Pattern, Handler]] = []
        # Those for one timer or signal, by the event's type and subject.
        self._named: dict[tuple[str, str], Handler] = {}
        self._found: dict[str, Handler] = {}
        self.queries: dict[str, Callable[..., Any]] = {}
        self._is_workflow = False
        self.is_inline = True

    def on(self, pattern: str, *, threads: bool = False) -> Callable[[F], F]:
        """Register a handler for events whose type matches; the most specific pattern wins.

        A pattern is exact, or has `*` for one segment, or for the whole rest at its end. `async
        def` handlers run side by side. Plain ones run in the event loop, one after the other: right
        for rules that only compute; give `threads=True` to those that wait or compute for long.

        >>> agent = Agent("echo")
        >>> @agent.on("*")
        ... async def answer(turn, event):
        ...     turn.emit("echo.reply", event.data)
        """

        def register(function: F) -> F:
            self._add(pattern, function, threads)
            return function

        return register

    def workflow(self, function: F) -> F:
        """Make the agent a durable workflow: `async def run(ctx, data)`, one run per key.

        The first event starts it, with that event's data; the others are signals to it, by their
        name or type. See `headgate.sdk.workflow`. Such an agent has no state and no handlers of
        its own.

        >>> agent = Agent("greeting")
        >>> @agent.workflow
        ... async def greet(ctx, data):
        ...     name = await ctx.wait_signal("name")
        ...     ctx.emit("greeting.said", f"{data} {name}")
        """
        # Here, for most agents are none.
        from headgate.sdk.workflow.engine import Engine
        from headgate.sdk.workflow.progress import Progress

        if not inspect.iscoroutinefunction(function):
            message = f"agent {self.name!r}: a workflow is an async def with context and data"
            raise DefinitionError(message)
        if self._handlers or self._named or self.codec.cls is not NoState:
            message = f"agent {self.name!r}: a workflow has no other handlers and no state class"
            raise DefinitionError(message)
        codec: Any = StateCodec(Progress)
        self.codec = codec
        self._add("*", Engine(function).take, threads=False)
        self._is_workflow = True
        return function

    def on_timer(self, name: str, *, threads: bool = False) -> Callable[[F], F]:
        """Register the handler of the timer of that name; `"*"` is every timer without its own.

        Its event's `data` is what `Turn.set_timer` was given, its `time` when it was due.

        >>> from datetime import timedelta
        >>> agent = Agent("order")
        >>> @agent.on("shop.order.placed")
        ... def placed(turn, event):
        ...     turn.set_timer("remind", timedelta(hours=2))
        >>> @agent.on_timer("remind")
        ... def remind(turn, event):
        ...     turn.emit("shop.order.reminder")
        """
        return self._on_named(TIMER, name, threads)

    def on_signal(self, name: str, *, threads: bool = False) -> Callable[[F], F]:
        """Register the handler of the signal of that name; `"*"` is every signal without its own.

        >>> agent = Agent("order")
        >>> @agent.on_signal("approve")
        ... def approve(turn, event):
        ...     turn.emit("shop.order.approved", event.data)
        """
        return self._on_named(SIGNAL, name, threads)

    def on_query(self, name: str) -> Callable[[F], F]:
        """Register the handler of a query: a plain or async function of state and data.

        For `headgate query ADDRESS NAME` and the front door. It waits for no turn and reads only:
        what it does to the state is forgotten. Of lists it sees the newest items. A workflow's
        state is a `headgate.sdk.workflow.Progress`; `shown` is what `ctx.show` has put there.

        >>> agent = Agent("order")
        >>> @agent.on_query("length")
        ... def length(state, data):
        ...     return len(str(state))
        """
        if not 1 <= len(name) <= _NAME_CHARS:
            message = f"agent {self.name!r}: a query's name has 1 to {_NAME_CHARS} characters"
            raise DefinitionError(message)

        def register(function: F) -> F:
            if self.queries.setdefault(name, function) is not function:
                message = f"agent {self.name!r} has two handlers for query {name!r}"
                raise DefinitionError(message)
            return function

        return register

    def _on_named(self, event_type: str, name: str, threads: bool) -> Callable[[F], F]:
        if not name:
            message = f"agent {self.name!r}: a handler for {event_type} needs a name, or '*'"
            raise DefinitionError(message)
        if name == "*":
            return self.on(event_type, threads=threads)

        def register(function: F) -> F:
            handler = self._handler(f"{event_type} {name}", function, threads)
            if self._named.setdefault((event_type, name), handler) is not handler:
                message = f"agent {self.name!r} has two handlers for {event_type} {name!r}"
                raise DefinitionError(message)
            return function

        return register

    def _add(self, text: str, function: Callable[..., Any], threads: bool) -> None:
        try:
            pattern = compile_pattern(text)
        except ValueError as error:
            raise DefinitionError(str(error)) from None
        if any(known.text == text for known, _ in self._handlers):
            message = f"agent {self.name!r} has two handlers for {text!r}"
            raise DefinitionError(message)
        self._handlers.append((pattern, self._handler(text, function, threads)))
        self._handlers.sort(key=lambda entry: entry[0].rank, reverse=True)
        self._found.clear()

    def _handler(self, text: str, function: Callable[..., Any], threads: bool) -> Handler:
        if self._is_workflow:
            message = f"agent {self.name!r}: a workflow takes every event; there is no {text!r}"
            raise DefinitionError(message)
        given: Any = function
        faces = (given, given.__call__)  # an object may be callable by an async __call__
        is_async = any(map(inspect.iscoroutinefunction, faces))
        if any(inspect.isgeneratorfunction(f) or inspect.isasyncgenfunction(f) for f in faces):
            message = f"{text!r}: a handler must not yield; its body would never run"
            raise DefinitionError(message)
        if is_async and threads:
            message = f"{text!r}: threads=True is for plain functions, not for async def"
            raise DefinitionError(message)
        self.is_inline = self.is_inline and not (is_async or threads)
        return Handler(function, is_async, threads)

    def handler_for(self, event_type: str, subject: str = "") -> Handler:
        """Find the handler for a type of events, or raise UnhandledEventError.

        subject: of a timer or signal its name; otherwise no handler depends on it.

        >>> agent = Agent("echo")
        >>> agent.on("a.*")(print) is print
        True
        >>> agent.handler_for("a.b").call is print
        True
        """
        if self._named:
            named = self._named.get((event_type, subject))
            if named is not None:
                return named
        found = self._found.get(event_type)
        if found is not None:
            return found
        for pattern, handler in self._handlers:
            if pattern.regex.fullmatch(event_type):
                if len(self._found) < _CACHED_TYPES:
                    self._found[event_type] = handler
                return handler
        what = f" named {subject!r}" if event_type in (TIMER, SIGNAL) else ""
        message = f"agent {self.name!r} has no handler for events of type {event_type!r}{what}"
        raise UnhandledEventError(message)

    def describe(self) -> pb.AgentDescription:
        """Say what Describe says about this agent.

        >>> Agent("echo", revision="3").describe().revision
        '3'
        """
        texts = sorted(
            {pattern.text for pattern, _ in self._handlers} | {t for t, _ in self._named}
        )
        return pb.AgentDescription(
            type=self.name,
            revision=self.revision,
            event_types=[] if "*" in texts else texts,
            summary=self.summary,
        )

    @classmethod
    def of(cls, given: Any) -> "Agent[Any]":
        """Make an agent of an object whose methods are marked with `on`.

        Its class says `name`, and if it likes `state`, `revision` and a docstring, whose first
        line becomes the summary.

        >>> class Echo:
        ...     name = "echo"
        ...     @on("*")
        ...     def answer(self, turn, event):
        ...         turn.emit("echo.reply", event.data)
        >>> Agent.of(Echo()).name
        'echo'
        """
        kind = type(given)
        name = getattr(given, "name", None)
        if not isinstance(name, str):
            message = f"{kind.__name__} needs a class attribute `name`: the agent type"
            raise DefinitionError(message)
        made: Agent[Any] = cls(
            name,
            getattr(given, "state", NoState),
            revision=getattr(given, "revision", "1"),
            summary=(inspect.getdoc(kind) or "").partition("\n")[0],
        )
        for attribute, function in inspect.getmembers(kind, inspect.isfunction):
            for mark, text, threads in getattr(function, _MARK, ()):
                more = {} if mark == "on_query" else {"threads": threads}
                getattr(made, mark)(text, **more)(getattr(given, attribute))
        return made


def on(pattern: str, *, threads: bool = False) -> Callable[[F], F]:
    """Mark a method as handler, for `Agent.of`.

    >>> class Echo:
    ...     name = "echo"
    ...     @on("echo.ask")
    ...     def answer(self, turn, event):
    ...         turn.emit("echo.reply", event.data)
    """

    return _mark("on", pattern, threads)


def on_timer(name: str, *, threads: bool = False) -> Callable[[F], F]:
    """Mark a method as the handler of a timer, for `Agent.of`; see `Agent.on_timer`."""
    return _mark("on_timer", name, threads)


def on_signal(name: str, *, threads: bool = False) -> Callable[[F], F]:
    """Mark a method as the handler of a signal, for `Agent.of`; see `Agent.on_signal`."""
    return _mark("on_signal", name, threads)


def on_query(name: str) -> Callable[[F], F]:
    """Mark a method as the handler of a query, for `Agent.of`; see `Agent.on_query`."""
    return _mark("on_query", name, threads=False)


def _mark(method: str, text: str, threads: bool) -> Callable[[F], F]:
    def mark(function: F) -> F:
        setattr(function, _MARK, (*getattr(function, _MARK, ()), (method, text, threads)))
        return function

    return mark
