"""The fair queue as arithmetic: shares, order, room, rates. Time is a number that tests hand in."""

from __future__ import annotations

import doctest
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import headgate.rpc.shares
from headgate.rpc.fair_queue import FairQueue
from headgate.rpc.shares import ShareOf, shares_of
from headgate.v1.cost_pb2 import Share, Terms

QUICK = settings(max_examples=50, deadline=None)


@dataclass(frozen=True)
class Made:
    """A call."""

    tenant: str
    number: int = 0
    size: int = 10


def weights(**of: int) -> dict[str, ShareOf]:
    return {tenant: ShareOf(weight=weight) for tenant, weight in of.items()}


def numbered(*each: int) -> dict[str, int]:
    return {f"t{number}": weight for number, weight in enumerate(each)}


def fill(queue: FairQueue[Made], tenants: Iterable[str], count: int) -> None:
    for tenant in tenants:
        for number in range(count):
            queue.push(Made(tenant, number))


def take(queue: FairQueue[Made], now: float = 0.0) -> Made:
    call = queue.take(now)
    assert call is not None, "a call waits, and its tenant may begin it"
    return call


def off_by(begun: Mapping[str, int], of: Mapping[str, int]) -> float:
    """By how many calls the tenant that is worst off, or best, is away from its share."""
    total, weight = sum(begun.values()), sum(of.values())
    return max(abs(begun.get(who, 0) - total * of[who] / weight) for who in of)


EACH = st.lists(st.integers(1, 100), min_size=1, max_size=20)


@QUICK
@given(EACH)
def test_all_have_their_shares_to_within_one_call_at_every_moment(each: list[int]) -> None:
    of = numbered(*each)
    queue: FairQueue[Made] = FairQueue(weights(**of))
    fill(queue, of, 300)
    begun: Counter[str] = Counter()
    for _ in range(299):
        begun[take(queue).tenant] += 1
        assert off_by(begun, of) <= 1 + 1e-6


def test_a_heavy_tenant_neither_waits_for_all_light_ones_nor_goes_before_them_all() -> None:
    """Deficit round robin and start-time fair queueing leave it 50 calls behind, finish times 50
    calls ahead."""
    of = {"heavy": 99, **numbered(*[1] * 99)}
    queue: FairQueue[Made] = FairQueue(weights(**of))
    fill(queue, of, 1_000)
    first = [take(queue).tenant for _ in range(198)]
    for until in range(1, 199):
        assert abs(first[:until].count("heavy") - until / 2) <= 1


def test_a_tenant_that_is_not_named_weighs_one() -> None:
    queue: FairQueue[Made] = FairQueue(shares_of(Terms(tenants={"a": Share(weight=3)})))
    fill(queue, ["a", "b", ""], 100)
    assert Counter(take(queue).tenant for _ in range(50)) == {"a": 30, "b": 10, "": 10}


def test_a_quiet_time_gains_nothing() -> None:
    queue: FairQueue[Made] = FairQueue(weights(busy=1, quiet=1))
    fill(queue, ["busy"], 2_000)
    queue.push(Made("quiet"))
    for _ in range(1_000):
        take(queue)
    fill(queue, ["quiet"], 1_000)
    begun: Counter[str] = Counter()
    for _ in range(500):
        begun[take(queue).tenant] += 1
        assert off_by(begun, {"busy": 1, "quiet": 1}) <= 1


def test_leaving_and_coming_back_gains_nothing() -> None:
    """One call at a time, and each as soon as the last has begun: no more than a half."""
    queue: FairQueue[Made] = FairQueue()
    fill(queue, ["stays"], 2_000)
    begun: Counter[str] = Counter()
    last = "leaves"
    for _ in range(1_000):
        if last == "leaves":
            queue.push(Made("leaves"))
        last = take(queue).tenant
        begun[last] += 1
    assert abs(begun["leaves"] - 500) <= 1


def test_a_heavy_tenant_whose_calls_come_one_by_one_has_no_more_than_its_share() -> None:
    queue: FairQueue[Made] = FairQueue(weights(heavy=10))
    fill(queue, ["light"], 50)
    queue.push(Made("heavy"))
    begun: Counter[str] = Counter()
    for _ in range(110):
        tenant = take(queue).tenant
        begun[tenant] += 1
        if tenant == "heavy":
            queue.push(Made("heavy"))
    assert begun["light"] >= 9, "a tenant that leaves after each call is not ahead of who stays"


def test_terms_that_are_told_again_give_no_tenant_another_burst() -> None:
    queue: FairQueue[Made] = FairQueue({"acme": ShareOf(rate=1.0)})
    fill(queue, ["acme"], 3)
    take(queue)
    queue.share({"acme": ShareOf(rate=1.0)}, 0.0)
    assert queue.take(0.0) is None
    assert queue.take(1.0) is not None


