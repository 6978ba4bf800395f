"""Finds the user that a request is made for.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/impersonate-another-user-web-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from crm_sandbox.errors import MISSING_PRIVILEGE, NOT_A_MEMBER, ODataError
from crm_sandbox.session import Caller
from crm_sandbox.store import Store

FIRST_USER = "first user"
"""The fact of a store that says who asks where nobody signs in."""
_ENTRA_ID, _USER_ID = "callerobjectid", "mscrmcallerid"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for: a user by the object id, or an application by its client id."""

    object_id: str
    application_id: str | None = None


def caller_of(store: Store, identity: Identity | None, headers: Mapping[str, str]) -> Caller:
    """The user whose rights a request has: the token's, or the one that a header names in their stead.

    Raises:
        ODataError: 403, the user is none of the organisation's, or may not act for others.
    """
    caller = _first(store) if identity is None else _of_identity(store, identity)
    for header, column in ((_ENTRA_ID, "azureactivedirectoryobjectid"), (_USER_ID, "systemuserid")):
        given = headers.get(header)
        if given:
            return _on_behalf(store, caller, column, given)
    return caller


def caller_of_user(store: Store, key: str) -> Caller:
    """The caller that a user of the organisation is.

    Raises:
        ODataError: 403, the user is none or disabled.
    """
    return _user(store, "SELECT * FROM systemuser WHERE systemuserid = ?", [key], key)


def _on_behalf(store: Store, caller: Caller, column: str, given: str) -> Caller:
    if not caller.is_administrator:
        raise ODataError(
            403,
            MISSING_PRIVILEGE,
            f"Principal user (Id={caller.user_id}, type=8) is missing prvActOnBehalfOfAnotherUser privilege.",
        )
    user = given.lower() if re.fullmatch(r"[0-9a-fA-F-]{36}", given, re.ASCII) else ""
    sql = f'SELECT * FROM systemuser WHERE "{column}" = ?'  # noqa: S608 - a name of the schema
    return replace(_user(store, sql, [user], given), delegate_id=caller.user_id)


def _of_identity(store: Store, identity: Identity) -> Caller:
    if identity.application_id is not None:
        sql = "SELECT * FROM systemuser WHERE applicationid = ?"
        return _user(store, sql, [identity.application_id], identity.application_id)
    sql = "SELECT * FROM systemuser WHERE azureactivedirectoryobjectid = ?"
    return _user(store, sql, [identity.object_id], identity.object_id)


def _first(store: Store) -> Caller:
    sql = "SELECT * FROM systemuser WHERE systemuserid = ?"
    return _user(store, sql, [store.remembered(FIRST_USER)], "the first user")


def _user(store: Store, sql: str, values: list[Any], name: str) -> Caller:
    found = store.rows(sql, values)
    if not found or found[0]["isdisabled"]:
        # https://learn.microsoft.com/power-platform/admin/troubleshooting-user-needs-read-write-access-organization
        raise ODataError(403, NOT_A_MEMBER, f"The user is not a member of the organization. ({name})")
    user = found[0]
    key = user["systemuserid"]
    teams = [
        row["teamid"] for row in store.rows("SELECT teamid FROM teammembership WHERE systemuserid = ?", [key])
    ]
    sql = (
        "SELECT name FROM role WHERE roleid IN (SELECT roleid FROM systemuserroles WHERE systemuserid = ? "
        "UNION SELECT roleid FROM teamroles WHERE teamid IN "
        "(SELECT teamid FROM teammembership WHERE systemuserid = ?)) ORDER BY name"
    )
    roles = [row["name"] for row in store.rows(sql, [key, key])]
    return Caller(key, str(user["businessunitid"]), tuple(teams), tuple(roles))
