"""What a user may do with tables: the privileges that there are, and those that the user has.

https://learn.microsoft.com/power-apps/developer/data-platform/security-roles
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from crm_server.dataverse.literals import key, query_string
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse, parse_page, parse_row, unreadable
from crm_server.dataverse.sender import checked
from crm_tools.operations import Action

NAMES_AT_ONCE = 40
"""An address may have 32 KB, and a proxy may take less."""


def table_privileges_request(table: str) -> CrmRequest:
    """The read of the privileges of a table: their names are not always made from the table's.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/securityprivilegemetadata
    """
    options = query_string([("$select", "LogicalName,Privileges")])
    return CrmRequest("GET", f"EntityDefinitions(LogicalName='{table}')?{options}", Action.READ)


def parse_table_privileges(answer: CrmResponse) -> Mapping[str, str]:
    """Kind of a privilege, such as ``Read`` -> its name, such as ``prvReadAccount``.

    Raises:
        UpstreamError: The table does not exist, or the user may not read metadata.
    """
    try:
        rows = parse_row(checked(answer))["Privileges"]
        return {str(row["PrivilegeType"]): str(row["Name"]) for row in rows}
    except (KeyError, TypeError):
        raise unreadable(answer) from None


def held_requests(user: str, names: Iterable[str]) -> Iterator[CrmRequest]:
    """The reads of those among the named privileges that a user has, by own roles and those of teams.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrieveusersetofprivilegesbynames
    """
    wanted = sorted(set(names))
    function = "Microsoft.Dynamics.CRM.RetrieveUserSetOfPrivilegesByNames(PrivilegeNames=@p1)"
    for start in range(0, len(wanted), NAMES_AT_ONCE):
        options = query_string([("@p1", json.dumps(wanted[start : start + NAMES_AT_ONCE]))])
        yield CrmRequest("GET", f"systemusers({key(user)})/{function}?{options}", Action.READ)


def parse_held(answers: Sequence[CrmResponse]) -> Mapping[str, str]:
    """Name of a privilege that the user has -> how deep it goes, such as ``Global``.

    Raises:
        UpstreamError: The user may not ask for it, or the environment does not tell.
    """
    found: dict[str, str] = {}
    for answer in answers:
        try:
            rows = parse_row(checked(answer))["RolePrivileges"]
            found |= {str(row["PrivilegeName"]): str(row["Depth"]) for row in rows}
        except (KeyError, TypeError):
            raise unreadable(answer) from None
    return found


def roles_request(user: str) -> CrmRequest:
    """The read of the names of a user's own security roles."""
    options = query_string([("$select", "name")])
    return CrmRequest("GET", f"systemusers({key(user)})/systemuserroles_association?{options}", Action.READ)


def parse_roles(answer: CrmResponse) -> tuple[str, ...]:
    """The names of security roles."""
    return tuple(sorted(str(row.get("name")) for row in parse_page(checked(answer)).rows))
