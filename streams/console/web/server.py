"""The console over HTTP: who comes in, which page, which action, and the feed of events."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from markupsafe import Markup
from msgspec.structs import asdict
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from detector.directory import NOBODY, Directory
from streams.config import Config
from streams.console.pages import render as pages
from streams.console.pages import views
from streams.console.pages.incident import withdrawable
from streams.console.pages.raw_record import RawRecordError, read_raw
from streams.console.pages.tables import as_csv, as_json
from streams.console.pages.views import NotFound, PageRequest
from streams.console.store.decisions import decisions_about
from streams.console.store.directory import ConsoleDirectory
from streams.console.store.follower import Follower
from streams.console.store.freshness import Freshness
from streams.console.store.incidents import incident_by_uid
from streams.console.store.index import Index
from streams.console.web.actions import ActionError, DecisionSender, decision
from streams.console.web.audit import Audit
from streams.console.web.auth import Role, Session, Sessions
from streams.console.web.live_pages import LivePages
from streams.console.web.rate_limit import RateLimiter
from streams.console.web.sign_in import HEADERS, LANGUAGE, SESSION, SignIn, form_of, refused
from streams.locale import Language, Translator, negotiate

__all__ = ["Console"]

THEME = "crmwatch_theme"
THEMES = ("auto", "light", "dark")
YEAR_SECONDS = 365 * 86_400
MOST_QUERY, MOST_FIELDS = 8_000, 30
READ_BACK_SECONDS = 3.0
"""How long a page waits for a decision to come back from Kafka before it is shown."""
Answer = Callable[[PageRequest], Response]


class Console:
    """The application; `app` is what a server runs."""

    def __init__(
        self,
        config: Config,
        index: Index,
        freshness: Freshness,
        follower: Follower,
        gate: Sessions,
        audit: Audit,
        directory: ConsoleDirectory | None = None,
    ) -> None:
        self._config = config
        self._directory = directory
        self._index = index
        self._freshness = freshness
        self._follower = follower
        self._gate = gate
        self._audit = audit
        self._entrance = SignIn(gate, config.console, audit)
        self._sender = DecisionSender(config)
        self._live_pages = LivePages(gate, freshness, index, config.console.per_person)
        self._looks = RateLimiter(600)
        self._acts = RateLimiter(60)
        self._reads = RateLimiter(30)
        self._part_lock = threading.Lock()
        self._part: tuple[Any, Markup] | None = None
        self.app = Starlette(routes=self._routes())

    def stop(self) -> None:
        """Let feeds end, so that the server can."""
        self._live_pages.stop()
        self._freshness.wake()
        self._sender.close()

    def _routes(self) -> list[BaseRoute]:
        def page(path: str, answer: Answer, role: Role = Role.VIEWER, method: str = "GET") -> Route:
            return Route(path, partial(self._serve, answer, role), methods=[method])

        static = Path(__file__).parents[1] / "static"
        return [
            page("/", self._board),
            page("/incidents/{uid:path}", self._incident),
            page("/incidents/{uid:path}", self._act, Role.ANALYST, "POST"),
            page("/identity", self._table_page("identity", views.identity_page)),
            page("/sources", self._table_page("sources", views.sources_page)),
            page("/mutes", self._table_page("mutes", views.mutes_page)),
            page("/search", self._table_page("search", views.search_page)),
            page("/record", self._record, Role.ANALYST),
            page("/admin", self._admin, Role.ADMIN),
            page("/admin", self._administer, Role.ADMIN, "POST"),
            page("/sign-out", self._sign_out, Role.VIEWER, "POST"),
            Route("/sign-in", self._entrance.sign_in, methods=["GET", "POST"]),
            Route("/events", self._events),
            Route("/live", self._live),
            Mount("/static", _Static(directory=static)),
            page("/{rest:path}", self._nothing),
        ]

    # --- who, and whether

    async def _serve(self, answer: Answer, role: Role, request: Request) -> Response:
        """Let somebody in, look whether they may, and answer."""
        if not self._entrance.is_asked_for(request):
            return refused(421, "This is not the name of this console.")
        address = request.client.host if request.client else ""
        session = self._gate.session(request.cookies.get(SESSION))
        if session is not None and not self._entrance.still(session, request, address):
            self._gate.end(session.key)
            session = None
        known, passing = session is not None, False
        if session is None:
            person = self._entrance.who(request, address)
            if person is None:
                return self._entrance.to_sign_in(request)
            passing = self._entrance.is_passing(request)
            session = (self._gate.passing if passing else self._gate.begin)(person, address)
        query = _query_of(request)
        if query is None:
            answer, query = _overfull, {}
        visit = self._visit(request, session, address, query, await form_of(request))
        bucket = session.key if known else f"token of {session.person.name}" if passing else address
        response = await run_in_threadpool(self._answer, answer, role, visit, bucket, known)
        self._dress(response, visit, not known and not passing)
        return response

    def _answer(self, answer: Answer, role: Role, visit: PageRequest, bucket: str, known: bool) -> Response:
        """The answer to somebody; `bucket` names what requests are counted for, `known` whether there was a session."""
        if not self._looks.allows(bucket):
            return self._sorry(visit, 429, "Too many requests. Wait a minute.")
        if visit.person.role < role:
            self._audit.write("refused", **_by(visit), path=visit.path, needs=role.word)
            return self._sorry(visit, 403, "Your role does not allow this.")
        if visit.method == "POST":
            given = visit.form.get("csrf", "")
            if (
                not known
                or not visit.same_origin
                or not hmac.compare_digest(given.encode(), visit.session.csrf.encode())
            ):
                self._audit.write(
                    "refused", **_by(visit), path=visit.path, why="no proof that the form was ours"
                )
                return self._sorry(visit, 403, "This page has expired. Go back, reload it and try again.")
            if not self._acts.allows(visit.session.key):
                return self._sorry(visit, 429, "Too many requests. Wait a minute.")
        try:
            return answer(visit)
        except NotFound as error:
            return self._sorry(visit, 404, str(error))
        except (ActionError, RawRecordError) as error:
            return self._sorry(visit, 400, str(error))

    def _visit(
        self,
        request: Request,
        session: Session,
        address: str,
        query: Mapping[str, str],
        form: Mapping[str, str],
    ) -> PageRequest:
        language = query.get("lang") or request.cookies.get(LANGUAGE) or ""
        theme = query.get("theme") or request.cookies.get(THEME) or ""
        return PageRequest(
            method=request.method,
            path=request.url.path,
            query={name: value for name, value in query.items() if name not in ("lang", "theme")},
            params={name: str(value) for name, value in request.path_params.items()},
            form=form,
            same_origin=request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"),
            session=session,
            address=address,
            translator=Translator(
                Language(language)
                if language in set(Language)
                else negotiate(request.headers.get("accept-language", ""))
            ),
            theme=theme if theme in THEMES else "auto",
            chosen=tuple((name, query[name]) for name in ("lang", "theme") if name in query),
            db=self._index.reader,
            feed=self._freshness.feed,
            directory=_nobody if self._directory is None else self._directory.current,
            newest_ms=self._index.newest_ms,
            now_ms=round(time() * 1000),
            secure=self._gate.secure,
            open=self._gate.open,
            by_token=self._gate.by_token,
            longest_mute_days=self._config.triage.longest_mute_days,
        )

    def _dress(self, response: Response, visit: PageRequest, begun: bool) -> None:
        response.headers.update(HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        if self._gate.secure:
            response.headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
        if begun:
            self._entrance.cookie(response, SESSION, visit.session.key, None)
        for name, value in visit.chosen:
            if name == "lang" and value in set(Language):
                self._entrance.cookie(response, LANGUAGE, value, YEAR_SECONDS)
            elif name == "theme" and value in THEMES:
                self._entrance.cookie(response, THEME, value, YEAR_SECONDS)

    # --- pages

    def _page(self, visit: PageRequest, template: str, status: int = 200, **values: Any) -> Response:
        html = pages.render(template, visit.translator.language, visit=visit, **values)
        return Response(html, status, media_type="text/html")

    def _sorry(self, visit: PageRequest, status: int, message: str) -> Response:
        if visit.query.get("as"):
            return PlainTextResponse(visit.translator.gettext(message), status)
        return self._page(visit, "sorry", status, message=message)

    def _nothing(self, visit: PageRequest) -> Response:
        raise NotFound("There is no such page.")

    def _board(self, visit: PageRequest) -> Response:
        if visit.query.get("as"):
            return self._file(visit, views.board_page(visit))
        key = (visit.feed.generation, visit.translator.language, visit.now_ms // 10_000)
        with self._part_lock:  # one of many browsers works it out for all
            if self._part is None or self._part[0] != key:
                found = views.board_page(visit)
                part = pages.render("board_part", visit.translator.language, visit=visit, **found.values)
                self._part = key, part
            part = self._part[1]
        return self._page(visit, "board", part=part)

    def _incident(self, visit: PageRequest) -> Response:
        found = views.incident_page(visit)
        return (
            self._file(visit, found)
            if visit.query.get("as")
            else self._page(visit, "incident", **found.values)
        )

    def _table_page(self, template: str, view: Callable[[PageRequest], views.Page]) -> Answer:
        def answer(visit: PageRequest) -> Response:
            found = view(visit)
            if visit.query.get("as"):
                return self._file(visit, found)
            return self._page(visit, template, **found.values)

        return answer

    def _file(self, visit: PageRequest, page: views.Page) -> Response:
        """A table of a page as a file."""
        name, kind = visit.query.get("table", ""), visit.query.get("as", "")
        table = page.tables.get(name)
        if table is None or kind not in ("csv", "json"):
            raise NotFound("There is no such table.")
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

    def _record(self, visit: PageRequest) -> Response:
        if not self._reads.allows(visit.session.key):
            return self._sorry(visit, 429, "Too many requests. Wait a minute.")
        uid, event = visit.query.get("incident", ""), visit.query.get("event", "")
        row = (
            visit.db()
            .execute("SELECT record FROM evidence WHERE uid = ? AND event = ?", (uid, event))
            .fetchone()
        )
        if row is None:
            raise NotFound("There is no such event.")
        self._audit.write("record_read", **_by(visit), incident=uid, event=event, position=row["record"])
        return self._page(
            visit, "record", raw=read_raw(self._config, row["record"]), uid=uid, position=row["record"]
        )

    # --- actions

    def _act(self, visit: PageRequest) -> Response:
        uid = visit.params["uid"]
        incident = incident_by_uid(visit.db(), uid)
        if incident is None:
            raise NotFound("There is no such incident.")
        index = decisions_about(visit.db(), uid)
        person = visit.person
        taken = decision(
            visit.form,
            uid,
            incident.identity,
            person.name,
            person.role.word,
            visit.now_ms,
            {one.id: one for one in withdrawable(index, uid)},
        )
        subject = {name: value for name, value in asdict(taken.subject).items() if value}
        noted = subject | {
            "kind": taken.kind, "id": taken.id, "reason": taken.reason, "withdraws": taken.withdraws,
            "payload": taken.payload,
        }  # fmt: skip
        try:
            sent = self._sender.send(taken)
        except ActionError:
            self._audit.write("decision_failed", **_by(visit), **noted)
            raise
        self._audit.write(
            "decision", **_by(visit), **noted, record=f"{sent.topic}/{sent.partition}/{sent.offset}"
        )
        known = self._freshness.wait_for(sent.topic, sent.partition, sent.offset, READ_BACK_SECONDS)
        said = visit.form.get("action", "") if known else "sent"
        return RedirectResponse(f"/incidents/{quote(uid, safe='')}?said={quote(said)}", 303)

    def _admin(self, visit: PageRequest) -> Response:
        return self._page(
            visit, "admin", sessions=self._gate.sessions(), audit=list(self._audit.newest)[::-1]
        )

    def _administer(self, visit: PageRequest) -> Response:
        action = visit.form.get("action", "")
        if action == "rebuild":
            self._follower.rebuild()
        elif action == "end":
            name = visit.form.get("session", "")
            for session in self._gate.sessions():
                if session.name == name:
                    self._gate.end(session.key)
        else:
            raise ActionError("This is not an action.")
        self._audit.write(f"admin_{action}", **_by(visit))
        return RedirectResponse("/admin", 303)

    # --- coming and going

    def _sign_out(self, visit: PageRequest) -> Response:
        self._gate.end(visit.session.key)
        self._audit.write("sign_out", **_by(visit))
        response = RedirectResponse("/", 303)
        response.delete_cookie(SESSION)
        return response

    # --- the feed

    async def _events(self, request: Request) -> Response:
        """Server-sent events: one whenever something has changed, and one now and then to show that it lives."""
        if not self._entrance.is_asked_for(request):
            return refused(421, "This is not the name of this console.")
        session = self._gate.session(request.cookies.get(SESSION))
        address = request.client.host if request.client else ""
        if session is None or not self._entrance.still(session, request, address):
            return refused(401, "You are signed out.")
        if not self._live_pages.has_room(session.person.name):
            return refused(503, "Too many browsers look already.")
        return StreamingResponse(
            self._live_pages.events(session),
            media_type="text/event-stream",
            headers={**HEADERS, "Cache-Control": "no-store"},
        )

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


def _query_of(request: Request) -> dict[str, str] | None:
    """The fields of an address; ``None`` if there are too many or they are too long."""
    text = request.url.query
    if len(text) >= MOST_QUERY:
        return None
    try:
        return dict(parse_qsl(text, keep_blank_values=False, max_num_fields=MOST_FIELDS))
    except ValueError:
        return None


def _overfull(visit: PageRequest) -> Response:
    raise ActionError("This address has too many fields, or they are too long.")


def _by(visit: PageRequest) -> dict[str, str]:
    return {"who": visit.person.name, "role": visit.person.role.word, "address": visit.address}


def _nobody() -> Directory:
    return NOBODY
