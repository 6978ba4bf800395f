"""The addresses of the page: who may see each, what its form has to bring, and what is answered.

A change is made by POST alone, from a form of this session that was sent by a page of this server: by the
session's token in the form, and by the Origin header.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from crm_server.log import get_logger
from crm_server.pages.acting import Acting
from crm_server.pages.answering import STATIC, GuardedPages, RefusalError, Templates, static
from crm_server.pages.entering import Entering
from crm_server.pages.reading import Reading, Wanted
from crm_server.pages.sealing import Cookies, Session
from crm_server.pages.visits import Visits
from crm_server.state.proposals import KeptPlan
from crm_server.web.bodies import WholeBodies
from crm_tools.changes import Change
from crm_tools.errors import StateError
from crm_tools.outside_text import line

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

PATH = "/approvals"
CALLBACK = f"{PATH}/sign-in/callback"
"""Where the page is when the issuer sends a browser back to it."""
LARGEST_FORM = 64 * 1024
_SEARCHED = {"caller": "caller", "tool": "tool", "table": "table_name", "outcome": "outcome"}
_NUMBER = re.compile(r"[0-9]{1,9}")
_log = get_logger("pages")

Form = Mapping[str, str]
Shown = Callable[["Request", Session], Awaitable[Response]]
Done = Callable[["Request", Session, Form], Awaitable[Response]]


class Site:
    """The pages at ``public_url``, which is the only address they are used by."""

    def __init__(
        self,
        public_url: str,
        cookies: Cookies,
        visits: Visits,
        entering: Entering,
        reading: Reading,
        acting: Acting,
    ) -> None:
        parts = urlsplit(public_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._root = parts.path.rstrip("/") + PATH
        self._cookies = cookies
        self._visits = visits
        self._entering = entering
        self._templates = Templates(self._root)
        self._reading = reading
        self._acting = acting

    def app(self) -> ASGIApp:
        """The application that answers everything at and below ``/approvals``."""
        enter = self._entering
        shown: dict[str, Shown] = {
            "": self._waiting,
            "/waiting": self._news,
            "/plans/{id}": self._plan,
            "/history": self._history,
            "/changes": self._changes,
            "/changes/{id}": self._change,
            "/audit": self._audit,
            "/budgets": self._budgets,
            "/policy": self._policy,
            "/health": self._health,
        }
        done: dict[str, Done] = {
            "/plans/{id}/decision": self._decide,
            "/changes/{id}/undo": self._undo,
            "/audit/verify": self._verify,
            "/sign-out": self._sign_out,
        }
        routes = [Route(PATH + path, self._seen(page), methods=["GET"]) for path, page in shown.items()]
        routes += [Route(PATH + path, self._posted(act), methods=["POST"]) for path, act in done.items()]
        routes += [
            Route(f"{PATH}/sign-in", enter.begin, methods=["GET"]),
            Route(f"{PATH}/sign-in", self._lab_sign_in, methods=["POST"]),
            Route(CALLBACK, enter.finish, methods=["GET"]),
            Route(f"{PATH}/signed-out", self._signed_out, methods=["GET"]),
            *(Route(f"{PATH}/{name}", _file(name, kind), methods=["GET"]) for name, kind in STATIC.items()),
        ]
        app = Starlette(
            routes=routes,
            exception_handlers={
                RefusalError: self._refusal,
                StateError: self._state_away,
                404: self._unknown,
                Exception: self._unexpected,
            },
        )
        # It would lead to the address that the process sees, which is not the public one.
        app.router.redirect_slashes = False
        return GuardedPages(WholeBodies(app, LARGEST_FORM))

    def _seen(self, page: Shown) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            # What is missing is to be seen while it is the state.
            session = await self._visits.present(request.cookies, without_state=page == self._health)
            if session is None:
                path = request.url.path.removeprefix(PATH)
                query = f"?{request.url.query}" if request.url.query else ""
                wanted = urlencode({"next": f"{self._root}{path}{query}"})
                return RedirectResponse(f"{self._root}/sign-in?{wanted}", 303)
            response = await page(request, session)
            if page != self._news:
                # What the script asks for is no use: a page that is left open ends by itself.
                self._cookies.renew(response, session)
            return response

        return answer

    def _posted(self, act: Done) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            # Who wants to go is let go of, whoever can be asked.
            session = await self._visits.present(request.cookies, without_state=act == self._sign_out)
            if session is None:
                raise RefusalError(
                    401, "You are not signed in", "Nothing was changed. Sign in and try again."
                )
            form = await self._form(request, session.token)
            response = await act(request, session, form)
            if act != self._sign_out:
                self._cookies.renew(response, session)
            return response

        return answer

    async def _form(self, request: Request, token: str) -> Form:
        """The form of a request.

        Raises:
            RefusalError: It was not sent by a page of this server for this session.
        """
        # Every browser says where a POST comes from. https://www.rfc-editor.org/rfc/rfc6454#section-7.3
        ours = request.headers.get("origin") == self._origin
        if not ours or not request.headers.get("content-type", "").startswith(
            "application/x-www-form-urlencoded"
        ):
            raise self._foreign("origin")
        try:
            body = (await request.body()).decode("utf-8")
            form = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=20))
        except ValueError:
            raise self._foreign("form") from None
        if not hmac.compare_digest(form.get("token", "").encode(), token.encode()):
            raise self._foreign("token")
        return form

    def _foreign(self, what: str) -> RefusalError:
        _log.warning("form_refused", reason=what)
        return RefusalError(
            403,
            "The form was not taken",
            "It does not come from this page, or from another session. Nothing was changed. Open the page "
            "again and send the form from there.",
        )

    async def _waiting(self, _request: Request, session: Session) -> Response:
        plans = await self._reading.waiting()
        return self._templates.page("waiting", session=session, plans=plans, current="waiting")

    async def _news(self, _request: Request, _session: Session) -> Response:
        return self._templates.page("waiting_list", plans=await self._reading.waiting())

    async def _plan(self, request: Request, session: Session) -> Response:
        plan = await self._found_plan(request)
        return self._templates.page(
            "plan",
            session=session,
            plan=plan,
            state=plan.said(self._reading.now()),
            waits=plan.status == "waiting" and plan.expires > self._reading.now(),
            why_not=self._acting.cannot_decide(session.visitor, plan),
            current="waiting",
        )

    async def _decide(self, request: Request, session: Session, form: Form) -> Response:
        plan = await self._found_plan(request)
        await self._acting.decide(session.visitor, plan, form.get("decision", ""), form.get("reason", ""))
        return RedirectResponse(f"{self._root}/plans/{plan.id}", 303)

    async def _found_plan(self, request: Request) -> KeptPlan:
        plan = await self._reading.plan(request.path_params["id"])
        if plan is None:
            raise RefusalError(404, "There is no such plan", "It may have been forgotten, as old ones are.")
        return plan

    async def _history(self, request: Request, session: Session) -> Response:
        listed = await self._reading.history(_number(request, "before") or 0)
        now = self._reading.now()
        return self._templates.page("history", session=session, listed=listed, now=now, current="history")

    async def _changes(self, request: Request, session: Session) -> Response:
        listed = await self._reading.changes(_number(request, "before"))
        return self._templates.page("changes", session=session, listed=listed, current="changes")

    async def _change(self, request: Request, session: Session) -> Response:
        return self._change_page(await self._found_change(request), session)

    async def _undo(self, request: Request, session: Session, _form: Form) -> Response:
        change = await self._found_change(request)
        undone = await self._acting.undo(session, change)
        return self._change_page(
            await self._found_change(request), session, undone.message, 200 if undone.done else 409
        )

    def _change_page(
        self, change: Change, session: Session, message: str = "", status: int = 200
    ) -> Response:
        return self._templates.page(
            "change",
            status,
            session=session,
            change=change,
            columns=self._reading.columns(change),
            why_not=self._acting.cannot_undo(session.visitor, change),
            message=message,
            current="changes",
        )

    async def _found_change(self, request: Request) -> Change:
        change = await self._reading.change(request.path_params["id"])
        if change is None:
            raise RefusalError(404, "There is no such change", "It may have been forgotten, as old ones are.")
        return change

    async def _audit(self, request: Request, session: Session) -> Response:
        asked = {name: line(request.query_params.get(name, ""))[:200].strip() for name in _AUDIT_FIELDS}
        try:
            wanted = _wanted(asked)
        except ValueError:
            raise RefusalError(
                400, "That is no time", "Write times as 2026-05-01 or 2026-05-01T10:00."
            ) from None
        listed = await self._reading.events(wanted, _number(request, "before"))
        search = {name: value for name, value in asked.items() if value}
        return self._templates.page(
            "audit",
            session=session,
            listed=listed,
            asked=asked,
            older=urlencode({**search, "before": listed.older}),
            current="audit",
        )

    async def _verify(self, _request: Request, session: Session, _form: Form) -> Response:
        found = await self._acting.verify()
        return self._templates.page("verified", session=session, found=found, current="audit")

    async def _budgets(self, _request: Request, session: Session) -> Response:
        budgets = await self._reading.budgets()
        return self._templates.page("budgets", session=session, budgets=budgets, current="budgets")

    async def _policy(self, _request: Request, session: Session) -> Response:
        return self._templates.page(
            "policy", session=session, policy=self._reading.policy(), current="policy"
        )

    async def _health(self, _request: Request, session: Session) -> Response:
        missing = await self._reading.missing()
        return self._templates.page(
            "health",
            session=session,
            missing=missing,
            checked=self._reading.checked,
            facts=self._reading.facts(),
            current="health",
        )

    async def _lab_sign_in(self, request: Request) -> Response:
        attempt = self._cookies.attempt(request.cookies)
        if attempt is None:
            raise RefusalError(400, "The sign-in took too long", "Please start again.")
        form = await self._form(request, attempt.state)
        return await self._entering.by_token(form.get("lab_token", "").strip(), attempt)

    async def _sign_out(self, _request: Request, session: Session, _form: Form) -> Response:
        response: Response = RedirectResponse(f"{self._root}/signed-out", 303)
        try:
            await self._visits.end(session)
        except StateError as error:
            response = self._refused(
                503,
                "You are signed out in this browser only",
                f"A copy of the session would go on until it ends by itself. {error}",
            )
        self._cookies.forget(response, self._cookies.session_name, self._cookies.attempt_name)
        return response

    async def _signed_out(self, _request: Request) -> Response:
        return self._templates.page("signed_out", session=None)

    async def _refusal(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusalError)  # noqa: S101 - it is registered for this kind alone
        return self._refused(error.status, error.title, error.message)

    async def _state_away(self, _request: Request, error: Exception) -> Response:
        return self._refused(503, "The state does not answer", str(error))

    async def _unknown(self, _request: Request, _error: Exception) -> Response:
        return self._refused(404, "There is no such page", "Go on from the waiting changes.")

    async def _unexpected(self, _request: Request, _error: Exception) -> Response:
        # The error itself goes on to the server's log.
        return self._refused(500, "Something went wrong", "The server's log has the cause.")

    def _refused(self, status: int, title: str, message: str) -> Response:
        return self._templates.page("refused", status, session=None, title=title, message=message)


_AUDIT_FIELDS = (*_SEARCHED, "record", "since", "until")


def _wanted(asked: Mapping[str, str]) -> Wanted:
    """The events that a search asks for.

    Raises:
        ValueError: It names a time that is none.
    """
    contains = {column: asked[name] for name, column in _SEARCHED.items() if asked[name]}
    return Wanted(contains, asked["record"] or None, _moment(asked["since"]), _moment(asked["until"]))


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else None


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = static(name)

    async def answer(_request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer
