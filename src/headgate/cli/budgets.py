"""`headgate budgets`: what may be spent, what is, and how that is changed while the job runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from headgate.cli.broker import BootstrapOption, Broker, ConfigOption, find_broker
from headgate.cli.control import read_address
from headgate.cli.look import Output, OutputOption, answers, as_json, plain, problems, table
from headgate.cli.registered import doubt, find_agent, read
from headgate.config.spelling import did_you_mean, listed
from headgate.errors import HeadgateError

if TYPE_CHECKING:
    from headgate.kafka.registry import Costs
    from headgate.v1.cost_pb2 import Account, Budget

budgets = typer.Typer(
    help="What may be spent on calls, what is spent, and changes while the job runs.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the budget.", show_default=False)]


class BudgetError(HeadgateError):
    """A budget cannot be as it was asked for.

    Operator action: put right what the message says.
    """


class UnknownBudgetError(HeadgateError):
    """There is no budget of that name.

    Operator action: correct the name; `headgate budgets list` shows those there are.
    """


@budgets.command("list")
def list_budgets(
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """List the budgets with what is spent of them in this window.

    What is held is what calls that are not answered yet are taken to cost.

    [bold]Example[/]

      headgate budgets list -o json
    """
    from headgate.kafka.spending import amount_view, amounts, budget_view

    broker = find_broker(config, bootstrap)
    costs = _read(broker)
    now_us = time.time_ns() // 1_000
    found = sorted(amounts(costs.budgets.values(), _accounts(broker).values(), now_us), key=_order)
    if output is Output.JSON:
        views = []
        for name in sorted(costs.budgets):
            view = budget_view(costs.budgets[name], costs.terms.currency)
            view["amounts"] = [amount_view(each) for each in found if each.budget.name == name]
            views.append(view)
        as_json(views)
    elif not found:
        answers.print("No budgets: see [bold]headgate budgets set --help[/]")
    else:
        _show([amount_view(each) for each in found], costs.terms.currency)


@budgets.command("explain")
def explain(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="Agent type/key.", show_default=False)
    ],
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Show the budgets that an instance's turns count in, and which of them has no room.

    [bold]Example[/]

      headgate budgets explain support/acme:customer-17
    """
    from headgate.core.budgets import Budgets
    from headgate.core.tenancy import tenant_of
    from headgate.kafka.spending import amount_view, amounts_of

    broker = find_broker(config, bootstrap)
    agent_type, key = read_address(address)
    tenant = tenant_of(find_agent(read(broker), agent_type).tenancy, key)
    costs = _read(broker)
    now_us = time.time_ns() // 1_000
    rules, accounts = Budgets(costs.budgets.values()), _accounts(broker)
    views = [
        amount_view(each)
        for each in amounts_of(rules, accounts, address, tenant=tenant, now_us=now_us)
    ]
    if output is Output.JSON:
        as_json({"address": address, "tenant": tenant, "amounts": views})
        return
    answers.print(f"{plain(address)} is of tenant {plain(tenant)}.", highlight=False)
    if not views:
        answers.print("No budget counts its turns: nothing keeps it from spending.")
        return
    _show(views, costs.terms.currency)
    for view in views:
        if not view["has_room"]:
            when = view["window_ends"] or "it is raised"
            answers.print(
                f"[bold]{view['budget']}[/] has no room until {when}. To go on now: "
                f"headgate budgets set {view['budget']} --limit N",
                highlight=False,
            )


@budgets.command("set")
def set_budget(
    name: Name,
    *,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="AMOUNT", help="Such as 25 or 0.5.")
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", metavar="hour|day|month|total", help="In UTC.")
    ] = None,
    per: Annotated[
        str | None,
        typer.Option("--per", metavar="tenant|agent|instance", help="What has its own amount."),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="NAME", help="Whose turns count; '': everybody's."),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(
            "--agent", metavar="TYPE", help="Which agent type's turns count; '': every one's."
        ),
    ] = None,
    when_spent: Annotated[
        str | None,
        typer.Option(
            "--when-spent", metavar="defer|dead_letter|degrade", help="What becomes of more turns."
        ),
    ] = None,
    stand_in: Annotated[
        str | None,
        typer.Option("--stand-in", metavar="TYPE", help="With degrade: who takes the turns."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also let one that bounds turns count those of an agent nobody attached.",
        ),
    ] = False,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Make a budget, or change what is named of one. It holds within a second.

    A raised limit lets those go on at once that were deferred. What was spent
    stays counted, unless what counts or the window changes. headgate.toml does
    not take it back; `headgate budgets drop` does.

    [bold]Examples[/]

      headgate budgets set daily --window day --limit 25
      headgate budgets set acme --tenant acme --window month --limit 900 --when-spent dead_letter
      headgate budgets set daily --limit 40
    """
    given = {
        "limit": limit,
        "window": window,
        "per": per,
        "tenant": tenant,
        "agent": agent,
        "when_spent": when_spent,
        "stand_in": stand_in,
    }
    from headgate.kafka.journal_clock import newest_ms
    from headgate.kafka.money import succeed

    broker = find_broker(config, bootstrap)
    there_are = _read(broker).budgets
    known = there_are.get(name)
    near = did_you_mean(name, sorted(there_are)) if known is None else ""
    if near and (window is None or limit is None):
        message = f"there is no budget {name!r}{near}; to make it, give --window and --limit"
        raise UnknownBudgetError(message)
    budget = _made(name, known, {key: value for key, value in given.items() if value is not None})
    contents = read(broker)
    if budget.stand_in:
        find_agent(contents, budget.stand_in)
    doubtful = doubt(contents, agent) if agent else ""
    if doubtful and known is not None and known.agent != budget.agent and not force:
        # It would bound nothing any more, and forget what was spent.
        message = f"{doubtful}; {name} stays as it is. If that is meant: --force"
        raise BudgetError(message)
    if doubtful:
        # A name that was mistyped bounds nothing, and nobody would see that.
        problems.print(
            f"{doubtful}: the budget bounds nothing until it is", markup=False, highlight=False
        )
    newest = newest_ms(broker.bootstrap, broker.config.topic_names.journal)
    made = succeed(budget, known, newest)
    _write(broker, name, made)
    if known is not None and made.since_us != known.since_us:
        problems.print(
            f"{name} counts other turns than before, so it begins anew: what was spent so far is "
            "not in it any more",
            markup=False,
            highlight=False,
        )
    _say(broker, budget, output)


@budgets.command("drop")
def drop(
    name: Name,
    *,
    output: OutputOption = Output.TABLE,
    config: ConfigOption = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Take a budget away: nothing is refused for its sake any more. One that headgate.toml names
    comes back, as it says it, when the job starts anew.

    [bold]Example[/]

      headgate budgets drop daily
    """
    broker = find_broker(config, bootstrap)
    known = _read(broker).budgets
    if name not in known:
        near = did_you_mean(name, sorted(known))
        message = f"there is no budget {name!r}{near}; {listed(sorted(known))}"
        raise UnknownBudgetError(message)
    _write(broker, name, None)
    if output is Output.JSON:
        as_json({"name": name, "dropped": True})
    else:
        answers.print(f"{plain(name)} is dropped", highlight=False)


