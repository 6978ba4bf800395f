"""The people of the company itself: who signs in, with which role, in which business unit.

The first of :data:`SALES_PEOPLE` is the user that a request is made for when nobody signs in.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

SALES_PEOPLE = ("Alex Baker", "Dana Ortiz", "Kim Akers", "Robin Counts", "Sanjay Shah", "Veronica Quek")
DEFAULT_USER = SALES_PEOPLE[0]
READER = "Casey Reader"
APPLICATION_USER = "Orders Integration"
MAIL_DOMAIN = "contoso.example"

HEAD_OFFICE = "Contoso Sales"
AMERICA, EUROPE = "Contoso Sales Americas", "Contoso Sales Europe"

ADMINISTRATOR, MANAGER, SELLER, READ_ONLY = (
    "System Administrator",
    "Sales Manager",
    "Salesperson",
    "Read only",
)
ROLES = (ADMINISTRATOR, MANAGER, SELLER, READ_ONLY)
"""Names of the security roles."""

_NAMESPACE = UUID("6f1d2c9a-3f57-4a86-9a34-6a2c5f0f9b11")

# Name, job title, role, business unit, manager.
_FACTS = (
    ("Alex Baker", "Vice President Sales", ADMINISTRATOR, HEAD_OFFICE, None),
    ("Dana Ortiz", "Account Executive", SELLER, AMERICA, "Kim Akers"),
    ("Kim Akers", "Sales Manager Americas", MANAGER, AMERICA, "Alex Baker"),
    ("Robin Counts", "Account Executive", SELLER, AMERICA, "Kim Akers"),
    ("Sanjay Shah", "Account Executive", SELLER, EUROPE, "Veronica Quek"),
    ("Veronica Quek", "Sales Manager Europe", MANAGER, EUROPE, "Alex Baker"),
    (READER, "Sales Analyst", READ_ONLY, HEAD_OFFICE, "Alex Baker"),
    (APPLICATION_USER, None, SELLER, HEAD_OFFICE, None),
)


@dataclass(frozen=True, slots=True)
class User:
    """A user: a person, or an application when ``application_id`` is set.

    ``object_id`` is the id in the directory (azureactivedirectoryobjectid, the ``oid`` of a token),
    ``application_id`` the client id of an application. ``manager`` is a full name.
    """

    id: str
    object_id: str
    application_id: str | None
    full_name: str
    mail: str
    job_title: str | None
    role: str
    business_unit: str
    manager: str | None

    @property
    def first_name(self) -> str:
        """The first part of the name."""
        return self.full_name.partition(" ")[0]

    @property
    def last_name(self) -> str:
        """The rest of the name."""
        return self.full_name.partition(" ")[2]


def users(seed: int) -> tuple[User, ...]:
    """The users of a seed's company."""
    return tuple(
        User(
            id=fixed_id(seed, "systemuser", name),
            object_id=fixed_id(seed, "object", name),
            application_id=fixed_id(seed, "application", name) if name == APPLICATION_USER else None,
            full_name=name,
            mail=f"{name.lower().replace(' ', '.')}@{MAIL_DOMAIN}",
            job_title=title,
            role=role,
            business_unit=unit,
            manager=manager,
        )
        for name, title, role, unit, manager in _FACTS
    )


def fixed_id(seed: int, kind: str, name: str) -> str:
    """The id of one of the few rows that are known by name."""
    return str(uuid5(_NAMESPACE, f"{seed}/{kind}/{name}"))
