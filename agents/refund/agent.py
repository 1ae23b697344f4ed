"""Refunds as a durable workflow: checks, a classifier, a person's approval, payment, notice."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path
from typing import Any

from bank import Bank  # type: ignore[import-not-found]

from headgate.sdk import Agent, Event, Refusal, TerminalError, Turn, serve
from headgate.sdk.workflow import CallError, Context

APPROVAL_CENTS = 10_000
"""What is more than this a person approves."""

REMINDER = timedelta(days=2)
DEADLINE = timedelta(days=7)

WORDS = {
    "damaged": ("broken", "damaged", "scratched", "cracked"),
    "late": ("late", "never came", "not arrived"),
    "fraud": ("chargeback", "stolen card"),
}


def make_classifier() -> Agent[Any]:
    """Make the agent that says what a complaint is about; it refuses what it cannot read."""
    agent = Agent("complaints", summary="Says what a complaint is about, by its words")

    @agent.on("complaint.classify")
    def classify(turn: Turn[Any], event: Event) -> Any:
        text = event.data.get("text") if isinstance(event.data, dict) else None
        if not isinstance(text, str) or not text.strip():
            return Refusal("the complaint has no text")
        found = [kind for kind, words in WORDS.items() if any(w in text.lower() for w in words)]
        return {"kind": found[0] if found else "other"}

    return agent


def make_workflow(
    bank: Bank, *, reminder: timedelta = REMINDER, deadline: timedelta = DEADLINE
) -> Agent[Any]:
    """Make the workflow; `reminder` and `deadline` are a person's, for an approval."""
    agent = Agent("refund", summary="Pays an order back, after checks and perhaps an approval")

    def check(order: Any) -> dict[str, Any]:
        cents = order.get("cents") if isinstance(order, dict) else None
        if not isinstance(cents, int) or cents <= 0 or not order.get("account"):
            message = "an order to refund needs `account` and `cents`, more than 0"
            raise TerminalError(message)
        return {"account": str(order["account"]), "cents": cents}

    def notify(order: dict[str, Any], kind: str) -> str:
        if order["account"] == "closed":
            message = "the account is closed: nobody can be told"
            raise TerminalError(message)
        return f"{order['account']} is told about its {kind} order"

    async def approved(ctx: Context, order: dict[str, Any]) -> bool:
        """Ask a person; remind now and then until the deadline."""

        async def remind() -> None:
            while True:
                await ctx.sleep(reminder)
                ctx.emit("refund.reminder", {"order": ctx.key, "cents": order["cents"]})

        ctx.emit("refund.approval.wanted", {"order": ctx.key, "cents": order["cents"]})
        try:
            _, said = await ctx.race(remind(), ctx.wait_signal("decide", timeout=deadline))
        except TimeoutError:
            return False
        return bool(isinstance(said, dict) and said.get("approve"))

    @agent.workflow
    async def refund(ctx: Context, data: Any) -> Any:
        order = await ctx.activity(check, data)
        try:
            found = await ctx.call(f"complaints/{ctx.key}", "complaint.classify", data)
        except CallError as error:
            return {"refunded": 0, "why": str(error)}
        if found["kind"] == "fraud":
            return {"refunded": 0, "why": "fraud"}
        if order["cents"] > APPROVAL_CENTS and not await approved(ctx, order):
            return {"refunded": 0, "why": "not approved"}
        # Named before the payment: it is made under this key, however often it is asked for.
        key, back = str(ctx.uuid()), str(ctx.uuid())
        await ctx.activity(bank.pay, key, order["account"], order["cents"], name="pay")
        ctx.compensate(bank.pay, back, order["account"], -order["cents"])
        await ctx.activity(notify, order, found["kind"])
        ctx.emit("refund.done", {"order": ctx.key, "cents": order["cents"]})
        return {"refunded": order["cents"], "why": found["kind"]}

    return agent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7072, help="0 picks a free one")
    parser.add_argument("--bank", type=Path, default=Path("bank.sqlite"), help="its file")
    parser.add_argument("--reminder", type=float, default=REMINDER.total_seconds(), help="seconds")
    parser.add_argument("--deadline", type=float, default=DEADLINE.total_seconds(), help="seconds")
    args = parser.parse_args()
    workflow = make_workflow(
        Bank(args.bank),
        reminder=timedelta(seconds=args.reminder),
        deadline=timedelta(seconds=args.deadline),
    )
    serve(workflow, make_classifier(), host=args.host, port=args.port)


if __name__ == "__main__":
    main()
