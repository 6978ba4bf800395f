"""The way in: from a page that was asked for to the sign-in, and back with a session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from crm_server.authorization.claims import TokenRefusedError
from crm_server.authorization.tokens import NotReadyError
from crm_server.log import get_logger
from crm_server.pages.answering import RefusalError, Templates
from crm_server.pages.signing_in import (
    IssuerSignIn,
    IssuerUnreachableError,
    LabSignIn,
    NotAdmittedError,
    SignedIn,
    SignIn,
    SignInError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from starlette.requests import Request
    from starlette.responses import Response

    from crm_server.pages.sealing import Attempt, Cookies
    from crm_server.pages.visits import Visits

_log = get_logger("pages")


class Entering:
    """Signs visitors in. ``note`` adds an event to the audit."""

    def __init__(
        self,
        root: str,
        cookies: Cookies,
        visits: Visits,
        sign_in: SignIn,
        note: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._root = root
        self._cookies = cookies
        self._visits = visits
        self._sign_in = sign_in
        self._note = note
        self._templates = Templates(root)
        self._local = re.compile(re.escape(root) + r"(/[\w./-]*)?(\?[\w=&%.:+-]*)?", re.ASCII)

    async def begin(self, request: Request) -> Response:
        """Lead to the issuer, or show the form for a lab's token."""
        attempt = self._cookies.new_attempt(self._wanted(request.query_params.get("next", "")))
        response: Response
        if isinstance(self._sign_in, LabSignIn):
            response = self._templates.page("sign_in", session=None, token=attempt.state)
        else:
            response = RedirectResponse(await self._told(self._sign_in.begin(attempt)), 303)
        self._cookies.keep_attempt(response, attempt)
        return response

    async def finish(self, request: Request) -> Response:
        """The browser is back from the issuer."""
        attempt = self._cookies.attempt(request.cookies)
        if attempt is None or not isinstance(self._sign_in, IssuerSignIn):
            raise RefusalError(
                400, "No sign-in is under way", "It took too long, or began in another browser. Start again."
            )
        return await self._entered(self._sign_in.finish(request.query_params, attempt), attempt)

    async def by_token(self, token: str, attempt: Attempt) -> Response:
        """A lab's token was pasted."""
        if not isinstance(self._sign_in, LabSignIn):
            raise RefusalError(404, "There is no such page", "Sign in at the issuer of your organisation.")
        return await self._entered(self._sign_in.finish(token), attempt)

    async def _entered(self, under_way: Awaitable[SignedIn], attempt: Attempt) -> Response:
        signed_in: SignedIn = await self._told(under_way)
        visitor = signed_in.visitor
        response = RedirectResponse(attempt.wanted, 303)
        self._cookies.forget(response, self._cookies.attempt_name)
        # Always a new one: what the browser had before is worth nothing from now on.
        await self._visits.begin(response, visitor, signed_in.token)
        _log.info("page_signed_in", visitor=visitor.name)
        self._note({"kind": "page sign-in", "caller": visitor.name, "outcome": "ok"})
        return response

    def _wanted(self, address: str) -> str:
        """The page that was asked for, if it is one of this server's own."""
        return address if self._local.fullmatch(address) and ".." not in address else self._root

    async def _told(self, under_way: Awaitable[Any]) -> Any:
        """What a step of the sign-in comes to.

        Raises:
            RefusalError: It does not come about; who signs in learns little, the log more.
        """
        try:
            return await under_way
        except NotAdmittedError as error:
            _log.warning("page_not_admitted", visitor=str(error))
            raise RefusalError(
                403,
                "You may not see this page",
                "You are signed in, and none of your roles is one that may. Ask an administrator for one.",
            ) from None
        except (SignInError, TokenRefusedError) as error:
            _log.warning("page_sign_in_refused", reason=str(error))
            told = error.told if isinstance(error, SignInError) else "The sign-in is not valid here."
            raise RefusalError(400, "You are not signed in", told) from None
        except (IssuerUnreachableError, NotReadyError) as error:
            _log.error("page_issuer_away", reason=str(error))
            raise RefusalError(
                503, "Nobody can sign in now", "The sign-in service does not answer. Try again in a minute."
            ) from None
