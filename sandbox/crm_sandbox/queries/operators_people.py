"""Condition operators on who asks and on hierarchies.

A table has a hierarchy where a lookup named as its parent leads to the table itself (account:
parentaccountid). In Dataverse an administrator marks one relationship so; these are marked from the start.
https://learn.microsoft.com/power-apps/developer/data-platform/query-hierarchical-data
"""

from __future__ import annotations

from collections.abc import Sequence

from crm_sandbox.queries.operators_values import Builder, Refusal, identifier
from crm_sandbox.queries.sql import Asker, Condition, Operand, any_of
from crm_sandbox.schema.model import Column, Schema, Table
from crm_sandbox.store import quoted

USER_LANGUAGE = 1033
"""English (United States), the language of every user of the sandbox."""
_MOST_RECURSIONS = 100
_OF_TEAMS = "teammembership"


def eq_user(operand: Operand, _values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
    """The user who asks."""
    return Condition(f"({operand.sql} = ?)", (asker.user_id.lower(),))


def eq_business(operand: Operand, _values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
    """The business unit of the user who asks."""
    return Condition(f"({operand.sql} = ?)", (asker.business_unit_id.lower(),))


def eq_role_business(operand: Operand, _values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
    """A business unit that a role of the user who asks belongs to."""
    units = (
        'SELECT "businessunitid" FROM "role" WHERE "roleid" IN '
        '(SELECT "roleid" FROM "systemuserroles" WHERE "systemuserid" = ?)'
    )
    return Condition(f"({operand.sql} IN ({units}))", (asker.user_id.lower(),))


def eq_language(operand: Operand, _values: Sequence[str], _asker: Asker, _schema: Schema) -> Condition:
    """The locale of the user who asks."""
    return Condition(f"({operand.sql} = ?)", (USER_LANGUAGE,))


def eq_teams(operand: Operand, _values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
    """A team of the user who asks."""
    return _one_of(operand, asker.team_ids)


def eq_user_or_teams(operand: Operand, _values: Sequence[str], asker: Asker, _schema: Schema) -> Condition:
    """The user who asks, or a team of that user."""
    return _one_of(operand, (asker.user_id, *asker.team_ids))


def _one_of(operand: Operand, ids: Sequence[str]) -> Condition:
    marks = ",".join("?" * len(ids))
    return Condition(f"({operand.sql} IN ({marks}))", tuple(one.lower() for one in ids))


def eq_reports(operand: Operand, _values: Sequence[str], asker: Asker, schema: Schema) -> Condition:
    """The user who asks, or a user who reports to that one, directly or not."""
    reports = _reports(asker, schema)
    return Condition(f"({operand.sql} IN ({reports.sql}))", reports.values)


def eq_reports_or_teams(operand: Operand, values: Sequence[str], asker: Asker, schema: Schema) -> Condition:
    """The same users, or a team of one of them."""
    reports = _reports(asker, schema)
    teams = f'SELECT "teamid" FROM {quoted(_OF_TEAMS)} WHERE "systemuserid" IN ({reports.sql})'  # noqa: S608 - names of the schema
    return any_of(
        [
            eq_reports(operand, values, asker, schema),
            eq_teams(operand, values, asker, schema),
            Condition(f"({operand.sql} IN ({teams}))", reports.values),
        ]
    )


def _reports(asker: Asker, schema: Schema) -> Condition:
    users = schema["systemuser"]
    manager = hierarchy_of(users)
    if manager is None:
        raise Refusal("the table 'systemuser' has no hierarchy")
    return _line(users, manager, asker.user_id.lower(), upwards=False, itself=True)


def above(*, itself: bool) -> Builder:
    """The rows above a row in its hierarchy."""
    return _along(upwards=True, itself=itself)


def under(*, itself: bool) -> Builder:
    """The rows below a row in its hierarchy."""
    return _along(upwards=False, itself=itself)


def _along(*, upwards: bool, itself: bool) -> Builder:
    def build(operand: Operand, values: Sequence[str], _asker: Asker, schema: Schema) -> Condition:
        table, parent = _hierarchy(operand, schema)
        line = _line(table, parent, identifier(values[0]), upwards=upwards, itself=itself)
        return Condition(f"({operand.sql} IN ({line.sql}))", line.values)

    return build


def hierarchy_of(table: Table) -> Column | None:
    """The lookup that makes a table a hierarchy, or None."""
    for lookup in table.lookups.values():
        column = table.columns[lookup.column]
        if lookup.target == table.name and "parent" in column.name and not column.is_polymorphic:
            return column
    return None


def _hierarchy(operand: Operand, schema: Schema) -> tuple[Table, Column]:
    """The table whose rows a column names, with its hierarchy: the column's own table or a lookup's."""
    column = operand.column
    names = (operand.table.name,) if column.name == operand.table.key else column.targets
    for name in names:
        table = schema.get(name)
        parent = None if table is None else hierarchy_of(table)
        if table is not None and parent is not None:
            return table, parent
    raise Refusal(f"the column '{column.name}' belongs to no hierarchical relationship")


def _line(table: Table, parent: Column, key: str, *, upwards: bool, itself: bool) -> Condition:
    """The keys of the rows above or below one; a ring in the data ends at the limit of recursions."""
    known, wanted = quoted(table.key), quoted(parent.name)
    if not upwards:
        known, wanted = wanted, known
    sql = (
        f"WITH RECURSIVE line(id, depth) AS (SELECT ?, 0 UNION "  # noqa: S608 - names of the schema
        f"SELECT relative.{wanted}, depth + 1 FROM {quoted(table.name)} relative JOIN line "
        f"ON relative.{known} = line.id WHERE depth < {_MOST_RECURSIONS} AND relative.{wanted} IS NOT NULL) "
        f"SELECT id FROM line WHERE depth >= {0 if itself else 1}"
    )
    return Condition(sql, (key,))
