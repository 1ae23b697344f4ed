"""Who goes to a revision on trial."""

from __future__ import annotations

import pytest

from headgate.core.canary import WHOLE, is_canary, place_of
from headgate.v1.turn_pb2 import AgentSpec
from tests.unit.core.build import Host, call_of, event

ADDRESSES = [f"orders/{number}" for number in range(4_000)]


def spec(share: int, revision: str = "v2") -> AgentSpec:
    made = AgentSpec(type="orders", endpoints=["a:1"], revision="v1")
    made.canary.revision, made.canary.share = revision, share
    return made


def chosen(share: int, revision: str = "v2") -> set[str]:
    return {address for address in ADDRESSES if is_canary(spec(share, revision), address)}


@pytest.mark.parametrize("share", [100, 1_000, 5_000])
def test_a_share_is_about_that(share: int) -> None:
    expected = len(ADDRESSES) * share / WHOLE
    assert abs(len(chosen(share)) - expected) < 4 * expected**0.5


def test_nobody_leaves_when_the_share_grows() -> None:
    assert chosen(500) < chosen(1_000) < chosen(WHOLE) == set(ADDRESSES)


def test_a_share_is_met_to_the_place() -> None:
    """A share of nothing is nobody, not one in ten thousand."""
    for address in ADDRESSES[:50]:
        place = place_of("v2", address)
        assert not is_canary(spec(place), address)
        assert is_canary(spec(place + 1), address)


def test_another_revision_is_tried_on_others() -> None:
    both = chosen(1_000) & chosen(1_000, "v3")
    assert len(both) < 2 * len(ADDRESSES) / 100


@pytest.mark.parametrize(
    ("share", "endpoints", "endpoint", "pin"),
    [
        (WHOLE, ["b:2"], "b:2", "v2"),
        (WHOLE, [], "a:1", "v2"),
        (0, ["b:2"], "a:1", "v1"),
    ],
)
def test_a_request_goes_to_its_revision(
    share: int, endpoints: list[str], endpoint: str, pin: str
) -> None:
    host = Host()
    assert host.spec is not None
    host.spec.revision = "v1"
    host.spec.canary.revision, host.spec.canary.share = "v2", share
    host.spec.canary.endpoints.extend(endpoints)
    call = call_of(host.arrive(event(1)))
    assert (call.endpoint, call.request.revision_pin) == (endpoint, pin)
