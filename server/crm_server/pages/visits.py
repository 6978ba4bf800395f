"""Who is there: the session of a request, unless somebody has signed out of it, and what they brought."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from crm_server.pages.sealing import SESSION_SECONDS, Cookies, Session
from crm_server.sign_in.tokens import Token
from crm_tools.errors import StateError

if TYPE_CHECKING:
    from starlette.responses import Response

    from crm_server.pages.visitors import Visitor
    from crm_server.sign_in.vault import Sealed, Vault
    from crm_server.state.state import State


class Visits:
    """Sessions as browsers keep them and the state remembers their ends: on all replicas alike.

    ``vault`` has the tokens of those on whose behalf the page acts, which are too long for a cookie.
    """

    def __init__(self, cookies: Cookies, state: State, vault: Vault) -> None:
        self._cookies = cookies
        self._state = state
        self._vault = vault

    async def begin(self, response: Response, visitor: Visitor, token: str | None) -> None:
        """Begin a session that nobody has had before, with the access token that came with it."""
        session = self._cookies.new_session(visitor)
        if token is not None:
            await self._place(session).keep(Token(token, session.born + SESSION_SECONDS))
        self._cookies.keep_session(response, session)

    async def token(self, session: Session) -> str | None:
        """The access token that came with a session; it may have ended."""
        found = await self._place(session).found()
        return None if found is None else found.text

    async def present(self, cookies: Mapping[str, str], *, without_state: bool = False) -> Session | None:
        """The session of a request, if it goes on.

        With ``without_state`` a session that may have been ended is taken while nobody can tell.

        Raises:
            StateError: Nobody can tell.
        """
        session = self._cookies.session(cookies)
        if session is None:
            return None
        from crm_server.state import visits

        name = _name(session)
        try:
            ended = await self._state.run(lambda connection, _keys: visits.is_ended(connection, name))
            return None if ended else session
        except StateError:
            if without_state:
                return session
            raise

    async def end(self, session: Session) -> None:
        """End a session for good, whoever has a copy of it.

        Raises:
            StateError: It goes on.
        """
        from crm_server.state import visits

        name, until, now = _name(session), session.born + SESSION_SECONDS, self._state.now().timestamp()
        await self._state.run(lambda connection, _keys: visits.end(connection, name, until, now))
        await self._place(session).forget()

    def _place(self, session: Session) -> Sealed:
        return self._vault.of(f"page {_name(session)}")


def _name(session: Session) -> str:
    """What the state calls a session; the token itself would let forms pass."""
    return hashlib.sha256(session.token.encode()).hexdigest()
