"""Reads the ``scope`` parameter: which resource a token is asked for, and which permissions of it.

https://learn.microsoft.com/entra/identity-platform/scopes-oidc
"""

from __future__ import annotations

from dataclasses import dataclass

from crm_sandbox.identity.directory import Directory
from crm_sandbox.identity.errors import EntraError, missing_parameter, unknown_resource
from crm_sandbox.identity.tokens import Audience

OPENID, OFFLINE_ACCESS = "openid", "offline_access"
_OPENID_SCOPES = frozenset({OPENID, OFFLINE_ACCESS, "profile", "email"})
_EVERYTHING = ".default"
_GRAPH = Audience("00000003-0000-0000-c000-000000000000", "1.0")
"""Microsoft Graph, which is what an access token is for if somebody only signs in. The sandbox has none."""
_DATAVERSE_PERMISSION = "user_impersonation"
_APPLICATION_PERMISSIONS = ("access_as_user", "crm.read", "crm.write", "crm.approve")
"""What the tenant's own application lets clients ask for; ``.default`` is the first of them."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a client asks to do for a user.

    ``permissions`` are the words of the ``scp`` claim; ``granted`` are full scopes, as the answer lists them.
    """

    audience: Audience
    permissions: tuple[str, ...]
    granted: tuple[str, ...]
    wants_id_token: bool
    wants_refresh_token: bool


class Resources:
    """Finds the resources of a tenant: organisations by their addresses, applications by their ids."""

    def __init__(self, directory: Directory, issuer_root: str) -> None:
        """The organisation at ``issuer_root`` itself is always known."""
        self._directory = directory
        self._organisations = {address.rstrip("/").lower() for address in (*directory.resources, issuer_root)}

    def audience(self, identifier: str) -> Audience:
        """The audience of tokens for a resource: an organisation's address is kept as it was asked for.

        Raises:
            EntraError: 500011, there is no such resource.
        """
        if identifier.rstrip("/").lower() in self._organisations:
            return Audience(identifier, "1.0")
        application = self._directory.application(identifier.removeprefix("api://"))
        if application is None:
            raise unknown_resource(identifier, self._directory.tenant.id)
        return Audience(application.client_id, "2.0")

    def for_application(self, scope: str | None) -> Audience:
        """The resource that an application asks for itself, as ``{resource}/.default``.

        https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow

        Raises:
            EntraError: 900144 no scope, 70011 several, 1002012 not of that form, 500011 no such resource.
        """
        asked = _words(scope)
        if len(asked) != 1:
            raise _invalid_scope(" ".join(asked))
        identifier, _, permission = asked[0].rpartition("/")
        if permission != _EVERYTHING:
            raise EntraError(
                1002012,
                "invalid_scope",
                f"The provided value for scope {asked[0]} is not valid. Client credential flows must have a "
                "scope value with /.default suffixed to the resource identifier (application ID URI).",
            )
        return self.audience(identifier)

    def for_user(self, scope: str | None) -> Delegation:
        """What a client asks to do for a user, at one resource, or only to learn who signs in.

        Raises:
            EntraError: 900144 no scope, 70011 not a scope, 700022 several resources, 700023 none and no
                ``openid``, 500011 no such resource, 650053 no such permission.
        """
        asked = _words(scope)
        wanted = [word for word in asked if word not in _OPENID_SCOPES]
        if any("/" not in word for word in wanted):
            raise _invalid_scope(" ".join(asked))
        identifiers = {word.rpartition("/")[0] for word in wanted}
        if len(identifiers) > 1:
            raise EntraError(
                700022,
                "invalid_scope",
                f"The provided value for the input parameter 'scope' is not valid because it contains more "
                f"than one resource. Scope {' '.join(asked)} is not valid.",
            )
        if identifiers:
            identifier = identifiers.pop()
            audience = self.audience(identifier)
            granted = _granted(identifier, audience, [word.rpartition("/")[2] for word in wanted])
        elif OPENID in asked:
            audience, words = _GRAPH, tuple(dict.fromkeys(asked))
            granted = words, words
        else:
            raise EntraError(
                700023,
                "invalid_scope",
                "The provided value for the input parameter 'scope' is not valid when requesting an access "
                f"token: it names no resource: {' '.join(asked)}",
            )
        return Delegation(
            audience,
            *granted,
            wants_id_token=OPENID in asked,
            wants_refresh_token=OFFLINE_ACCESS in asked,
        )


def _granted(
    identifier: str, audience: Audience, permissions: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    offered = (_DATAVERSE_PERMISSION,) if audience.version == "1.0" else _APPLICATION_PERMISSIONS
    for permission in permissions:
        if permission not in (*offered, _EVERYTHING):
            raise EntraError(
                650053,
                "invalid_scope",
                f"The application asked for scope '{permission}' that doesn't exist on the resource "
                f"'{identifier}'.",
            )
    given = tuple(dict.fromkeys(word for word in permissions if word != _EVERYTHING)) or offered[:1]
    return given, tuple(f"{identifier}/{word}" for word in dict.fromkeys([*given, *permissions]))


def _words(scope: str | None) -> list[str]:
    words = (scope or "").split()
    if not words:
        raise missing_parameter("scope")
    return words


def _invalid_scope(scope: str) -> EntraError:
    return EntraError(
        70011,
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. The provided value for the input "
        f"parameter 'scope' is not valid. The scope {scope} is not valid.",
    )
