"""Cost: what agents used, by agent, model and tenant, over time."""

from __future__ import annotations

from collections import defaultdict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headgate.ui.charts import Bar, bars
from headgate.ui.counts import Spent
from headgate.ui.desk import Desk
from headgate.ui.render import clock, money, render

MINUTES = 60
"""On the chart; the tables have all that the console remembers."""


def routes(desk: Desk) -> list[Route]:
    """Return the page's routes."""

    async def cost(request: Request) -> Response:
        desk.watch.look()
        facts = desk.watch.facts()
        tables: dict[str, defaultdict[str, Spent]] = {
            name: defaultdict(Spent) for name in ("agent", "model", "tenant")
        }
        minutes: defaultdict[int, Spent] = defaultdict(Spent)
        total = Spent()
        first_minute = 0
        for minute, series, spent in desk.watch.window.spent():
            first_minute = first_minute or minute
            minutes[minute].add(spent)
            total.add(spent)
            for name, of in (
                ("agent", series.agent),
                ("model", series.model),
                ("tenant", series.tenant),
            ):
                tables[name][of].add(spent)
        if set(tables["tenant"]) <= {""}:
            del tables["tenant"]
        return render(
            request,
            "cost.html",
            facts=facts,
            tables={name: _ranked(rows) for name, rows in tables.items()},
            total=total,
            chart=_chart(minutes, facts.now_ms // 60_000, has_cost=total.cost_nanos > 0),
            since_ms=first_minute * 60_000,
        )

    return [Route("/cost", cost)]


def _ranked(rows: dict[str, Spent]) -> list[tuple[str, Spent]]:
    def worth(row: tuple[str, Spent]) -> tuple[int, int]:
        return row[1].cost_nanos, row[1].input_tokens + row[1].output_tokens

    return sorted(rows.items(), key=worth, reverse=True)


def _chart(minutes: dict[int, Spent], newest: int, *, has_cost: bool) -> object:
    columns = []
    for minute in range(newest - MINUTES + 1, newest + 1):
        spent = minutes.get(minute, Spent())
        tokens = f"{spent.input_tokens:,} tokens in, {spent.output_tokens:,} out"
        if has_cost:
            columns.append(
                Bar(
                    (spent.cost_nanos,),
                    f"{clock(minute * 60_000)}: {money(spent.cost_nanos)}; {tokens}",
                )
            )
        else:
            columns.append(
                Bar(
                    (spent.input_tokens, spent.output_tokens), f"{clock(minute * 60_000)}: {tokens}"
                )
            )
    what = "Cost" if has_cost else "Tokens in and out"
    return bars(columns, label=f"{what} of each of the last {MINUTES} minutes")
