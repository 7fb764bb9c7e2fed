from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from streams.config import ConsoleSettings
from streams.console.web.auth import AccessError, Role, Sessions, User, read_tokens

GIVEN = "a-token-that-nobody-guesses"


def tokens(folder: Path, text: str) -> str:
    """A file with tokens."""
    path = folder / "tokens"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_token_says_who_somebody_is(tmp_path: Path) -> None:
    """As it stands or by its hash; another one, or the hash itself, lets nobody in."""
    hashed = sha256(b"of-bo-and-nobody-else").hexdigest()
    path = tokens(tmp_path, f"# people\n\nana analyst {GIVEN}\nbo admin sha256:{hashed}\n")
    gate = Sessions(ConsoleSettings(tokens_file=path))
    assert gate.of_token(GIVEN) == User("ana", Role.ANALYST)
    assert gate.of_token("of-bo-and-nobody-else") == User("bo", Role.ADMIN)
    for other in ("", hashed, f"sha256:{hashed}", GIVEN.upper(), f"{GIVEN} "):
        assert gate.of_token(other) is None
    assert gate.by_token
    assert not gate.open


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ana analyst", "a line is a name, a role and a token"),
        (f"ana boss {GIVEN}", "a role is viewer, analyst or admin, not boss"),
        ("ana analyst short", "at least 20 characters"),
        ("ana analyst sha256:12", "no SHA-256"),
        (f"ana viewer {GIVEN}\nbo admin {GIVEN}", "this is ana's token already"),
        ("# nobody", "holds no token"),
    ],
)
def test_a_tokens_file_that_will_not_do_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """With the line and what is wrong with it, and without the token."""
    path = tokens(tmp_path, text)
    with pytest.raises(AccessError, match=why) as caught:
        read_tokens(Path(path))
    assert GIVEN not in str(caught.value)
    assert path in str(caught.value)


def test_a_tokens_file_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    """And one that is not there is named."""
    path = Path(tokens(tmp_path, f"ana viewer {GIVEN}"))
    path.chmod(0o666)
    with pytest.raises(AccessError, match="everybody may write"):
        read_tokens(path)
    with pytest.raises(AccessError, match="cannot be read"):
        read_tokens(tmp_path / "none")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"host": "0.0.0.0"}, "set console.tokens_file, or console.proxies"),  # noqa: S104 - it is refused
        ({"host": "192.0.2.1"}, "set console.tokens_file, or console.proxies"),
        ({"host": "::"}, "set console.tokens_file, or console.proxies"),
        ({"host": "console.example"}, "set console.tokens_file, or console.proxies"),
        ({"host": "192.0.2.1", "tokens_file": "TOKENS"}, "unencrypted: set console.cert_file"),
        ({"tokens_file": "TOKENS", "proxies": ("192.0.2.9",)}, "both set"),
        ({"cert_file": "c.pem"}, "belong together"),
        ({"proxies": ("192.0.2.0/33",)}, "no address and no network"),
    ],
)
def test_what_would_let_anybody_in_is_refused(tmp_path: Path, settings: dict[str, object], why: str) -> None:
    """Other machines without tokens or a proxy, tokens without TLS, and settings that contradict one another."""
    if settings.get("tokens_file") == "TOKENS":
        settings["tokens_file"] = tokens(tmp_path, f"ana viewer {GIVEN}")
    with pytest.raises(AccessError, match=why):
        Sessions(ConsoleSettings(**settings))


def test_what_is_safe_is_let_through(tmp_path: Path) -> None:
    """This machine alone; tokens with TLS, or where it was said that they may do without; a proxy."""
    path = tokens(tmp_path, f"ana viewer {GIVEN}")
    assert Sessions(ConsoleSettings()).open
    assert Sessions(ConsoleSettings(host="::1")).open
    assert Sessions(ConsoleSettings(host="192.0.2.1", tokens_file=path, cert_file="c", key_file="k")).secure
    assert not Sessions(ConsoleSettings(host="192.0.2.1", tokens_file=path, allow_unencrypted=True)).secure
    assert Sessions(ConsoleSettings(host="192.0.2.1", proxies=("192.0.2.9",))).secure


def test_only_a_proxy_of_ours_is_believed() -> None:
    """By its address; without a name, or with a role that there is not, nobody is let in."""
    gate = Sessions(ConsoleSettings(proxies=("192.0.2.9", "2001:db8::/64"), user_header="X-Who"))
    headers = {"x-who": "ana", "x-forwarded-role": "Analyst"}
    assert gate.of_proxy("192.0.2.9", Headers(headers)) == User("ana", Role.ANALYST)
    assert gate.of_proxy("2001:db8::7", Headers(headers)) == User("ana", Role.ANALYST)
    for address in ("192.0.2.10", "127.0.0.1", "", "proxy"):
        assert gate.of_proxy(address, Headers(headers)) is None
    assert gate.of_proxy("192.0.2.9", Headers({"x-who": "ana"})) is None
    assert gate.of_proxy("192.0.2.9", Headers(headers | {"x-who": " "})) is None
    assert gate.of_proxy("192.0.2.9", Headers(headers | {"x-forwarded-role": "root"})) is None


def test_a_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is ended, after hours without a request, and after a shift with them."""
    now = [0.0]
    monkeypatch.setattr("streams.console.web.auth.monotonic", lambda: now[0])
    gate = Sessions(ConsoleSettings())
    person = User("ana", Role.VIEWER)
    first, second, third = (gate.begin(person, "127.0.0.1") for _ in range(3))
    assert len({first.key, second.key, third.key, first.csrf, second.csrf}) == 5
    assert gate.end(first.key)
    assert not gate.end(first.key)
    assert gate.session(first.key) is None
    assert gate.session(None) is None
    for hour in range(1, 12):
        now[0] = hour * 3600.0
        assert gate.session(second.key) is second
    assert gate.session(third.key) is None
    now[0] = 12 * 3600.0 + 1
    assert gate.session(second.key) is None
    assert gate.sessions() == []


def test_a_person_has_so_many_sessions() -> None:
    """One more ends the one that this person has not used the longest, and nobody else's."""
    gate = Sessions(ConsoleSettings(per_person=3))
    other = gate.begin(User("bo", Role.VIEWER), "127.0.0.1")
    own = [gate.begin(User("ana", Role.VIEWER), "127.0.0.1") for _ in range(3)]
    assert gate.session(own[0].key) is own[0]
    gate.begin(User("ana", Role.VIEWER), "127.0.0.1")
    assert gate.session(own[1].key) is None
    assert gate.session(own[0].key) is own[0]
    assert gate.session(other.key) is other
