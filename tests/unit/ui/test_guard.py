"""Who may ask the console, from where, and what a browser may do with its answers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from headgate.cli.ui import read_token
from headgate.config.ui import UiConfig
from headgate.errors import ConfigError
from headgate.ui.guard import COOKIE, SESSION_SECONDS, Access, Sessions
from headgate.ui.serve import UnguardedError, check_guarded


def form_token(client: TestClient, page: str = "/agents") -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', client.get(page).text)
    assert found
    return found[1]


def test_a_page_runs_nothing_but_the_consoles_own_scripts(world: Any) -> None:
    answer = world.client().get("/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script>|<style|style=|onclick|javascript:", answer.text)
    assert not re.search(r'(src|href)="(https?:)?//', answer.text)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", ""])
def test_a_name_that_is_not_the_consoles_is_refused(world: Any, host: str) -> None:
    answer = world.client().get("/", headers={"host": host})
    assert answer.status_code == 421
    assert "order" not in answer.text


def test_names_of_loopback_and_configured_ones_are_the_consoles(world: Any) -> None:
    client = world.client(Access(hosts=frozenset({"console.example"})))
    for host in ("127.0.0.1:1", "[::1]:7060", "Console.Example:443"):
        assert client.get("/", headers={"host": host}).status_code == 200


def test_a_form_needs_its_token_and_is_done_with_it(world: Any) -> None:
    client = world.client()
    assert client.post("/agents/order/pause", data={}).status_code == 403
    assert not world.specs["order"].paused
    token = form_token(client)
    answer = client.post("/agents/order/pause", data={"form_token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents/order")
    assert world.specs["order"].paused
    assert "order is paused" in client.get("/agents/order").text
    # Told once.
    assert 'class="said' not in client.get("/agents/order").text


def test_the_token_of_another_session_or_site_is_refused(world: Any) -> None:
    client, other = world.client(), world.client()
    token = form_token(other)
    form_token(client)
    assert client.post("/agents/order/pause", data={"form_token": token}).status_code == 403
    mine = {"form_token": form_token(client)}
    evil = {"origin": "http://evil.example"}
    assert client.post("/agents/order/pause", data=mine, headers=evil).status_code == 403
    ours = {"origin": "http://localhost:7060"}
    assert client.post("/agents/order/pause", data=mine, headers=ours).status_code == 303


POSTS = ["/agents", "/agents/order/pause", "/control", "/letters", "/signal"]


@pytest.mark.parametrize("path", POSTS)
def test_read_only_refuses_each_form_and_shows_none(world: Any, path: str) -> None:
    token = form_token(world.client())
    client = world.client(Access(read_only=True))
    page = client.get("/agents").text
    assert 'method="post"' not in page
    assert "read-only" in page
    found = client.post(path, data={"form_token": token})
    assert found.status_code == 403


@pytest.mark.parametrize("path", POSTS)
def test_read_only_refuses_also_a_form_with_the_right_token(world: Any, path: str) -> None:
    # The key is derived from the login's token: both consoles know the session.
    client = world.client(Access(token="t"))
    client.post("/login", data={"token": "t"})
    token = form_token(client)
    strict = world.client(Access(token="t", read_only=True))
    strict.cookies.update(client.cookies)
    answer = strict.post(path, data={"form_token": token})
    assert (answer.status_code, "read-only" in answer.text) == (403, True)
    assert not world.specs["order"].paused


def test_another_sites_name_is_refused_where_no_login_is_needed_either(world: Any) -> None:
    client = world.client(Access(token="t"))
    for path in ("/login", "/static/console.css"):
        assert client.get(path, headers={"host": "evil.example"}).status_code == 421


def test_without_a_token_sessions_are_of_one_console() -> None:
    made = Sessions("").made()
    assert not Sessions("").is_good(made)


def test_with_a_token_nothing_is_seen_before_the_login(world: Any) -> None:
    client = world.client(Access(token="secret"))
    for path in ("/", "/agents", "/instances/order/17", "/cluster", "/records/a/0/0"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert client.get("/live").status_code == 303
    assert client.get("/", headers={"hx-request": "true"}).status_code == 401
    assert client.post("/agents/order/pause", data={}).status_code == 401
    assert client.get("/login").status_code == 200
    wrong = client.post("/login", data={"token": "secre"})
    assert (wrong.status_code, "not the token" in wrong.text) == (403, True)
    assert COOKIE not in wrong.cookies
    right = client.post("/login", data={"token": "secret"})
    assert right.status_code == 303
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "secret" not in cookie
    assert client.get("/").status_code == 200
    assert "Log out" in client.get("/").text
    # It is good at a console that was started anew, and not where the token is another.
    again = world.client(Access(token="secret"))
    again.cookies.update(client.cookies)
    assert again.get("/").status_code == 200
    other = world.client(Access(token="changed"))
    other.cookies.update(client.cookies)
    assert other.get("/").status_code == 303


def test_a_session_ends_and_cannot_be_made_or_stretched() -> None:
    sessions = Sessions("token")
    session = sessions.open("token", now=1_000.0)
    assert session is not None
    assert sessions.is_good(session, now=1_000.0 + SESSION_SECONDS - 1)
    assert not sessions.is_good(session, now=1_000.0 + SESSION_SECONDS + 1)
    name, ends, signature = session.split(".")
    assert not sessions.is_good(f"{name}.{int(ends) + 9}.{signature}", now=1_000.0)
    for made in ("", ".", "..", "a.9999999999.b", f"é.{ends}.{signature}"):
        assert not sessions.is_good(made, now=1_000.0)
    assert sessions.open("Token") is None


def test_a_forms_token_is_of_one_session_and_opens_none() -> None:
    sessions = Sessions("secret")
    mine, others = sessions.made(0), sessions.made(0)
    assert sessions.is_form_token(mine, sessions.form_token(mine))
    assert not sessions.is_form_token(mine, sessions.form_token(others))
    # A page signs whatever a stranger's cookie said.
    wanted = f"made-up.{SESSION_SECONDS}"
    assert not sessions.is_good(f"{wanted}.{sessions.form_token(wanted)}", 0)


def test_a_proxy_names_the_user(world: Any) -> None:
    client = world.client(Access(proxy_header="X-Forwarded-User"))
    assert client.get("/").status_code == 401
    answer = client.get("/", headers={"x-forwarded-user": "ann <b>"})
    assert (answer.status_code, "ann &lt;b&gt;" in answer.text) == (200, True)


@pytest.mark.parametrize("path", ["/login", "/static/console.css", "/live"])
def test_nobody_without_a_name_sees_anything_behind_a_proxy(world: Any, path: str) -> None:
    client = world.client(Access(proxy_header="X-Forwarded-User"))
    assert client.get(path).status_code == 401
    assert client.get("/health").status_code == 200


def test_no_browser_or_proxy_keeps_a_page(world: Any) -> None:
    for path in ("/", "/agents", "/instances/order/17", "/cost"):
        assert world.client().get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("scheme", "is_secure"), [("https", True), ("http", False)])
@pytest.mark.parametrize("token", ["", "secret"])
def test_over_tls_a_session_never_leaves_without(
    world: Any, scheme: str, token: str, *, is_secure: bool
) -> None:
    client = world.client(Access(token=token))
    client.base_url = f"{scheme}://localhost:7060"
    answer = client.post("/login", data={"token": token}) if token else client.get("/")
    assert ("; Secure" in answer.headers["set-cookie"]) == is_secure


def test_it_listens_beyond_loopback_only_with_somebody_at_the_door() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        check_guarded(host, Access())
    for host in ("0.0.0.0", "::", "10.0.0.1"):  # noqa: S104 - refused
        with pytest.raises(UnguardedError, match=r"ui\.token_file"):
            check_guarded(host, Access())
        check_guarded(host, Access(token="t"))
        check_guarded(host, Access(proxy_header="X-User"))


def test_a_token_is_read_from_where_it_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(" secret\n", encoding="utf-8")
    assert read_token(UiConfig(token_file=str(file))) == "secret"
    monkeypatch.setenv("CONSOLE_TOKEN", "other")
    assert read_token(UiConfig(token_env="CONSOLE_TOKEN")) == "other"
    assert read_token(UiConfig()) == ""
    file.write_text("\n", encoding="utf-8")
    for given in (UiConfig(token_file=str(file)), UiConfig(token_env="NOT_SET")):
        with pytest.raises(ConfigError, match="anybody could log in"):
            read_token(given)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(UiConfig(token_file=str(tmp_path / "nowhere")))


def test_a_form_sends_nobody_to_another_site(world: Any) -> None:
    client = world.client()
    for back in ("//evil.example", "https://evil.example", "/\\evil.example"):
        given = {"form_token": form_token(client), "back": back}
        answer = client.post("/agents/order/pause", data=given)
        assert answer.headers["location"] == "/agents/order"


def test_a_form_that_is_too_large_is_not_read(world: Any) -> None:
    client = world.client()
    answer = client.post("/letters", data={"form_token": form_token(client), "x": "y" * 1_100_000})
    assert answer.status_code == 413


def test_who_logs_out_sees_nothing_any_more(world: Any) -> None:
    client = world.client(Access(token="secret"))
    client.post("/login", data={"token": "secret"})
    token = form_token(client)
    assert client.post("/logout", data={}).status_code == 403
    answer = client.post("/logout", data={"form_token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert client.get("/").status_code == 303
