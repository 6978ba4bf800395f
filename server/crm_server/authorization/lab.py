"""Callers of a file, for a lab without an issuer: a token each, kept as its digest.

::

    [ann]
    sha256 = "..."                      # of the token, as `dynamics-crm-mcp callers token ann` prints it
    roles = ["Salesperson"]             # for the policy
    scopes = ["crm.read", "crm.write"]  # crm.read unless given
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crm_server.authorization.claims import TokenRefusedError
from crm_server.authorization.rules import READ, SCOPES
from crm_server.settings import SettingsError, did_you_mean
from crm_server.sign_in.callers import Caller

_KEYS = ("sha256", "roles", "scopes")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
ISSUER = "file"


class LabTokens:
    """Tells callers by the digests of their tokens."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = callers

    @property
    def callers(self) -> tuple[Caller, ...]:
        """All of them, in the order of the file."""
        return tuple(self._callers.values())

    async def caller_of(self, token: str) -> Caller:
        """The caller whose token it is; see :class:`~crm_server.authorization.tokens.Tokens`."""
        digest = _digest(token)
        found = None
        for known, caller in self._callers.items():
            # Each is compared, in the same time whether it fits or not.
            if hmac.compare_digest(known, digest):
                found = caller
        if found is None:
            raise TokenRefusedError("not in the file of callers")
        return found


def read_lab(path: Path) -> LabTokens:
    """The callers of a file.

    Raises:
        SettingsError: It cannot be read, or says something that cannot be meant.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"The file of callers {path} cannot be read.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The file of callers {path} is no TOML: {error}.") from None
    if not entries:
        raise SettingsError(f"The file of callers {path} names nobody.")
    callers: dict[str, Caller] = {}
    for name, facts in entries.items():
        digest, caller = _caller(name, facts)
        if digest in callers:
            raise SettingsError(f"Callers {callers[digest].name} and {name} have the same token.")
        callers[digest] = caller
    return LabTokens(callers)


def _caller(name: str, facts: Any) -> tuple[str, Caller]:
    if not isinstance(facts, dict):
        raise SettingsError(f"A caller is a table such as [{name}] with sha256, roles and scopes.")
    for key in facts:
        if key not in _KEYS:
            raise SettingsError(f"Caller {name}: unknown key {key!r}.{did_you_mean(key, _KEYS)}")
    digest = facts.get("sha256")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise SettingsError(
            f"Caller {name}: sha256 is the digest that `dynamics-crm-mcp callers token {name}` prints."
        )
    scopes = _texts(name, facts, "scopes", (READ,))
    for scope in scopes:
        if scope not in SCOPES:
            raise SettingsError(f"Caller {name}: unknown scope {scope!r}.{did_you_mean(scope, SCOPES)}")
    roles = frozenset(_texts(name, facts, "roles", ()))
    return digest, Caller(name, client=name, issuer=ISSUER, roles=roles, scopes=frozenset(scopes))


def _texts(name: str, facts: Mapping[str, Any], key: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    value = facts.get(key, list(usual))
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SettingsError(f'Caller {name}: {key} is a list of texts, such as ["{(*usual, "sales")[0]}"].')
    return tuple(value)


def new_token(name: str) -> tuple[str, str]:
    """A token for a caller, and the lines of the file that let it in.

    Raises:
        SettingsError: The name is none that stands in the file as it is.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError("A caller's name has letters, digits, _ and - (at most 64), such as ann.")
    token = secrets.token_urlsafe(32)
    return token, f'[{name}]\nsha256 = "{_digest(token)}"\nroles = []\nscopes = ["{READ}"]\n'


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
