"""Who makes a request, and what they may do.

https://learn.microsoft.com/power-apps/developer/data-platform/security-roles
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

from crm_sandbox.errors import MISSING_PRIVILEGE, ODataError
from crm_sandbox.queries.sql import Asker
from crm_sandbox.schema.model import Table

_PRIVILEGES = UUID("5ad0cf20-9e4d-4d3a-9d2d-4c6a5e1b7f11")


class Privilege(StrEnum):
    """What may be done with the rows of a table, by the middle part of the privilege's name."""

    CREATE = "Create"
    READ = "Read"
    WRITE = "Write"
    DELETE = "Delete"
    APPEND = "Append"
    APPEND_TO = "AppendTo"
    ASSIGN = "Assign"
    SHARE = "Share"


_ALL = frozenset(Privilege)
_READ = frozenset({Privilege.READ})
_SELL = _ALL - {Privilege.DELETE}
_SELLING = frozenset(
    {"account", "contact", "lead", "opportunity", "task", "phonecall", "appointment", "annotation"}
    | {"opportunityclose", "activitypointer", "activityparty"}
)

ADMINISTRATOR = "System Administrator"


def privilege_name(privilege: Privilege, table: Table) -> str:
    """The name of a privilege, such as ``prvReadAccount``; all activities share theirs.

    https://learn.microsoft.com/power-apps/developer/data-platform/security-roles
    """
    stem = "Activity" if table.is_activity else f"{table.name[:1].upper()}{table.name[1:]}"
    return f"prv{privilege}{stem}"


def privilege_id(name: str) -> str:
    """The id of a privilege; always the same."""
    return str(uuid5(_PRIVILEGES, name))


ROLES: Mapping[str, tuple[frozenset[Privilege], frozenset[Privilege]]] = {
    ADMINISTRATOR: (_ALL, _ALL),
    "Sales Manager": (_ALL, _READ),
    "Salesperson": (_SELL, _READ),
    "Read only": (_READ, _READ),
}
"""Security roles: what they allow on the tables of selling and on an organisation's own, and on the rest."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The user whose rights a request has, with the names of their security roles.

    ``delegate_id`` is the user who acts in their stead, None where they act themselves.
    """

    user_id: str
    business_unit_id: str
    team_ids: tuple[str, ...]
    roles: tuple[str, ...]
    delegate_id: str | None = None

    @property
    def is_administrator(self) -> bool:
        """Whether the user may do everything, also act for others."""
        return ADMINISTRATOR in self.roles

    def allowed(self, table: Table) -> frozenset[Privilege]:
        """What the user's roles together allow on a table."""
        selling = table.name in _SELLING or table.is_custom
        found: frozenset[Privilege] = frozenset()
        for role in self.roles:
            on_selling, on_rest = ROLES.get(role, (frozenset(), frozenset()))
            found |= on_selling if selling else on_rest
        return found

    def require(self, privilege: Privilege, table: Table) -> None:
        """Check that the user may do something with a table's rows.

        Raises:
            ODataError: 403 0x80040220, no role allows it.
        """
        if privilege in self.allowed(table):
            return
        name = privilege_name(privilege, table)
        raise ODataError(
            403,
            MISSING_PRIVILEGE,
            f"Principal user (Id={self.user_id}, type=8, roleCount={len(self.roles)}) is missing {name} "
            f"privilege (Id={privilege_id(name)}) on OTC={table.object_type_code} "
            f"for entity '{table.name}'. context.Caller={self.user_id}",
        )


@dataclass(frozen=True, slots=True)
class Session:
    """What one request knows of its circumstances: the caller, the clock, the address of the API."""

    caller: Caller
    asker: Asker
    root: str
