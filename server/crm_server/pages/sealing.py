"""What a browser keeps for the page, sealed so that it can be neither read nor changed.

Nothing of it is kept on the server, so any replica that has the state's key answers. A session ends by
itself, after an hour without use and after eight in any case, or when somebody signs out of it
(:mod:`crm_server.pages.visits`).
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crm_server.pages.visitors import Visitor

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet
    from starlette.responses import Response

SESSION_SECONDS, IDLE_SECONDS, ATTEMPT_SECONDS = 8 * 60 * 60, 60 * 60, 10 * 60
_RENEWED_AFTER = 60
"""A session in use is written anew at most so often."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody's visit. ``token`` stands in each form, and tells it from one of another site."""

    visitor: Visitor
    token: str
    born: float
    seen: float

    def is_live(self, now: float) -> bool:
        """Whether it goes on."""
        return now - self.born < SESSION_SECONDS and now - self.seen < IDLE_SECONDS

    def is_stale(self, now: float) -> bool:
        """Whether its use is worth to be noted."""
        return now - self.seen > _RENEWED_AFTER


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in under way, and the page that was asked for.

    ``state`` and ``nonce`` bind the answer to this browser (OpenID Connect Core 1.0, 3.1.2.1), ``verifier``
    binds the code to it (RFC 7636).
    """

    state: str
    nonce: str
    verifier: str
    wanted: str
    born: float

    def is_live(self, now: float) -> bool:
        """Whether there is still time to come back."""
        return now - self.born < ATTEMPT_SECONDS


class Cookies:
    """The two cookies of the page. ``secure`` is false for http only.

    ``keys_for`` gives the keys for a purpose: the first one seals, all of them open.

    The prefix ``__Host-`` keeps other hosts of the same domain from setting them (RFC 6265bis, 4.1.3.2).
    """

    def __init__(
        self, keys_for: Callable[[str], tuple[bytes, ...]], now: Callable[[], datetime], *, secure: bool
    ) -> None:
        self._keys_for = keys_for
        self._now = now
        self._secure = secure
        prefix = "__Host-" if secure else ""
        self.session_name, self.attempt_name = f"{prefix}crm-page", f"{prefix}crm-sign-in"

    def new_session(self, visitor: Visitor) -> Session:
        """A session that nobody has had before."""
        now = self._moment()
        return Session(visitor, secrets.token_urlsafe(24), now, now)

    def new_attempt(self, wanted: str) -> Attempt:
        """A sign-in that begins now."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return Attempt(state, nonce, verifier, wanted, self._moment())

    def session(self, cookies: Mapping[str, str]) -> Session | None:
        """The session of a request, if it goes on.

        Raises:
            StateError: The key is not to be had.
        """
        facts = self._opened(self.session_name, cookies)
        if facts is None:
            return None
        try:
            of = facts.pop("visitor")
            session = Session(Visitor(**{**of, "roles": frozenset(of["roles"])}), **facts)
        except (KeyError, TypeError):
            # Sealed by another version of the server, which knew other things of a visitor.
            return None
        return session if session.is_live(self._moment()) else None

    def attempt(self, cookies: Mapping[str, str]) -> Attempt | None:
        """The sign-in that this browser has under way.

        Raises:
            StateError: The key is not to be had.
        """
        facts = self._opened(self.attempt_name, cookies)
        if facts is None:
            return None
        try:
            attempt = Attempt(**facts)
        except TypeError:
            # Sealed by another version of the server, as above.
            return None
        return attempt if attempt.is_live(self._moment()) else None

    def keep_session(self, response: Response, session: Session) -> None:
        """Send a session to its browser, as used just now."""
        used = replace(session, seen=self._moment())
        facts = {**asdict(used), "visitor": {**asdict(used.visitor), "roles": sorted(used.visitor.roles)}}
        self._set(response, self.session_name, facts, SESSION_SECONDS)

    def renew(self, response: Response, session: Session) -> None:
        """Note that a session is in use, if that was not done just now."""
        if session.is_stale(self._moment()):
            self.keep_session(response, session)

    def keep_attempt(self, response: Response, attempt: Attempt) -> None:
        """Send a sign-in under way to its browser."""
        self._set(response, self.attempt_name, asdict(attempt), ATTEMPT_SECONDS)

    def forget(self, response: Response, *names: str) -> None:
        """Have the browser forget cookies."""
        for name in names:
            response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")

    def _set(self, response: Response, name: str, facts: Mapping[str, Any], seconds: int) -> None:
        sealed = self._sealer(name).encrypt(json.dumps(facts).encode()).decode()
        response.set_cookie(
            name, sealed, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def _opened(self, name: str, cookies: Mapping[str, str]) -> dict[str, Any] | None:
        from cryptography.fernet import InvalidToken

        sealed = cookies.get(name)
        if sealed is None:
            return None
        sealer = self._sealer(name)
        try:
            facts: dict[str, Any] = json.loads(sealer.decrypt(sealed.encode()))
        except InvalidToken:
            return None
        return facts

    def _sealer(self, name: str) -> MultiFernet:
        """Each cookie has a key of its own, so that one never passes for the other."""
        from cryptography.fernet import Fernet, MultiFernet

        purpose = "page session" if name == self.session_name else "page sign-in"
        return MultiFernet(Fernet(base64.urlsafe_b64encode(key)) for key in self._keys_for(purpose))

    def _moment(self) -> float:
        return self._now().timestamp()
