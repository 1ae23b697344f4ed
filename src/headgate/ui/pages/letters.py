"""What needs a hand: parked instances and dead letters, and what can be done about each."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from headgate.cli.letter_filter import LetterFilter
from headgate.cli.letters import (
    NoLetterError,
    discard_letters,
    find,
    open_ones,
    replay_letters,
    view_of,
)
from headgate.ui.desk import Desk
from headgate.ui.payload import pretty
from headgate.ui.render import render
from headgate.ui.saying import done, field, refuse

ROWS = 100


def routes(desk: Desk) -> list[Route]:
    """Return the pages' routes."""
    page = _Letters(desk)
    return [
        Route("/letters", page.all),
        Route("/letters", page.settle, methods=["POST"]),
        Route("/letters/{id:path}", page.one),
    ]


class _Letters:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def all(self, request: Request) -> Response:
        self._desk.watch.look()
        facts, asked = self._desk.watch.facts(), request.query_params
        agent, reason = asked.get("agent", ""), asked.get("reason", "")

        def is_wanted(address: str, why: str) -> bool:
            return agent in {"", address.partition("/")[0]} and reason in {"", why}

        letters = [each for each in facts.letters if is_wanted(each.address, each.reason)]
        parked = [each for each in facts.parked if agent in {"", each.address.partition("/")[0]}]
        return render(
            request,
            "letters.html",
            letters=letters[:ROWS],
            letters_count=len(letters),
            parked=parked[:ROWS],
            parked_count=len(parked),
            agent=agent,
            reason=reason,
            agents=sorted(
                {each.address.partition("/")[0] for each in facts.letters if each.address}
            ),
            reasons=sorted({each.reason for each in facts.letters}),
        )

    async def one(self, request: Request) -> Response:
        wanted = LetterFilter(ids=frozenset({request.path_params["id"]}))

        def look() -> dict[str, Any] | None:
            found = next(find(self._desk.broker, wanted, is_all=True), None)
            return view_of(found) if found else None

        seen = await asyncio.to_thread(look)
        if seen is None:
            message = f"no dead letter {request.path_params['id']!r}"
            raise NoLetterError(message)
        if request.query_params.get("part") == "value":
            value = seen.get("record_value", seen.get("record_value_base64", ""))
            return PlainTextResponse(pretty(value, 0).text)
        return render(request, "letter.html", seen=seen, living=False)

    async def settle(self, request: Request) -> Response:
        ids, verb = request.state.form.get("id", []), field(request, "verb")
        if not ids:
            refuse("which ones? None was chosen")
        why = field(request, "why") or "by the console"

        def run() -> str:
            letters = open_ones(
                self._desk.broker, LetterFilter(ids=frozenset(ids)), everything=False
            )
            match verb:
                case "replay":
                    ready, refused = replay_letters(self._desk.broker, letters, why=why)
                    not_done = "".join(f"; {name} cannot be: {no}" for name, no in refused.items())
                    return f"{_letters(len(ready))} replayed{not_done}"
                case "discard":
                    settled = discard_letters(self._desk.broker, letters, why=why)
                    return f"{_letters(len(settled))} discarded"
                case _:
                    refuse(f"there is no {verb!r} of dead letters")

        return done(request, await asyncio.to_thread(run), "/letters")


def _letters(count: int) -> str:
    return "1 dead letter was" if count == 1 else f"{count} dead letters were"
