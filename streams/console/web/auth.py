"""Who may do what: people, roles, sessions.

Three ways in, of which one is set: on this machine alone, whoever reaches the address; with tokens from a file; or
through a proxy that signs people in and says who they are in headers that are believed from its address only.
"""

from __future__ import annotations

import getpass
import hmac
import logging
import secrets
import stat
import threading
from collections import OrderedDict
from enum import IntEnum
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from time import monotonic

import msgspec
from starlette.datastructures import Headers

from detector.errors import CrmwatchError
from streams.config import ConsoleSettings

log = logging.getLogger(__name__)

__all__ = ["AccessError", "Role", "Session", "Sessions", "User", "local_name"]

SESSION_SECONDS = 12 * 3600
"""A session ends so long after it began: a shift."""
IDLE_SECONDS = 4 * 3600
MOST_SESSIONS = 2_000
REREAD_SECONDS = 10.0
"""How often the file of tokens is looked at: a token that is gone or has another role ends its sessions."""
LEAST_TOKEN = 20
"""Shorter tokens can be guessed."""
MOST_NAME = 100
HASHED = "sha256:"


class AccessError(CrmwatchError, ValueError):
    """Why the console may not be opened as it is set; one sentence for a person."""


class Role(IntEnum):
    """What somebody may do; each may do what those before may."""

    VIEWER = 1
    """Look."""
    ANALYST = 2
    """Decide about incidents, and read raw records."""
    ADMIN = 3
    """End sessions, read the audit log, build the index anew."""

    @property
    def word(self) -> str:
        """As it is written in files and headers."""
        return self.name.lower()


class User(msgspec.Struct, frozen=True):
    """Who somebody is."""

    name: str
    role: Role


class Session(msgspec.Struct):
    """A person at a browser."""

    key: str
    person: User
    address: str
    csrf: str
    name: str
    """What an administrator ends it by; nobody gets in with it."""
    began: float
    seen: float