def _made(name: str, known: Budget | None, given: dict[str, str]) -> Budget:
    from pydantic import ValidationError

    from headgate.config.cost import BudgetConfig
    from headgate.config.explain import problems_of
    from headgate.kafka.money import budget_of
    from headgate.kafka.spending import budget_view

    table_: dict[str, object] = {"name": name}
    if known is not None:
        keys = ("per", "tenant", "agent", "window", "limit", "when_spent", "stand_in")
        view = budget_view(known, "")
        table_ |= {key: view[key] for key in keys if view[key] is not None}
    if given.get("when_spent", "degrade") != "degrade":
        table_.pop("stand_in", None)
    # An empty one takes back what was said before: everybody's turns count again.
    table_ = {key: value for key, value in (table_ | given).items() if value != ""}
    try:
        budget = budget_of(BudgetConfig.model_validate(table_))
    except ValidationError as error:
        told = []
        for each in problems_of(error):
            where = str(each.path[0]).replace("_", "-") if each.path else ""
            option = "NAME" if where == "name" else f"--{where}" if where else name
            told.append(f"{option}: {each.text}")
        raise BudgetError("\n".join(told)) from error
    budget.by_hand = True
    return budget


def _say(broker: Broker, budget: Budget, output: Output) -> None:
    from headgate.core.prices import money
    from headgate.kafka.spending import budget_view

    currency = _read(broker).terms.currency
    view = budget_view(budget, currency)
    if output is Output.JSON:
        as_json(view)
        return
    whose = " ".join(filter(None, (view["tenant"], view["agent"]))) or "everybody"
    each = {"tenant": "each tenant", "agent": "each agent type of a tenant"}
    answers.print(
        f"{budget.name}: {money(budget.limit_nanos, currency)} per {view['window']} for "
        f"{each.get(view['per'], 'each instance')}, of turns of {plain(whose)}; "
        f"when spent: {view['when_spent']}" + (f" to {budget.stand_in}" if budget.stand_in else ""),
        highlight=False,
    )


def _show(views: list[dict[str, object]], currency: str) -> None:
    rows = []
    for view in views:
        whose = "/".join(plain(str(view[k])) for k in ("tenant", "agent", "key") if view[k])
        window = str(view["window"])
        if view["window_ends"]:
            window += f", to {str(view['window_ends']).replace('T', ' ').removesuffix('Z')}"
        numbers = [view[key] for key in ("spent", "held", "left", "limit")]
        rows.append([view["budget"], whose, *numbers, view["calls"], view["refused"], window])
    columns = ["budget", "whose", "spent", "held", "left", f"limit ({currency})"]
    table([*columns, "calls", "refused", "window (UTC)"], rows)


def _order(amount: tuple[Budget, Account]) -> tuple[str, str]:
    budget, account = amount
    return budget.name, str(account)


def _read(broker: Broker) -> Costs:
    from headgate.kafka.registry import read_costs

    return read_costs(broker.bootstrap, broker.config.topic_names.registry)


def _accounts(broker: Broker) -> dict[str, Account]:
    from headgate.kafka.spending import read_accounts

    return read_accounts(broker.bootstrap, broker.config.topic_names.spending)


def _write(broker: Broker, name: str, budget: Budget | None) -> None:
    from headgate.kafka.money import BUDGET_PREFIX
    from headgate.kafka.registry import write_own

    value = None if budget is None else budget.SerializeToString()
    write_own(broker.bootstrap, broker.config.topic_names.registry, BUDGET_PREFIX + name, value)
