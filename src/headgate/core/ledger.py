"""The ledger of one shard of tenants: what is held for calls, and what was spent. Pure.

- A call is let go when every amount that its turn counts in has room for it: what was spent in the
  window, what is held for calls that are not settled, and what this call is taken to cost.
- What is held is named by (address, base): asked for again, it is the same.
- Every journaled outcome is settled once by its id, also one that lost a race: it was paid. It
  counts in the window of its log-append time, whenever it is read, so what was spent is a function
  of the journal.
- An outcome frees what was held for its base. What it did not use is there for others.

So an amount is over-spent by no more than the calls in flight cost over what they were taken for.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace

from headgate.core.budgets import Budgets, account_of, name_of
from headgate.core.identity import split_address
from headgate.core.prices import MOST_NANOS
from headgate.core.windows import end_of, window_of
from headgate.v1.cost_pb2 import Account, Ask, Budget, Hold, Settlement

_WEIGHT = 16
"""A call counts a sixteenth in what an event of its agent type is taken to cost."""

_MOST_SPENT = 2**63 - 1
"""What an account can say at most. Two calls of nonsense come to more, and a ledger that failed on
them would fail on them again in every life: they stand in the journal.
"""

TRIAL_US = 60_000_000
"""How long others wait for the first call of an agent type that nobody knows the cost of. All at
once, a thousand would be let go for nothing; but one that hangs must not hold them up for good.
"""


@dataclass(frozen=True, slots=True)
class Granted:
    """The call may be made, by the stand-in if there is one."""

    stand_in: str = ""


@dataclass(frozen=True, slots=True)
class MustWait:
    """There is room once calls in flight are settled for less than they were taken for."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget has no room in this window. ``until_us``: its end; 0 if it never ends.

    ``fewer_fit``: there is room for one of the call's events.
    """

    budget: Budget
    account: Account
    estimate_nanos: int
    until_us: int
    fewer_fit: bool = False


Verdict = Granted | MustWait | Spent


@dataclass(slots=True)
class Ledger:
    """``get`` reads what is stored by name; ``changes`` is what is to be stored.

    ``at_us`` is the protocol's time as far as it is known, microseconds since the epoch.
    """

    get: Callable[[str], bytes | None]
    at_us: int = 0
    changes: dict[str, bytes | None] = field(default_factory=dict)
    changed: dict[str, Account] = field(default_factory=dict)
    """Accounts that changed, by name, until somebody takes them away."""

    def see(self, at_us: int) -> None:
        """Learn how late it is. Time never goes back."""
        self.at_us = max(self.at_us, at_us)

    # ------------------------------------------------------------------------------- reserving

    def ask(self, ask: Ask, rules: Budgets, stand_ins: Container[str] = ()) -> Verdict:
        """Hold what a call is taken to cost, if it fits.

        stand_ins: the agent types that may take a turn in another's stead now.
        """
        hold = self._hold(ask.address)
        if hold is not None:
            if hold.base == ask.base and (not hold.stand_in or hold.stand_in in stand_ins):
                return Granted(hold.stand_in)
            # The instance is elsewhere by now, and whatever became of that call is settled; or who
            # stood in was detached, and somebody else must take it.
            self._free(ask.address, hold)
        agent_type, key = split_address(ask.address)
        counted = rules.counting(ask.tenant, agent_type)
        stand_in = ""
        while True:
            # Whoever writes to the registry may write less than nothing, and room would grow by it.
            named = 0 if stand_in else max(0, ask.estimate_nanos)
            taker = stand_in or agent_type
            each = named or self.estimate_of(taker)
            if counted and not named and self._is_on_trial(taker, ask.address):
                return MustWait()
            ruled = [rule for rule in counted if not _waives(rule, stand_in)]
            if not named and ruled:
                # Learned from calls: after one that cost more than a whole window has, none would
                # be let go that could teach better.
                each = min(each, max(0, min(rule.limit_nanos for rule in ruled)))
            estimate = min(each * max(1, ask.events), MOST_NANOS)
            accounts = [self.account(rule, ask.tenant, agent_type, key) for rule in ruled]
            verdict = _verdict(ruled, accounts, estimate)
            if isinstance(verdict, Granted):
                self._keep(ask, accounts, estimate, stand_in)
                if not named and not self._is_known(taker):
                    self.changes[f"t{taker}"] = ask.address.encode()
                return Granted(stand_in)
            if isinstance(verdict, MustWait):
                return verdict
            if ask.events > 1 and not isinstance(_verdict(ruled, accounts, each), Spent):
                return replace(verdict, fewer_fit=True)
            verdict.account.refused += 1
            verdict.account.refused_as_ms = verdict.budget.updated_ms
            self._store(verdict.account)
            found = verdict.budget
            if found.when_spent != Budget.DEGRADE or stand_in or found.stand_in not in stand_ins:
                return verdict
            stand_in = verdict.budget.stand_in

    def free(self, address: str) -> None:
        """Free what is held for an instance's call, if anything is: nobody will settle it."""
        hold = self._hold(address)
        if hold is not None:
            self._free(address, hold)

    def is_held(self, ask: Ask) -> bool:
        """Tell whether this very call was let go before."""
        hold = self._hold(ask.address)
        return hold is not None and hold.base == ask.base

    def estimate_of(self, agent_type: str) -> int:
        """Return what events of an agent type cost of late, nanos; 0 before the first."""
        return int.from_bytes(self._read(f"e{agent_type}") or b"", "big")

    def _is_known(self, agent_type: str) -> bool:
        return self._read(f"e{agent_type}") is not None

    def _is_on_trial(self, agent_type: str, address: str) -> bool:
        """Tell whether another instance's call of an agent type is under way, the first of all:
        what it will cost, others are taken for.
        """
        if self._is_known(agent_type):
            return False
        first = (self._read(f"t{agent_type}") or b"").decode()
        hold = self._hold(first) if first and first != address else None
        return hold is not None and hold.at_us > self.at_us - TRIAL_US

    def _keep(self, ask: Ask, accounts: list[Account], estimate: int, stand_in: str) -> None:
        hold = Hold(base=ask.base, nanos=estimate, stand_in=stand_in, at_us=self.at_us)
        for account in accounts:
            account.held_nanos += estimate
            hold.accounts.append(self._store(account))
        self.changes[f"h{ask.address}"] = hold.SerializeToString()

    # -------------------------------------------------------------------------------- settling

    def settle(self, settled: Settlement, rules: Budgets) -> None:
        """Take an outcome in. Whoever calls sees to it that each id comes once."""
        self.see(settled.at_us)
        hold = self._hold(settled.address)
        if hold is not None and hold.base == settled.base:
            self._free(settled.address, hold)
        if not settled.called:
            return
        agent_type, key = split_address(settled.address)
        if settled.cost_nanos or not settled.failed:
            # Of a call that broke off nobody knows what it would have cost.
            cost = -(-settled.cost_nanos // max(1, settled.events))
            self._learn(settled.stand_in or agent_type, cost)
        paid = max(0, settled.cost_nanos)
        for rule in rules.counting(settled.tenant, agent_type):
            if _waives(rule, settled.stand_in) or settled.at_us < rule.since_us:
                continue
            account = self.account(rule, settled.tenant, agent_type, key)
            begin = window_of(rule.window, settled.at_us)
            if begin == account.window_us:
                account.spent_nanos = min(account.spent_nanos + paid, _MOST_SPENT)
                account.calls += 1
            elif begin == account.previous_us:
                # Another partition's clock was ahead of this one.
                account.previous_nanos = min(account.previous_nanos + paid, _MOST_SPENT)
            self._store(account)

    def _learn(self, agent_type: str, cost: int) -> None:
        mean = self.estimate_of(agent_type)
        # Rounded up, so that what costs anything at all is never taken for free.
        mean = mean - (mean - cost) // _WEIGHT if mean else cost
        self.changes[f"e{agent_type}"] = max(0, mean).to_bytes(8, "big")

    # -------------------------------------------------------------------------------- accounts

    def account(self, rule: Budget, tenant: str, agent_type: str, key: str) -> Account:
        """Return an amount as it is now: in the window of now."""
        account = fresh = account_of(rule, tenant, agent_type, key)
        raw = self._read("a" + name_of(fresh))
        if raw is not None:
            account = Account.FromString(raw)
            if account.since_us != rule.since_us:
                # Another budget of this name. What is held is freed by the name.
                fresh.held_nanos = account.held_nanos
                account = fresh
        account.since_us = rule.since_us
        begin = window_of(rule.window, self.at_us)
        if begin > account.window_us:
            was_before = end_of(rule.window, account.window_us) == begin
            account.previous_us = window_of(rule.window, begin - 1)
            account.previous_nanos = account.spent_nanos if was_before else 0
            account.window_us = begin
            account.spent_nanos = account.calls = account.refused = 0
        return account

    def _free(self, address: str, hold: Hold) -> None:
        for name in hold.accounts:
            raw = self._read("a" + name)
            if raw is not None:
                account = Account.FromString(raw)
                account.held_nanos = max(0, account.held_nanos - hold.nanos)
                self._store(account)
        self.changes[f"h{address}"] = None

    def _hold(self, address: str) -> Hold | None:
        raw = self._read(f"h{address}")
        return None if raw is None else Hold.FromString(raw)

    def _store(self, account: Account) -> str:
        name = name_of(account)
        self.changes["a" + name] = account.SerializeToString()
        self.changed[name] = account
        return name

    def _read(self, name: str) -> bytes | None:
        return self.changes[name] if name in self.changes else self.get(name)


def _waives(rule: Budget, stand_in: str) -> bool:
    """Tell whether a budget lets a turn off that another agent type takes for its sake."""
    return bool(stand_in) and rule.when_spent == Budget.DEGRADE and rule.stand_in == stand_in


def _verdict(rules: Iterable[Budget], accounts: list[Account], estimate: int) -> Verdict:
    must_wait = False
    refusal: Spent | None = None
    for rule, account in zip(rules, accounts, strict=True):
        left = rule.limit_nanos - account.spent_nanos
        if left <= 0 or estimate > left:
            refused = Spent(rule, account, estimate, end_of(rule.window, account.window_us))
            if rule.when_spent == Budget.DEGRADE:
                # A stand-in may fit where this agent does not: it is asked for first.
                return refused
            refusal = refusal or refused
        held = account.held_nanos
        must_wait = must_wait or (held > 0 and held + estimate > left)
    return refusal or (MustWait() if must_wait else Granted())
