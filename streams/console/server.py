"""The console over HTTP: who comes in, which page, which action, and the feed of events."""

from __future__ import annotations

import asyncio
import hmac
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from streams.config import Config
from streams.console import pages, views
from streams.console.access import Gate, Person, Role, Session, local_name
from streams.console.actions import ActionError, Sender, decision
from streams.console.audit import Audit
from streams.console.follower import Follower
from streams.console.incidents import one
from streams.console.index import Index
from streams.console.pulse import Pulse
from streams.console.rate import Rate
from streams.console.raw import RawError, read_raw
from streams.console.tables import as_csv, as_json
from streams.console.views import NotThere, Visit
from streams.console.words import Language, Words, accepted

__all__ = ["Console"]

SESSION, LANGUAGE, THEME = "crmwatch_session", "crmwatch_language", "crmwatch_theme"
THEMES = ("auto", "light", "dark")
YEAR_SECONDS = 365 * 86_400
MOST_FORM_BYTES = 16_384
MOST_STREAMS = 300
READ_BACK_SECONDS = 3.0
"""How long a page waits for a decision to come back from Kafka before it is shown."""
BEAT_SECONDS = 5.0
REST_SECONDS = 0.4
"""Between two events of a feed."""
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

Answer = Callable[[Visit], Response]


