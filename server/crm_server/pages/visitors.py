"""Who looks at the page, and what they may do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from crm_server.authorization.rules import WRITE
from crm_server.settings import APPROVE
from crm_tools.outside_text import line

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may see the page.

    ``name`` is the one that the policy and the audit have of a caller, so that somebody's own plans and
    changes are known as theirs; ``shown`` is what people call them. ``writes`` says that a token of theirs
    was seen that is good for changing the CRM.
    """

    name: str
    shown: str
    approves: bool
    writes: bool = False
    roles: frozenset[str] = frozenset()

    @property
    def said(self) -> str:
        """How a decision names them: for people, and without a doubt."""
        return self.name if self.shown == self.name else f"{self.shown} ({self.name})"


@dataclass(frozen=True, slots=True)
class Admission:
    """What lets somebody see the page: ``grants`` says of roles, groups and scopes what they are good for.

    ``known_roles`` are those that the policy names. A visitor keeps no others: they stand in a cookie, and
    somebody can be in hundreds of groups.
    """

    grants: Mapping[str, str]
    known_roles: Callable[[], Collection[str]] = tuple

    def visitor(
        self, name: str, shown: str, roles: Collection[str], scopes: Collection[str]
    ) -> Visitor | None:
        """The visitor who holds these; None where none of it is good for the page."""
        granted = {self.grants[one] for one in (*roles, *scopes) if one in self.grants}
        if not granted:
            return None
        return Visitor(
            name,
            line(shown)[:_LONGEST_NAME].strip() or name,
            approves=APPROVE in granted,
            writes=WRITE in scopes,
            roles=frozenset(roles).intersection(self.known_roles()),
        )
