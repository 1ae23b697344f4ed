"""The agents that run programs: a workflow that interprets them, and the tallies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from headgate.sdk import Agent, Event, Turn
from headgate.sdk.workflow import CallError, Context
from tests.programs.program import Program, child_of

PROGRAM, TALLY = "program", "tally"

FAST = timedelta(milliseconds=50)


@dataclass
class Sums:
    """What a tally was given."""

    total: int = 0
    count: int = 0


def make_tally() -> Agent[Sums]:
    """Make the agent that adds up; whoever calls it is told what it was given."""
    agent = Agent(TALLY, Sums)

    @agent.on("add")
    def add(turn: Turn[Sums], event: Event) -> Any:
        turn.state.total += event.data
        turn.state.count += 1
        return event.data

    return agent


class Outside:
    """Where activities happen. It forgets, and is asked again: as the world is."""

    def __init__(self) -> None:
        self.tries: Counter[tuple[str, int]] = Counter()
        # Places that were done and undone, of each workflow, in the order of their first time.
        self.done: dict[str, list[int]] = {}
        self.undone: dict[str, list[int]] = {}

    def do(self, workflow: str, place: int) -> None:
        """Do a thing; a second time changes nothing."""
        self._note(self.done, workflow, place)

    def undo(self, workflow: str, place: int) -> None:
        """Undo it."""
        self._note(self.undone, workflow, place)

    def _note(self, book: dict[str, list[int]], workflow: str, place: int) -> None:
        noted = book.setdefault(workflow, [])
        if place not in noted:
            noted.append(place)

    def work(self, place: str, number: int, n: int, failures: int) -> int:
        """Fail so often, then come to n."""
        self.tries[place, number] += 1
        if self.tries[place, number] <= failures:
            message = f"not yet: {self.tries[place, number]} of {failures}"
            raise ConnectionError(message)
        return n


def make_interpreter(outside: Outside) -> Agent[Any]:
    """Make the workflow that does what its data says."""
    agent: Agent[Any] = Agent(PROGRAM)

    @agent.workflow
    async def run(ctx: Context, data: Any) -> int:
        if data[0] == "again":
            # Once: the next run is told so.
            ctx.continue_as_new(["new", data[1]])
        if data[0] == "saga":
            return await saga(ctx, *data[1:])
        return await play(ctx, data[1] if data[0] == "new" else data)

    async def saga(ctx: Context, steps: list[int], fails: bool) -> int:
        for place in range(len(steps)):
            await ctx.activity(outside.do, ctx.address, place)
            ctx.compensate(outside.undo, ctx.address, place)
        if fails:
            message = "as the program says"
            raise ValueError(message)
        return sum(steps)

    async def play(ctx: Context, program: Program) -> int:
        kind, *rest = program
        match kind:
            case "add":
                return int(rest[0])
            case "show":
                ctx.show(last=rest[0])
                return int(rest[0])
            case "send":
                ctx.send(f"{TALLY}/{rest[0]}", "add", rest[1])
                return int(rest[1])
            case "call":
                return int(await ctx.call(f"{TALLY}/{rest[0]}", "add", rest[1]))
            case "work":
                n, failures = rest
                number = ctx.random.randrange(10**9)
                return int(
                    await ctx.activity(outside.work, ctx.address, number, n, failures, backoff=FAST)
                )
            case "sleep":
                await ctx.sleep(timedelta(milliseconds=rest[0]))
                return int(rest[1])
            case "signal":
                return int(await ctx.wait_signal(rest[0]))
            case "seq":
                total = 0
                for each in rest:
                    total += await play(ctx, each)
                return total
            case "both":
                return sum(await ctx.gather(*(play(ctx, each) for each in rest)))
            case "first":
                return int((await ctx.race(play(ctx, rest[0]), never(ctx)))[1])
            case "child":
                child = f"{PROGRAM}/{child_of(ctx.key, rest[0])}"
                try:
                    return int(await ctx.call(child, "run", rest[1]))
                except CallError:
                    return -1
            case _:
                raise AssertionError(program)

    async def never(ctx: Context) -> int:
        await ctx.sleep(timedelta(days=3_000))
        return 0

    return agent