class Sessions:
    """Lets people in; keeps their sessions in memory, so that they end with the process."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self._proxies = tuple(_network(text) for text in settings.proxies)
        self._tokens_path = None if settings.tokens_file is None else Path(settings.tokens_file)
        self._tokens = {} if self._tokens_path is None else read_tokens(self._tokens_path)
        self._tokens_read = monotonic()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()
        if self.open and not _is_here(settings.host):
            raise AccessError(
                f"console.host is {settings.host}, which others reach: set console.tokens_file, or console.proxies for "
                "a proxy that signs people in"
            )
        if self._tokens and self._proxies:
            raise AccessError(
                "console.tokens_file and console.proxies are both set: which of them lets people in?"
            )
        if (settings.cert_file is None) is not (settings.key_file is None):
            raise AccessError("console.cert_file and console.key_file belong together: set both")
        plain = settings.cert_file is None and not self._proxies and not settings.allow_unencrypted
        if not _is_here(settings.host) and plain:
            raise AccessError(
                "tokens would come from other machines unencrypted: set console.cert_file and console.key_file, put a "
                "proxy with TLS before it, or set console.allow_unencrypted"
            )

    @property
    def open(self) -> bool:
        """Whether everybody who reaches it may enter; only on this machine."""
        return self._settings.tokens_file is None and not self._settings.proxies

    @property
    def by_token(self) -> bool:
        """Whether people sign in with a token."""
        return self._settings.tokens_file is not None

    @property
    def secure(self) -> bool:
        """Whether browsers speak TLS, so that cookies may be kept to it."""
        return self._settings.cert_file is not None or (
            bool(self._proxies) and not self._settings.allow_unencrypted
        )

    def of_token(self, token: str) -> User | None:
        """Whose token it is."""
        self._reread()
        found = None
        given = _hashed(token)
        for known, person in self._tokens.items():  # all of them: how long it takes tells nothing
            if hmac.compare_digest(known, given):
                found = person
        return found

    def of_proxy(self, address: str, headers: Headers) -> User | None:
        """Whom a proxy says it is; ``None`` if it is no proxy of ours, or says nothing that we know, or two things.

        A proxy that appends its header to the one that the client sent says two: either could be the client's.
        """
        if not self.is_proxy(address):
            return None
        names = headers.getlist(self._settings.user_header)
        words = headers.getlist(self._settings.role_header)
        if len(names) != 1 or len(words) != 1:
            return None
        name, word = names[0].strip(), words[0].strip().upper()
        if not name or word not in Role.__members__:
            return None
        return User(name[:MOST_NAME], Role[word])

    def is_proxy(self, address: str) -> bool:
        """Whether an address is one of the trusted proxies'."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in known for known in self._proxies)

    def still(self, session: Session) -> bool:
        """Whether a session's token is still in the file, with the same name and role."""
        self._reread()
        return not self.by_token or session.person in self._tokens.values()

    def passing(self, person: User, address: str) -> Session:
        """A session for one request alone, which nobody can come back to."""
        now = monotonic()
        key, csrf, name = secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_hex(6)
        return Session(key, person, address, csrf, name, now, now)

    def begin(self, person: User, address: str) -> Session:
        """A new session; of a person's too many, the one unused the longest ends."""
        session = self.passing(person, address)
        with self._lock:
            own = [one.key for one in self._sessions.values() if one.person.name == person.name]
            for key in own[: max(0, len(own) + 1 - self._settings.per_person)]:
                del self._sessions[key]
            self._sessions[session.key] = session
            if len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return session

    def session(self, key: str | None) -> Session | None:
        """The session that a cookie names, if it still holds."""
        with self._lock:
            found = self._sessions.get(key or "")
            if found is None:
                return None
            now = monotonic()
            if now - found.began > SESSION_SECONDS or now - found.seen > IDLE_SECONDS:
                del self._sessions[found.key]
                return None
            found.seen = now
            self._sessions.move_to_end(found.key)  # of too many, the one unused the longest goes
            return found

    def end(self, key: str) -> bool:
        """End a session; whether there was one."""
        with self._lock:
            return self._sessions.pop(key, None) is not None

    def sessions(self) -> list[Session]:
        """Those that hold, the oldest first."""
        with self._lock:
            return list(self._sessions.values())

    def _reread(self) -> None:
        """Look at the file of tokens again; one that cannot be read keeps the tokens that were known, and is logged."""
        now = monotonic()
        if self._tokens_path is None or now - self._tokens_read < REREAD_SECONDS:
            return
        self._tokens_read = now
        try:
            self._tokens = read_tokens(self._tokens_path)
        except AccessError as error:
            log.warning("the tokens that were known stay: %s", error)


def read_tokens(path: Path) -> dict[bytes, User]:
    """Who has which token, by its hash. Raises `AccessError`.

    A line is a name, a role and a token, with spaces between; the token may stand as ``sha256:`` and its hash in
    hexadecimal. What begins with ``#`` is left out.
    """
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(f"console.tokens_file: {path} cannot be read: {error}") from error
    if mode & stat.S_IWOTH:
        raise AccessError(f"console.tokens_file: everybody may write to {path}")
    found: dict[bytes, User] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"console.tokens_file: {path}:{number}"
        if len(words) != 3:
            raise AccessError(f"{where}: a line is a name, a role and a token")
        name, role, token = words
        if role.upper() not in Role.__members__:
            raise AccessError(f"{where}: a role is viewer, analyst or admin, not {role}")
        if token.startswith(HASHED):
            try:
                key = bytes.fromhex(token.removeprefix(HASHED))
            except ValueError:
                key = b""
            if len(key) != sha256().digest_size:
                raise AccessError(f"{where}: this is no SHA-256 in hexadecimal")
        elif len(token) < LEAST_TOKEN:
            raise AccessError(f"{where}: a token has at least {LEAST_TOKEN} characters")
        else:
            key = _hashed(token)
        if key in found:
            raise AccessError(f"{where}: this is {found[key].name}'s token already")
        found[key] = User(name[:MOST_NAME], Role[role.upper()])
    if not found:
        raise AccessError(f"console.tokens_file: {path} holds no token")
    return found


def local_name() -> str:
    """The name of the user who runs this process: the person at a console that is open to this machine only."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "local"


def _hashed(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise AccessError(f"console.proxies: {text} is no address and no network: {error}") from error


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
