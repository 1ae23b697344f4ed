"""One run of a workflow's code in memory: its fibers, the steps it waits for, its signals.

Fed with stored steps or new ones alike: `tell` knows no difference. What it asks for it hands to
``effects``, which is None while it is run again over old steps: then all of it has been done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from headgate.sdk.turn import Turn
from headgate.sdk.workflow.errors import ActivityError, CallError, NonDeterminismError
from headgate.sdk.workflow.fibers import Fiber, Future, Loop

Step = dict[str, Any]
"""JSON: ``n`` and ``k`` (number, "kind name") with ``r`` (result) or ``e`` (error); or ``s`` and
``d`` (a signal's name and data), ``p`` (a patch), ``c`` (to be cancelled); and ``t``,
microseconds."""


@dataclass
class Pending:
    """A step that the workflow waits for. ``work`` runs an activity."""

    kind: str
    name: str
    future: Future
    work: Callable[[], Any] | None = None
    is_async: bool = False
    attempts: int = 1
    backoff: timedelta = timedelta(0)

    @property
    def has_timer(self) -> bool:
        """Whether a durable timer may be set for it."""
        return self.kind in {"sleep", "activity"}

    @property
    def label(self) -> str:
        """Kind and name, as steps bear them."""
        return f"{self.kind} {self.name}"


@dataclass
class Execution:
    """A run: it begins with `begin`, goes on with `tell`."""

    address: str
    run: int
    now_us: int
    effects: Turn[Any] | None = None
    loop: Loop = field(default_factory=Loop)
    pending: dict[int, Pending] = field(default_factory=dict)
    signals: dict[str, deque[Any]] = field(default_factory=dict)
    listeners: dict[str, deque[int]] = field(default_factory=dict)
    patches: set[str] = field(default_factory=set)
    main: Fiber | None = None
    issued: int = 0
    changed: Future = field(default_factory=Future)
    # Patches that the code has asked for first in this turn, to be kept as steps.
    new_patches: list[str] = field(default_factory=list)
    # The call in which activities were done last: there is one round of them in each.
    worked_in: str = ""

    # ------------------------------------------------------------------------- what code asks for

    def issue(self, kind: str, name: str, **more: Any) -> tuple[int, Future]:
        """Ask for a step; returns its number and what it will come to."""
        self.issued += 1
        number = self.issued
        future = Future(lambda: self._forget(number))
        self.pending[number] = Pending(kind, name, future, **more)
        return number, future

    def timer_name(self, number: int) -> str:
        """Name the timer of a step."""
        return f"workflow/{self.run}/{number}"

    def number_of_timer(self, name: str) -> int:
        """Return the step whose timer has that name; 0 if it is none of this run's."""
        return self.number_of(name.removeprefix("workflow/"))

    def number_of(self, text: str) -> int:
        """Return the step that a run and a number name, `2/17`; 0 if it is none of this run's."""
        run, _, number = text.partition("/")
        return int(number) if run == str(self.run) and number.isdecimal() else 0

    def _forget(self, number: int) -> None:
        gone = self.pending.pop(number, None)
        if gone is None:
            return
        if gone.kind == "signal":
            self.listeners[gone.name].remove(number)
        elif gone.has_timer and self.effects is not None:
            self.effects.cancel_timer(self.timer_name(number))

    def listen(self, name: str) -> Future:
        """Wait for a signal: one that came before nobody waited, or the next."""
        number, future = self.issue("signal", name)
        if self.signals.get(name):
            del self.pending[number]
            future.resolve(self.signals[name].popleft())
        else:
            self.listeners.setdefault(name, deque()).append(number)
        return future

    def is_patched(self, patch: str) -> bool:
        """Tell whether the run took the way of a patch; a run at its newest step takes it now."""
        if patch not in self.patches and self.effects is not None:
            self.patches.add(patch)
            self.new_patches.append(patch)
        return patch in self.patches

    # --------------------------------------------------------------------------- what it is told

    def tell(self, step: Step) -> None:
        """Let the run know of a step, and run on until it waits.

        Raises:
            NonDeterminismError: the code waits for another step of that number, or for none.
        """
        self.now_us = max(self.now_us, step["t"])
        if "n" in step:
            self._resolve(step)
        elif "s" in step:
            self._signal(step["s"], step["d"])
        elif "c" in step and self.main is not None:
            self.main.cancel()
        self.proceed()

    def proceed(self) -> None:
        """Run until everything waits."""
        changed, self.changed = self.changed, Future()
        changed.resolve()
        self.loop.run()

    def _resolve(self, step: Step) -> None:
        number, label = step["n"], step["k"]
        waiting = self.pending.get(number)
        if waiting is None or waiting.label != label:
            found = "asks for no such step" if waiting is None else f"asks for {waiting.label!r}"
            message = (
                f"{self.address}: step {number} of run {self.run} was {label!r}, the code now "
                f"{found}; deploy code that makes the same steps, then resume"
            )
            raise NonDeterminismError(message)
        del self.pending[number]
        if "e" in step:
            kind = CallError if waiting.kind == "call" else ActivityError
            waiting.future.resolve(error=kind(step["e"]))
        else:
            waiting.future.resolve(step.get("r"))

    def _signal(self, name: str, data: Any) -> None:
        waiting = self.listeners.get(name)
        if waiting:
            self.pending.pop(waiting.popleft()).future.resolve(data)
        else:
            self.signals.setdefault(name, deque()).append(data)

    def check_pending(self, stored: dict[str, str]) -> None:
        """Compare what the code waits for with what it waited for when it came to this point.

        Raises:
            NonDeterminismError: they differ.
        """
        found = self.labels()
        for number in sorted({*stored, *found}, key=int):
            if stored.get(number) != found.get(number):
                message = (
                    f"{self.address}: step {number} of run {self.run} was "
                    f"{stored.get(number, 'none')!r}, the code now asks for "
                    f"{found.get(number, 'none')!r}; deploy code that makes the same steps, then "
                    "resume"
                )
                raise NonDeterminismError(message)

    def labels(self) -> dict[str, str]:
        """Return the steps that it waits for: number to label."""
        return {str(number): each.label for number, each in self.pending.items()}

    def close(self) -> None:
        """Let go of it. It may be run again over its steps."""
        self.effects = None
        self.loop.close()