def test_tenants_that_come_and_go_do_not_hold_up_who_comes_later() -> None:
    """What they leave ahead, or behind, must not add up: a newcomer would wait for it."""
    queue: FairQueue[Made] = FairQueue()
    stays = numbered(*[1] * 5)
    fill(queue, stays, 10_000)
    for number in range(5_000):
        queue.push(Made(f"passes-{number % 7}"))
        take(queue)
        take(queue)
    while any(take(queue).tenant not in stays for _ in range(12)):
        pass
    fill(queue, ["late"], 100)
    assert [take(queue).tenant for _ in range(60)].count("late") in {9, 10, 11}


@QUICK
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=200))
def test_calls_of_a_tenant_go_in_their_order(moves: list[tuple[str, bool]]) -> None:
    queue: FairQueue[Made] = FairQueue(weights(a=1, b=2, c=5))
    expected: dict[str, deque[int]] = {tenant: deque() for tenant in "abc"}
    for number, (tenant, comes) in enumerate(moves):
        if comes:
            queue.push(Made(tenant, number))
            expected[tenant].append(number)
        elif queue:
            call = take(queue)
            assert call.number == expected[call.tenant].popleft()
    while queue:
        call = take(queue)
        assert call.number == expected[call.tenant].popleft()
    assert not any(expected.values())


def test_other_weights_count_from_the_next_call_on() -> None:
    queue: FairQueue[Made] = FairQueue(weights(a=1, b=100))
    fill(queue, ["a", "b"], 1_000)
    for _ in range(50):
        take(queue)
    queue.share(weights(a=100, b=1), 0.0)
    assert Counter(take(queue).tenant for _ in range(101))["a"] in {99, 100, 101}
    assert len(queue) == 2_000 - 151


def test_a_call_that_comes_back_is_the_next_of_its_tenant() -> None:
    queue: FairQueue[Made] = FairQueue()
    fill(queue, ["a"], 3)
    first = take(queue)
    queue.hold(first)
    assert (len(queue), queue.size) == (2, 30)
    queue.release(first)
    assert [take(queue).number for _ in range(3)] == [0, 1, 2]


# ---------------------------------------------------------------------------------------- room


def test_the_tenant_with_most_of_the_queue_for_its_weight_loses_its_newest() -> None:
    queue: FairQueue[Made] = FairQueue(weights(small=1, large=3))
    fill(queue, ["large"], 50)
    fill(queue, ["small"], 20)
    assert [queue.evict() for _ in range(3)] == [
        Made("small", 19),
        Made("small", 18),
        Made("small", 17),
    ]
    queue.share(weights(small=1, large=1), 0.0)
    assert queue.evict() == Made("large", 49)


def test_the_newcomer_goes_where_nobody_has_more() -> None:
    queue: FairQueue[Made] = FairQueue()
    fill(queue, numbered(*[1] * 50), 1)
    queue.push(Made("late"))
    assert queue.evict() == Made("late")


def test_a_tenant_all_of_whose_calls_pause_loses_one_of_these() -> None:
    queue: FairQueue[Made] = FairQueue()
    for number in range(10):
        queue.hold(Made("refused", number))
    fill(queue, ["other"], 5)
    assert queue.evict() == Made("refused", 9)
    assert (queue.size, len(queue)) == (140, 5)


@QUICK
@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=10),
    st.lists(st.integers(0, 9), min_size=100, max_size=200),
)
def test_a_full_queue_is_shared_by_weight(each: list[int], comes: list[int]) -> None:
    """Whoever sends how much: nobody loses a call while another has more for its weight, beyond the
    one that is everybody's."""
    of = numbered(*each)
    queue: FairQueue[Made] = FairQueue(weights(**of))
    has: Counter[str] = Counter()
    for number in comes:
        tenant = f"t{number % len(each)}"
        queue.push(Made(tenant))
        has[tenant] += 1
        if len(queue) > 50:
            loser = queue.evict().tenant
            beyond = {who: max(0, has[who] - 1) / of[who] for who in of}
            assert beyond[loser] == max(beyond.values())
            has[loser] -= 1


# --------------------------------------------------------------------------------------- rates


def test_a_tenant_over_its_rate_holds_up_nobody() -> None:
    queue: FairQueue[Made] = FairQueue({"slow": ShareOf(rate=2.0)}, 0.0)
    fill(queue, ["slow", "free"], 20)
    begun = [take(queue).tenant for _ in range(22)]
    assert begun.count("slow") == 2
    assert queue.take(0.0) is None
    assert queue.next_at == pytest.approx(0.5)
    assert queue.take(0.49) is None
    assert take(queue, 0.5).tenant == "slow"
    assert queue.take(0.5) is None


def test_a_rate_holds_for_calls_that_come_one_by_one() -> None:
    queue: FairQueue[Made] = FairQueue({"slow": ShareOf(rate=1.0)}, 0.0)
    begun = 0
    for step in range(100):
        if not queue:
            queue.push(Made("slow"))
        begun += queue.take(step / 10) is not None
    assert begun in {10, 11}


