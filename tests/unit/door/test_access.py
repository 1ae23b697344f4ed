"""Who is let in at the door: callers, tenants, and a file that is replaced meanwhile."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path

import pytest

from headgate.door.access import Access, read_callers, refuse_strangers
from headgate.door.errors import NotEntitledError, UnauthenticatedError
from headgate.errors import ConfigError
from headgate.v1.cost_pb2 import Tenancy
from headgate.v1.turn_pb2 import AgentSpec

BY_KEY = AgentSpec(type="order", tenancy=Tenancy(before=":"))
ITS_OWN = AgentSpec(type="order", tenancy=Tenancy(name="acme"))
NOBODYS = AgentSpec(type="order")


def caller(name: str, token: str, rest: str) -> str:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f'[callers.{name}]\ntoken_sha256 = "{digest}"\n{rest}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tokens.toml"
    made.write_text(
        caller("shop", "s3cret", 'tenants = ["acme", "default"]\nagents = ["order"]')
        + caller("ops", "0ps", 'tenants = ["*"]'),
        encoding="utf-8",
    )
    return made


def replace(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, file)


@pytest.mark.parametrize(
    ("address", "spec", "shop", "ops"),
    [
        ("order/acme:17", BY_KEY, True, True),
        ("order/other:17", BY_KEY, False, True),
        ("order/17", BY_KEY, True, True),
        ("order/other:17", ITS_OWN, True, True),
        ("order/acme:17", NOBODYS, True, True),
        ("support/acme:17", BY_KEY, False, True),
        # Nobody can tell whose it is.
        ("order/acme:17", None, False, True),
        ("order//acme:17", BY_KEY, False, True),
    ],
)
def test_a_caller_reaches_the_instances_of_its_tenants(
    file: Path, address: str, spec: AgentSpec | None, *, shop: bool, ops: bool
) -> None:
    access = Access(file)
    for token, may in (("s3cret", shop), ("0ps", ops)):
        who = access.caller_of(f"Bearer {token}")
        assert who.may_reach(address, spec) == may
        if not may:
            with pytest.raises(NotEntitledError, match=f"{who.name} is not entitled to {address}"):
                refuse_strangers(who, address, spec)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "s3cret", "Basic s3cret", "Bearer s3cret s3cret"],
)
def test_nobody_else_is_let_in(file: Path, authorization: str) -> None:
    with pytest.raises(UnauthenticatedError, match="Authorization: Bearer TOKEN"):
        Access(file).caller_of(authorization)


def test_a_token_is_compared_whole(file: Path) -> None:
    """One whose digest begins alike is found in a moment, for two bytes."""
    begin = hashlib.sha256(b"s3cret").digest()[:2]
    alike = next(
        text
        for text in map(str, itertools.count())
        if hashlib.sha256(text.encode()).digest().startswith(begin)
    )
    with pytest.raises(UnauthenticatedError):
        Access(file).caller_of(f"Bearer {alike}")


def test_tokens_are_replaced_without_a_restart(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = Access(file, look_seconds=0)
    assert access.caller_of("bearer s3cret").name == "shop"
    replace(file, caller("shop", "new", 'tenants = ["acme"]'))
    assert access.caller_of("Bearer new").name == "shop"
    with pytest.raises(UnauthenticatedError):
        access.caller_of("Bearer s3cret")
    with pytest.raises(UnauthenticatedError):
        access.caller_of("Bearer 0ps")
    # Half a file lets nobody in, and nobody out.
    replace(file, "[callers.")
    assert access.caller_of("Bearer new").name == "shop"
    assert "not valid TOML" in caplog.text
    file.unlink()
    assert access.caller_of("Bearer new").name == "shop"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "not valid TOML"),
        ("a = " + "[" * 50_000, "not valid TOML"),
        ("a = " + "9" * 100_000, "not valid TOML"),
        ("", "must hold tables"),
        ("[callers]", "must hold tables"),
        ("[caller.a]\nx = 1", "must hold tables"),
        (caller("a", "t", ""), "callers.a: has token_sha256, tenants and perhaps agents"),
        (caller("a", "t", 'tenants = ["x"]\ntoken = "t"'), "callers.a: has token_sha256"),
        ('[callers.a]\ntoken_sha256 = "s3cret"\ntenants = ["x"]', "must be 64 hexadecimal digits"),
        (caller("a", "t", 'tenants = "x"'), "callers.a.tenants: must be a list"),
        (caller("a", "t", "tenants = []"), "callers.a.tenants: must be a list"),
        (caller("a", "t", 'tenants = ["x"]\nagents = [1]'), "callers.a.agents: must be a list"),
        (
            caller("a", "t", 'tenants = ["x"]') + caller("b", "t", 'tenants = ["y"]'),
            "two callers have the same token",
        ),
    ],
)
def test_what_is_wrong_with_the_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as error:
        read_callers(file)
    assert "s3cret" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: No such file"):
        Access(tmp_path / "nowhere")
