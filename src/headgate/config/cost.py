"""Money in headgate.toml: what calls cost, who pays, and what may be spent."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from headgate.config.agents import AgentName
from headgate.config.fields import Count, Section
from headgate.config.money import Amount, Moment, TenantName

BudgetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=63)]


class PriceConfig(Section):
    """What a model costs, or an agent type whose service tells no usage.

    model, agent: patterns in which * stands for any text; one of the two. since: from when on, UTC.
    input, output: a million tokens. call: each call. second: each second of it.
    """

    model: Annotated[str, Field(min_length=1)] | None = None
    agent: Annotated[str, Field(min_length=1)] | None = None
    since: Moment | None = None
    input: Amount = Decimal(0)
    output: Amount = Decimal(0)
    call: Amount = Decimal(0)
    second: Amount = Decimal(0)

    @model_validator(mode="after")
    def _check_what(self) -> Self:
        if (self.model is None) == (self.agent is None):
            message = "name either model or agent, whose price it is"
            raise ValueError(message)
        if self.agent is not None and (self.input or self.output):
            message = "tokens are a model's: input and output need model, not agent"
            raise ValueError(message)
        return self


class CostConfig(Section):
    """The currency of all amounts, and the prices."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    prices: tuple[PriceConfig, ...] = ()


class TenantConfig(Section):
    """A tenant's part of an agent type that several want.

    weight: its calls to those of others, as this to theirs. rate: calls of an agent type begun per
        second for it, per subtask.
    """

    weight: Annotated[Count, Field(le=1_000_000)] = 1
    rate: Annotated[float, Field(gt=0, le=1e9, strict=True, allow_inf_nan=False)] | None = None


class BudgetConfig(Section):
    """What may be spent.

    per: what has an amount of its own. tenant, agent: whose turns count; default: all.
    window: in UTC. when_spent: what becomes of further turns. stand_in: with degrade, the agent
        type that takes them.
    """

    name: BudgetName
    per: Literal["tenant", "agent", "instance"] = "tenant"
    tenant: TenantName | None = None
    agent: AgentName | None = None
    window: Literal["hour", "day", "month", "total"]
    limit: Amount
    when_spent: Literal["defer", "dead_letter", "degrade"] = "defer"
    stand_in: AgentName | None = None

    @model_validator(mode="after")
    def _check_stand_in(self) -> Self:
        if (self.when_spent == "degrade") != (self.stand_in is not None):
            message = "when_spent = 'degrade' and stand_in belong together: name both or neither"
            raise ValueError(message)
        if self.stand_in is not None and self.stand_in == self.agent:
            message = f"stand_in is {self.agent!r} itself; name a cheaper agent"
            raise ValueError(message)
        return self