def test_a_tenant_that_was_over_its_rate_has_its_share_and_no_more_when_it_is_not() -> None:
    queue: FairQueue[Made] = FairQueue({"slow": ShareOf(weight=1, rate=1.0)}, 0.0)
    fill(queue, ["slow", "free"], 1_000)
    for _ in range(500):
        take(queue)
    queue.share(weights(slow=1), 0.0)
    begun = [take(queue).tenant for _ in range(100)]
    assert begun.count("slow") in {49, 50, 51}


def test_a_rate_that_is_lifted_or_lowered_counts_at_once() -> None:
    queue: FairQueue[Made] = FairQueue({"a": ShareOf(rate=100.0)}, 0.0)
    fill(queue, ["a"], 300)
    for _ in range(10):
        take(queue)
    queue.share({"a": ShareOf(rate=5.0)}, 0.0)
    assert sum(queue.take(0.0) is not None for _ in range(20)) == 5
    queue.share({}, 0.0)
    assert sum(queue.take(0.0) is not None for _ in range(300)) == 285


# --------------------------------------------------------------------- whatever happens in turn


class Schedule(RuleBasedStateMachine):
    """Calls come, begin, pause, are evicted; weights and rates change; time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 0
        self.of: dict[str, ShareOf] = {}
        self.queue: FairQueue[Made] = FairQueue()
        self.waiting: dict[str, deque[Made]] = {tenant: deque() for tenant in "abcdef"}
        self.held: list[Made] = []

    @rule(tenant=st.sampled_from("abcdef"), count=st.integers(1, 20), size=st.integers(1, 9))
    def come(self, tenant: str, count: int, size: int) -> None:
        for _ in range(count):
            self.number += 1
            call = Made(tenant, self.number, size)
            self.queue.push(call)
            self.waiting[tenant].append(call)

    @rule(count=st.integers(1, 30))
    def begin(self, count: int) -> None:
        for _ in range(count):
            could = {who for who, calls in self.waiting.items() if calls and not self.rate(who)}
            call = self.queue.take(self.now)
            if call is None:
                assert not could, "work-conserving: somebody waits and is not over a rate"
                return
            assert self.waiting[call.tenant].popleft() == call

    @precondition(lambda self: self.queue)
    @rule()
    def begin_and_pause(self) -> None:
        call = self.queue.take(self.now)
        if call is not None:
            self.waiting[call.tenant].popleft()
            self.queue.hold(call)
            self.held.append(call)

    @precondition(lambda self: self.held)
    @rule()
    def come_back(self) -> None:
        call = self.held.pop()
        self.queue.release(call)
        self.waiting[call.tenant].appendleft(call)

    @precondition(lambda self: self.queue)
    @rule(count=st.integers(1, 5))
    def evict(self, count: int) -> None:
        for _ in range(min(count, len(self.queue))):
            call = self.queue.evict()
            if call in self.held:
                self.held.remove(call)
            else:
                assert self.waiting[call.tenant].pop() == call

    @rule(seconds=st.floats(0, 5))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        of=st.dictionaries(
            st.sampled_from("abcdef"),
            st.builds(ShareOf, st.integers(1, 50), st.sampled_from([0.0, 0.0, 0.3, 10.0])),
        )
    )
    def agree(self, of: dict[str, ShareOf]) -> None:
        self.of = of
        self.queue.share(of, self.now)

    def rate(self, tenant: str) -> float:
        return self.of.get(tenant, ShareOf()).rate

    @invariant()
    def counts_agree(self) -> None:
        calls = [call for each in self.waiting.values() for call in each]
        assert len(self.queue) == len(calls)
        assert self.queue.size == sum(call.size for call in [*calls, *self.held])

    @invariant()
    def nobody_is_far_from_its_share(self) -> None:
        """One call, where tenants wait all the time; whatever they come and go, not two."""
        race = self.queue._race
        lanes = [lane for lane in self.queue._lanes.values() if lane.competes]
        assert race._weight == sum(lane.weight for lane in lanes)
        assert race._sum == sum(lane.weight * lane.start for lane in lanes)
        for lane in lanes:
            # In calls: ahead or behind of the present.
            off = (lane.start - race.present) * lane.weight / (1 << 48)
            assert abs(off) <= 2 + 1e-6, f"{lane.tenant} is off by {off}"


TestSchedules = Schedule.TestCase
TestSchedules.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def test_the_examples_of_the_shares() -> None:
    assert doctest.testmod(headgate.rpc.shares).failed == 0


@pytest.mark.parametrize("rate", [float("inf"), float("nan"), 1e308, 5e-324, -1.0])
def test_no_rate_that_a_registry_may_say_stops_the_queue(rate: float) -> None:
    terms = Terms(tenants={"acme": Share(weight=1, rate=rate)})
    queue: FairQueue[Made] = FairQueue(shares_of(terms), 0.0)
    fill(queue, ["acme"], 3)
    for now in (0.0, 0.5, 1.0):
        queue.take(now)
