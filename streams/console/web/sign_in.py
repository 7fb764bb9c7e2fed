"""The way into the console over HTTP: who asks, under which name of ours, and signing in."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from streams.config import ConsoleSettings
from streams.console.pages import render as pages
from streams.console.web.audit import Audit
from streams.console.web.auth import Role, Session, Sessions, User, local_name
from streams.console.web.rate_limit import RateLimiter
from streams.locale import Language, gettext_noop, negotiate

__all__ = ["HEADERS", "LANGUAGE", "SESSION", "SignIn", "form_of", "refused"]

SESSION, LANGUAGE = "crmwatch_session", "crmwatch_language"
MOST_FORM_BYTES = 16_384
FORM_SECONDS = 10.0
GUESSES_A_MINUTE = 10
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_HERE = frozenset({"localhost", "127.0.0.1", "[::1]"})


class SignIn:
    """Checks every request before a page sees it: host name, token, proxy, session."""

    def __init__(self, gate: Sessions, settings: ConsoleSettings, audit: Audit) -> None:
        self._gate = gate
        self._settings = settings
        self._audit = audit
        self._guesses = RateLimiter(GUESSES_A_MINUTE)

    def who(self, request: Request, address: str) -> User | None:
        """Who asks, if that can be told without a session."""
        if self._gate.open:
            return User(local_name(), Role.ADMIN)
        if self._gate.by_token:
            token = _bearer(request)
            return None if token is None else self._of_token(token, address)
        return self._gate.of_proxy(address, request.headers)

    def _of_token(self, token: str, address: str, refusal: str = "token_refused") -> User | None:
        """Whose token it is. A wrong one is audited, up to so many a minute and address; the right one always gets in,
        as others may come from the same address."""
        person = self._gate.of_token(token.strip())
        if person is None and self._guesses.allows(address):
            self._audit.write(refusal, address=address)
        return person

    def is_passing(self, request: Request) -> bool:
        """Whether a request brings its token along, and so needs no session."""
        return self._gate.by_token and _bearer(request) is not None

    def still(self, session: Session, request: Request, address: str) -> bool:
        """Whether a session still belongs to the person whom the proxy or the tokens file names."""
        if self._gate.open or self._gate.by_token:
            return self._gate.still(session)
        return self._gate.of_proxy(address, request.headers) == session.person

    def is_asked_for(self, request: Request) -> bool:
        """Whether the name in the address is ours: another site's may have been made to lead here."""
        settings = self._settings
        if not self._gate.open and not settings.names:
            return True
        try:
            host = urlsplit(f"//{request.headers.get('host', '')}").netloc.rsplit("@", 1)[-1]
        except ValueError:  # half of an IPv6 address
            return False
        name = host if host.endswith("]") else host.rpartition(":")[0] if ":" in host else host
        return name.lower() in {*_HERE, *(known.lower() for known in settings.names)}

    def cookie(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        """Have a browser keep something, for so long or until it is closed."""
        response.set_cookie(
            name, value, max_age=seconds, httponly=True, samesite="strict", secure=self._gate.secure
        )

    def to_sign_in(self, request: Request) -> Response:
        """Send an unknown visitor to the sign-in page, or refuse."""
        if not self._gate.by_token:
            return refused(403, "Nobody has said who you are.")
        if request.method != "GET" or request.headers.get("accept", "").startswith("text/event-stream"):
            return refused(401, "You are signed out.")
        if request.headers.get("authorization") or request.query_params.get("as"):
            return refused(401, "Unknown token.")
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if not _is_ours(back):  # //elsewhere is a path, too, and would lead there
            back = "/"
        if request.headers.get("sec-fetch-site") == "cross-site" and "from" not in request.query_params:
            # A strict cookie does not come with a link from elsewhere; it does when our own page leads here.
            mark = "&" if "?" in back else "?"
            response = Response(
                pages.render("bounce", Language.ENGLISH, to=f"{back}{mark}from=link"), media_type="text/html"
            )
            response.headers.update(HEADERS | {"Cache-Control": "no-store"})
            return response
        return RedirectResponse(f"/sign-in?{urlencode({'to': back})}", 303)

    async def sign_in(self, request: Request) -> Response:
        """The page to sign in with a token."""
        if not self.is_asked_for(request) or not self._gate.by_token:
            return refused(404, "There is nothing here.")
        address = request.client.host if request.client else ""
        language = (
            Language(request.cookies[LANGUAGE])
            if request.cookies.get(LANGUAGE) in set(Language)
            else negotiate(request.headers.get("accept-language", ""))
        )
        message, status = "", 200
        form = await form_of(request)
        to = form.get("to") or request.query_params.get("to", "/")
        if request.method == "POST":
            if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
                return refused(403, "This form was not ours.")
            patient = self._guesses.would_allow(address)
            person = self._of_token(form.get("token", ""), address, "sign_in_refused")
            if person is not None:
                session = self._gate.begin(person, address)
                self._audit.write("sign_in", who=person.name, role=person.role.word, address=address)
                response: Response = RedirectResponse(to if _is_ours(to) else "/", 303)
                response.headers.update(HEADERS)
                self.cookie(response, SESSION, session.key, None)
                return response
            if patient:
                message, status = gettext_noop("Unknown token."), 401
            else:
                message, status = gettext_noop("Too many requests. Wait a minute."), 429
        html = pages.render("sign_in", language, message=message, to=to if _is_ours(to) else "/")
        answer = Response(html, status, media_type="text/html")
        answer.headers.update(HEADERS | {"Cache-Control": "no-store"})
        return answer


def _bearer(request: Request) -> str | None:
    """The token that a request to read something brings along."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" and request.method == "GET" else None


async def form_of(request: Request) -> dict[str, str]:
    """What a form was filled in with; nothing of one that is too large or does not arrive in time."""
    if request.method != "POST":
        return {}
    body = b""
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_FORM_BYTES:
                    return {}
    except TimeoutError:
        return {}
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=40))
    except ValueError:
        return {}


def _is_ours(path: str) -> bool:
    """Whether it leads to a page of this console, and not elsewhere."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()


def refused(status: int, message: str) -> Response:
    """A plain answer that says why not."""
    return PlainTextResponse(f"{message}\n", status, headers=HEADERS | {"Cache-Control": "no-store"})
