"""What the policy allows beside what Dataverse allows: tools that cannot work should not be on offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crm_server.doctor.context import Context
from crm_server.doctor.outcomes import Outcome, advised, failed, ok, skipped, warning
from crm_server.policy.decide import closed_by, ruling
from crm_server.policy.model import Effect, Policy
from crm_tools.errors import CrmError, NotFoundError, PrivilegeError
from crm_tools.operations import Action
from crm_tools.standard import ACTIVITY, PEOPLE

KINDS: Mapping[Action, str] = {
    Action.READ: "Read",
    Action.CREATE: "Create",
    Action.UPDATE: "Write",
    Action.DELETE: "Delete",
}
"""Action of the policy -> kind of privilege."""

DEPTHS = {"Basic": "own", "Local": "unit", "Deep": "units below", "Global": "all", "RecordFilter": "some"}
"""How far a privilege goes, in the words of the table.

https://learn.microsoft.com/power-platform/admin/security-roles-privileges#record-level-privileges
"""

_ONLY_READ = PEOPLE | {ACTIVITY}
"""Tables that a policy for every table allows along with the others, and only administrators change."""

_CELL = 22


@dataclass(frozen=True, slots=True)
class Right:
    """One action on one table: the policy's effect, and how far Dataverse lets it go; empty for not at all.

    ``privilege`` is its name there; None where the table has no such privilege. ``expected`` says whether
    somebody who sells should have it.
    """

    effect: Effect
    privilege: str | None
    depth: str
    expected: bool

    @property
    def lacks(self) -> bool:
        """Whether the policy allows what Dataverse refuses."""
        allowed = self.effect is not Effect.DENY
        return self.expected and allowed and self.privilege is not None and not self.depth

    @property
    def cell(self) -> str:
        """What the table shows."""
        policy = "-" if self.effect is Effect.DENY else str(self.effect)
        return f"{policy} / {self.depth or ('none <--' if self.lacks else 'none')}"


Rights = Mapping[str, Mapping[Action, Right]]


async def privileges(context: Context) -> Outcome:
    """Whether the signed-in user has the privileges for what the policy allows."""
    policy, user = context.policy, context.user
    if policy is None or user is None:
        return skipped("it takes the policy and the signed-in user")
    names = _allowed_tables(policy, context)
    try:
        kinds = await context.client.table_privileges(names)
        wanted = [name for of_table in kinds.values() for name in of_table.values()]
        held = await context.client.held_privileges(user, wanted)
    except PrivilegeError:
        return skipped("the signed-in user may not ask for the own privileges; what lacks shows at a call")
    except NotFoundError:
        return skipped("this environment does not tell privileges")
    except CrmError as error:
        return advised(error.message)
    rights = {name: _of_table(policy, name, kinds[name], held) for name in kinds}
    lacking = sorted(
        {str(right.privilege) for row in rights.values() for right in row.values() if right.lacks}
    )
    lines, facts = _lines(rights), _facts(rights)
    if lacking:
        return failed(
            f"the policy allows what Dataverse refuses to the signed-in user, who lacks {', '.join(lacking)}",
            "Give the user a security role with these privileges, or take them out of the policy.",
            lines=lines,
            rights=facts,
            lacking=lacking,
        )
    if missing := [name for name in names if name not in kinds]:
        return warning(
            f"the policy allows tables that this environment does not have: {', '.join(missing)}",
            "Name the tables that there are in DYNAMICS_TABLES, so that no tools are offered for others.",
            lines=lines,
            rights=facts,
            missing=missing,
        )
    return ok("Dataverse allows all that the policy allows", lines=lines, rights=facts)


def _allowed_tables(policy: Policy, context: Context) -> list[str]:
    """The tables with an action that the policy allows; tools' own tables are judged by their use."""
    return [
        name
        for name, table in context.tables.items()
        if not table.is_internal and any(_effect(policy, action, name) is not Effect.DENY for action in KINDS)
    ]


def _effect(policy: Policy, action: Action, table: str) -> Effect:
    return Effect.DENY if closed_by(policy, action) else ruling(policy, action, table).effect


def _of_table(
    policy: Policy, table: str, kinds: Mapping[str, str], held: Mapping[str, str]
) -> dict[Action, Right]:
    found = {}
    for action, kind in KINDS.items():
        name = kinds.get(kind)
        depth = held.get(name, "") if name is not None else ""
        expected = action is Action.READ or table not in _ONLY_READ
        found[action] = Right(_effect(policy, action, table), name, DEPTHS.get(depth, depth), expected)
    return found


def _lines(rights: Rights) -> tuple[str, ...]:
    width = 2 + max((len(name) for name in rights), default=0)
    head = f"{'table':<{width}}" + "".join(f"{action.value:<{_CELL}}" for action in KINDS)
    rows = [
        f"{name:<{width}}" + "".join(f"{right.cell:<{_CELL}}" for right in row.values())
        for name, row in rights.items()
    ]
    return ("what the policy says / how far Dataverse goes", head.rstrip(), *(row.rstrip() for row in rows))


def _facts(rights: Rights) -> dict[str, dict[str, dict[str, str]]]:
    return {
        name: {
            action.value: {"policy": str(right.effect), "dataverse": right.depth or "none"}
            for action, right in row.items()
        }
        for name, row in rights.items()
    }
