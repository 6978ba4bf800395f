"""What the service remembers between requests, in memory: codes, refresh tokens, device codes, sessions."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from crm_sandbox.identity.directory import User

_MOST_REMEMBERED = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things count.

    https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes
    https://learn.microsoft.com/entra/identity-platform/refresh-tokens
    """

    access_token: timedelta = timedelta(hours=1)
    managed_identity_token: timedelta = timedelta(hours=24)
    authorization_code: timedelta = timedelta(minutes=10)
    refresh_token: timedelta = timedelta(days=90)
    device_code: timedelta = timedelta(minutes=15)
    device_polling: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """A code that a sign-in gave out. Nothing is asked of PKCE where ``challenge`` is None."""

    user: User
    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    challenge: str | None
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A sign-in that a client can go on with."""

    user: User
    client_id: str
    scope: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A device that waits for somebody to sign in elsewhere; once answered, for ``user`` or declined."""

    client_id: str
    scope: str
    user_code: str
    issued_at: datetime
    answered: bool = False
    user: User | None = None


class Vault(Generic[T]):
    """Values behind words that nobody can guess. The oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, T] = OrderedDict()

    def add(self, value: T) -> str:
        """Keep a value; the word that finds it."""
        word = secrets.token_urlsafe(48)
        self.put(word, value)
        return word

    def put(self, word: str, value: T) -> None:
        """Keep a value behind a given word."""
        self._values[word] = value
        if len(self._values) > _MOST_REMEMBERED:
            self._values.popitem(last=False)

    def find(self, word: str | None) -> T | None:
        """The value behind a word, if there is one."""
        return None if word is None else self._values.get(word)

    def drop(self, word: str | None) -> None:
        """Forget a value."""
        if word is not None:
            self._values.pop(word, None)


@dataclass(frozen=True, slots=True)
class State:
    """Everything remembered. ``redeemed`` are codes that are used up; ``device_codes`` are by user code."""

    codes: Vault[AuthorizationCode] = field(default_factory=Vault)
    redeemed: Vault[bool] = field(default_factory=Vault)
    refresh_tokens: Vault[RefreshToken] = field(default_factory=Vault)
    devices: Vault[DeviceRequest] = field(default_factory=Vault)
    device_codes: Vault[str] = field(default_factory=Vault)
    sessions: Vault[User] = field(default_factory=Vault)