class Console:
    """The application; `app` is what a server runs."""

    def __init__(
        self, config: Config, index: Index, pulse: Pulse, follower: Follower, gate: Gate, audit: Audit
    ) -> None:
        self._config = config
        self._index = index
        self._pulse = pulse
        self._follower = follower
        self._gate = gate
        self._audit = audit
        self._sender = Sender(config)
        self._stopping = False
        self._streams = 0
        self._looks = Rate(600)
        self._acts = Rate(60)
        self._reads = Rate(30)
        self._guesses = Rate(10)
        self._part_lock = threading.Lock()
        self._part: tuple[Any, Markup] | None = None
        self.app = Starlette(routes=self._routes())

    def stop(self) -> None:
        """Let feeds end, so that the server can."""
        self._stopping = True
        self._pulse.wake()
        self._sender.close()

    def _routes(self) -> list[BaseRoute]:
        def page(path: str, answer: Answer, role: Role = Role.VIEWER, method: str = "GET") -> Route:
            return Route(path, partial(self._serve, answer, role), methods=[method])

        static = Path(__file__).with_name("static")
        return [
            page("/", self._board),
            page("/incidents/{uid:path}", self._incident),
            page("/incidents/{uid:path}", self._act, Role.ANALYST, "POST"),
            page("/identity", self._table_page("identity", views.identity_page)),
            page("/sources", self._table_page("sources", views.sources_page)),
            page("/search", self._table_page("search", views.search_page)),
            page("/record", self._record, Role.ANALYST),
            page("/admin", self._admin, Role.ADMIN),
            page("/admin", self._administer, Role.ADMIN, "POST"),
            page("/sign-out", self._sign_out, Role.VIEWER, "POST"),
            Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
            Route("/events", self._events),
            Route("/live", self._live),
            Mount("/static", _Static(directory=static)),
            page("/{rest:path}", self._nothing),
        ]

    # --- who, and whether

    async def _serve(self, answer: Answer, role: Role, request: Request) -> Response:
        """Let somebody in, look whether they may, and answer."""
        if not self._is_asked_for(request):
            return _refused(421, "This is not the name of this console.")
        address = request.client.host if request.client else ""
        session = self._gate.session(request.cookies.get(SESSION))
        if session is not None and not self._still(session, request, address):
            self._gate.end(session.key)
            session = None
        begun = session is None
        if session is None:
            person = self._who(request, address)
            if person is None:
                return self._to_sign_in(request)
            session = self._gate.begin(person, address)
        visit = self._visit(request, session, address, await _form(request))
        response = await run_in_threadpool(self._answer, answer, role, visit, begun)
        self._dress(response, visit, begun)
        return response

    def _answer(self, answer: Answer, role: Role, visit: Visit, begun: bool) -> Response:
        name = visit.session.key if not begun else visit.address
        if not self._looks.allows(name):
            return self._sorry(visit, 429, "Too much at once. Wait a minute.")
        if visit.person.role < role:
            self._audit.write("refused", **_by(visit), path=visit.path, needs=role.word)
            return self._sorry(visit, 403, "Your role does not allow this.")
        if visit.method == "POST":
            given = visit.form.get("csrf", "")
            if (
                begun
                or not visit.same_origin
                or not hmac.compare_digest(given.encode(), visit.session.csrf.encode())
            ):
                self._audit.write(
                    "refused", **_by(visit), path=visit.path, why="no proof that the form was ours"
                )
                return self._sorry(visit, 403, "This page was too old. Go back, load it anew, and try again.")
            if not self._acts.allows(visit.session.key):
                return self._sorry(visit, 429, "Too much at once. Wait a minute.")
        try:
            return answer(visit)
        except NotThere as error:
            return self._sorry(visit, 404, str(error))
        except (ActionError, RawError) as error:
            return self._sorry(visit, 400, str(error))

    def _who(self, request: Request, address: str) -> Person | None:
        if self._gate.open:
            return Person(local_name(), Role.ADMIN)
        if self._gate.by_token:
            kind, _, token = request.headers.get("authorization", "").partition(" ")
            if kind.lower() == "bearer" and request.method == "GET":
                return self._of_token(token, address)
            return None
        return self._gate.of_proxy(address, request.headers)

    def _of_token(self, token: str, address: str) -> Person | None:
        """Whose token it is; who has guessed too often has to wait, even with the right one."""
        if not self._guesses.would_allow(address):
            return None
        person = self._gate.of_token(token.strip())
        if person is None:
            self._guesses.allows(address)
        return person

    def _still(self, session: Session, request: Request, address: str) -> bool:
        """Whether a session is still of whom the proxy says it is."""
        if self._gate.open or self._gate.by_token:
            return True
        return self._gate.of_proxy(address, request.headers) == session.person

    def _is_asked_for(self, request: Request) -> bool:
        """Whether the name in the address is ours: another site's may have been made to lead here."""
        settings = self._config.console
        if not self._gate.open and not settings.names:
            return True
        host = urlsplit(f"//{request.headers.get('host', '')}").netloc.rsplit("@", 1)[-1]
        name = host if host.endswith("]") else host.rpartition(":")[0] if ":" in host else host
        return name.lower() in {*_HERE, *(known.lower() for known in settings.names)}

    def _visit(self, request: Request, session: Session, address: str, form: Mapping[str, str]) -> Visit:
        query = (
            dict(parse_qsl(request.url.query, keep_blank_values=False, max_num_fields=30))
            if len(request.url.query) < 8_000
            else {}
        )
        language = query.get("lang") or request.cookies.get(LANGUAGE) or ""
        theme = query.get("theme") or request.cookies.get(THEME) or ""
        return Visit(
            method=request.method,
            path=request.url.path,
            query={name: value for name, value in query.items() if name not in ("lang", "theme")},
            params={name: str(value) for name, value in request.path_params.items()},
            form=form,
            same_origin=request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"),
            session=session,
            address=address,
            words=Words(
                Language(language)
                if language in set(Language)
                else accepted(request.headers.get("accept-language", ""))
            ),
            theme=theme if theme in THEMES else "auto",
            chosen=tuple((name, query[name]) for name in ("lang", "theme") if name in query),
            db=self._index.reader,
            feed=self._pulse.feed,
            newest_ms=self._index.newest_ms,
            now_ms=round(time() * 1000),
            secure=self._gate.secure,
            open=self._gate.open,
            by_token=self._gate.by_token,
        )

    def _dress(self, response: Response, visit: Visit, begun: bool) -> None:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        if self._gate.secure:
            response.headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
        if begun:
            self._cookie(response, SESSION, visit.session.key, None)
        for name, value in visit.chosen:
            if name == "lang" and value in set(Language):
                self._cookie(response, LANGUAGE, value, YEAR_SECONDS)
            elif name == "theme" and value in THEMES:
                self._cookie(response, THEME, value, YEAR_SECONDS)

    def _cookie(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        response.set_cookie(
            name, value, max_age=seconds, httponly=True, samesite="strict", secure=self._gate.secure
        )

    # --- pages

    def _page(self, visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
        html = pages.render(template, visit=visit, t=visit.words, **values)
        return Response(html, status, media_type="text/html")

    def _sorry(self, visit: Visit, status: int, message: str) -> Response:
        if visit.query.get("as"):
            return PlainTextResponse(visit.words(message), status)
        return self._page(visit, "sorry", status, message=message)

    def _nothing(self, visit: Visit) -> Response:
        raise NotThere("There is no such page.")

    def _board(self, visit: Visit) -> Response:
        if visit.query.get("as"):
            return self._file(visit, views.board_page(visit))
        key = (visit.feed.generation, visit.words.language, visit.now_ms // 10_000)
        with self._part_lock:  # one of many browsers works it out for all
            if self._part is None or self._part[0] != key:
                found = views.board_page(visit)
                part = pages.render("board_part", visit=visit, t=visit.words, **found.values)
                self._part = key, part
            part = self._part[1]
        return self._page(visit, "board", part=part)

    def _incident(self, visit: Visit) -> Response:
        found = views.incident_page(visit)
        return (
            self._file(visit, found)
            if visit.query.get("as")
            else self._page(visit, "incident", **found.values)
        )

    def _table_page(self, template: str, view: Callable[[Visit], views.Page]) -> Answer:
        def answer(visit: Visit) -> Response:
            found = view(visit)
            if visit.query.get("as"):
                return self._file(visit, found)
            return self._page(visit, template, **found.values)

        return answer

    def _file(self, visit: Visit, page: views.Page) -> Response:
        """A table of a page as a file."""
        name, kind = visit.query.get("table", ""), visit.query.get("as", "")
        table = page.tables.get(name)
        if table is None or kind not in ("csv", "json"):
            raise NotThere("There is no such table.")
        self._audit.write(
            "export", **_by(visit), path=visit.path, query=urlencode(visit.query), rows=len(table.rows)
        )
        body = as_csv(table).encode("utf-8-sig") if kind == "csv" else as_json(table)
        media = "text/csv; charset=utf-8" if kind == "csv" else "application/json"
        return Response(
            body,
            media_type=media,
            headers={"Content-Disposition": f'attachment; filename="crmwatch-{table.name}.{kind}"'},
        )

    def _record(self, visit: Visit) -> Response:
        if not self._reads.allows(visit.session.key):
            return self._sorry(visit, 429, "Too much at once. Wait a minute.")
        uid, event = visit.query.get("incident", ""), visit.query.get("event", "")
        row = (
            visit.db()
            .execute("SELECT record FROM evidence WHERE uid = ? AND event = ?", (uid, event))
            .fetchone()
        )
        if row is None:
            raise NotThere("There is no such event.")
        self._audit.write("record_read", **_by(visit), incident=uid, event=event, position=row["record"])
        return self._page(
            visit, "record", raw=read_raw(self._config, row["record"]), uid=uid, position=row["record"]
        )

    # --- actions

    def _act(self, visit: Visit) -> Response:
        uid = visit.params["uid"]
        found = one(visit.db(), uid)
        if found is None:
            raise NotThere("There is no such incident.")
        word = decision(visit.form, uid, found.identity, visit.person.name, visit.now_ms)
        told = {
            name: value
            for name, value in msgspec.structs.asdict(word).items()
            if name not in ("by", "time_ms")
        }
        try:
            sent = self._sender.send(word)
        except ActionError:
            self._audit.write("decision_failed", **_by(visit), **told)
            raise
        self._audit.write(
            "decision", **_by(visit), **told, record=f"{sent.topic}/{sent.partition}/{sent.offset}"
        )
        known = self._pulse.wait_for(sent.topic, sent.partition, sent.offset, READ_BACK_SECONDS)
        said = visit.form.get("action", "") if known else "sent"
        return RedirectResponse(f"/incidents/{quote(uid, safe='')}?said={quote(said)}", 303)

    def _admin(self, visit: Visit) -> Response:
        return self._page(
            visit, "admin", sessions=self._gate.sessions(), audit=list(self._audit.newest)[::-1]
        )

    def _administer(self, visit: Visit) -> Response:
        action = visit.form.get("action", "")
        if action == "rebuild":
            self._follower.rebuild()
        elif action == "end":
            name = visit.form.get("session", "")
            for session in self._gate.sessions():
                if session.csrf[:12] == name:
                    self._gate.end(session.key)
        else:
            raise ActionError("This is not an action.")
        self._audit.write(f"admin_{action}", **_by(visit))
        return RedirectResponse("/admin", 303)

    # --- coming and going

    def _to_sign_in(self, request: Request) -> Response:
        if not self._gate.by_token:
            return _refused(403, "Nobody has said who you are.")
        if request.method != "GET" or request.headers.get("accept", "").startswith("text/event-stream"):
            return _refused(401, "You are signed out.")
        if request.headers.get("authorization") or request.query_params.get("as"):
            return _refused(401, "This token is not known.")
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.headers.get("sec-fetch-site") == "cross-site" and "from" not in request.query_params:
            # A strict cookie does not come with a link from elsewhere; it does when our own page leads here.
            mark = "&" if "?" in back else "?"
            response = Response(pages.render("bounce", to=f"{back}{mark}from=link"), media_type="text/html")
            response.headers.update(HEADERS | {"Cache-Control": "no-store"})
            return response
        return RedirectResponse(f"/sign-in?{urlencode({'to': back})}", 303)

    async def _sign_in(self, request: Request) -> Response:
        if not self._is_asked_for(request) or not self._gate.by_token:
            return _refused(404, "There is nothing here.")
        address = request.client.host if request.client else ""
        words = Words(
            Language(request.cookies[LANGUAGE])
            if request.cookies.get(LANGUAGE) in set(Language)
            else accepted(request.headers.get("accept-language", ""))
        )
        message, status = "", 200
        form = await _form(request)
        to = form.get("to") or request.query_params.get("to", "/")
        if request.method == "POST":
            if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
                return _refused(403, "This form was not ours.")
            if not self._guesses.would_allow(address):
                message, status = "Too much at once. Wait a minute.", 429
            else:
                person = self._of_token(form.get("token", ""), address)
                if person is not None:
                    session = self._gate.begin(person, address)
                    self._audit.write("sign_in", who=person.name, role=person.role.word, address=address)
                    response: Response = RedirectResponse(to if _is_ours(to) else "/", 303)
                    response.headers.update(HEADERS)
                    self._cookie(response, SESSION, session.key, None)
                    return response
                self._audit.write("sign_in_refused", address=address)
                message, status = "This token is not known.", 401
        html = pages.render("sign_in", t=words, message=message, to=to if _is_ours(to) else "/")
        answer = Response(html, status, media_type="text/html")
        answer.headers.update(HEADERS | {"Cache-Control": "no-store"})
        return answer

    def _sign_out(self, visit: Visit) -> Response:
        self._gate.end(visit.session.key)
        self._audit.write("sign_out", **_by(visit))
        response = RedirectResponse("/", 303)
        response.delete_cookie(SESSION)
        return response

    # --- the feed

    async def _events(self, request: Request) -> Response:
        """Server-sent events: one whenever something has changed, and one now and then to show that it lives."""
        if not self._is_asked_for(request):
            return _refused(421, "This is not the name of this console.")
        session = self._gate.session(request.cookies.get(SESSION))
        address = request.client.host if request.client else ""
        if session is None or not self._still(session, request, address):
            return _refused(401, "You are signed out.")
        if self._streams >= MOST_STREAMS:
            return _refused(503, "Too many browsers look already.")
        return StreamingResponse(
            self._stream(session),
            media_type="text/event-stream",
            headers={**HEADERS, "Cache-Control": "no-store"},
        )

    async def _stream(self, session: Session) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            yield b"retry: 2000\n\n"
            generation = -1
            while not self._stopping and self._gate.session(session.key) is not None:
                feed = await self._pulse.wait(generation, BEAT_SECONDS)
                generation = feed.generation
                body = {
                    "generation": feed.generation,
                    "lost": feed.lost_ms,
                    "caught_up": feed.caught_up,
                    "newest": self._index.newest_ms,
                }
                yield b"event: feed\ndata: " + msgspec.json.encode(body) + b"\n\n"
                await asyncio.sleep(REST_SECONDS)
        finally:
            self._streams -= 1

    async def _live(self, request: Request) -> Response:
        """For a supervisor: whether the process still follows the topics."""
        well = self._follower.alive
        return PlainTextResponse(
            "live\n" if well else "the index is no longer written\n", 200 if well else 503
        )


class _Static(StaticFiles):
    """Our own files, looked at anew each time, with the same headers as pages."""

    async def get_response(self, path: str, scope: Any) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _form(request: Request) -> dict[str, str]:
    if request.method != "POST":
        return {}
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            return {}
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=40))
    except ValueError:
        return {}


def _by(visit: Visit) -> dict[str, str]:
    return {"who": visit.person.name, "role": visit.person.role.word, "address": visit.address}


def _is_ours(path: str) -> bool:
    """Whether it leads to a page of this console, and not elsewhere."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()


def _refused(status: int, message: str) -> Response:
    return PlainTextResponse(f"{message}\n", status, headers=HEADERS | {"Cache-Control": "no-store"})
