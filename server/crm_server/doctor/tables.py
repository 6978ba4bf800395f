"""The tables and columns that settings and policy name, as the environment has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crm_server.dataverse.metadata import TableDefinition
from crm_server.doctor.context import Context
from crm_server.doctor.local import policy_failed
from crm_server.doctor.outcomes import Outcome, advised, failed, ok
from crm_server.organisation import learn, nearest_table
from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy.model import Policy, Rule
from crm_tools.errors import CrmError, NotFoundError, PrivilegeError
from crm_tools.standard import standard_tables
from crm_tools.tables import Table

_MAY_NOT = failed(
    "the signed-in user may not read what tables are",
    "Give the user a security role that may read the tables' definitions (Entity, Attribute, Relationship), "
    "as every role that Microsoft ships does.",
)


async def tables(context: Context) -> Outcome:
    """Whether the tables' definitions can be read, and the environment has those of DYNAMICS_TABLES."""
    names = context.settings.tables
    if not names:
        try:
            await context.client.definition("account")
        except PrivilegeError:
            return _MAY_NOT
        except CrmError as error:
            return advised(error.message)
        return ok("definitions of tables can be read; DYNAMICS_TABLES is not set")
    learned = await learn(context.client, names, standard_tables())
    for name, unread in learned.unread.items():
        if isinstance(unread, PrivilegeError):
            return _MAY_NOT
        if name in learned.missing:
            nearest = await nearest_table(context.client, name)
            hint = f" Did you mean {nearest}?" if nearest else ""
            return failed(
                f"the environment has no table {name}", f"Correct or remove it in DYNAMICS_TABLES.{hint}"
            )
        return advised(unread.message)
    context.learned = learned.tables
    return ok(f"the environment has {', '.join(names)}", tables=list(names))


async def policy_names(context: Context) -> Outcome:
    """Whether the environment has the tables and columns that the policy names."""
    try:
        policy = load_policy(context.settings.policy, context.tables)
    except PolicyFileError as error:
        return policy_failed(error)
    named = _named(policy, context.tables)
    found: dict[str, TableDefinition] = {}
    for name in named:
        try:
            found[name] = await context.client.definition(name)
        except NotFoundError:
            return failed(
                f"the policy names the table {name}, which this environment does not have",
                "Take it out of the policy, or create the table.",
            )
        except PrivilegeError:
            return _MAY_NOT
        except CrmError as error:
            return advised(error.message)
    missing = sorted(
        f"{name}.{column}"
        for name, columns in named.items()
        for column in _missing(context.tables[name], columns, found[name])
    )
    if missing:
        return failed(
            f"the policy names columns that this environment does not have: {', '.join(missing)}",
            "Correct them in the policy, or create them.",
            missing=missing,
        )
    context.policy = policy
    columns = sum(len(columns) for columns in named.values())
    if not named:
        return ok("the policy names no single table or column")
    return ok(f"the environment has what the policy names: {len(named)} tables, {columns} columns in them")


def _named(policy: Policy, known: Mapping[str, Table]) -> dict[str, frozenset[str]]:
    """Wire names of the columns that a policy names, by table; tables that it names without any too."""
    found: dict[str, frozenset[str]] = {}
    parts: list[Mapping[str, Iterable[str]]] = [policy.audited, policy.hidden]
    for rule in policy.rules:
        parts += [dict.fromkeys(rule.tables or (), ()), *_columns(rule)]
    for part in parts:
        for table, columns in part.items():
            if table in known and not known[table].is_internal:
                found[table] = found.get(table, frozenset()) | frozenset(columns)
    return found


def _columns(rule: Rule) -> list[Mapping[str, Iterable[str]]]:
    conditions = [rule.rows, rule.values]
    return [
        rule.columns or {},
        rule.masked,
        *({table: one.columns for table, one in part.items()} for part in conditions),
    ]


def _missing(table: Table, columns: Iterable[str], definition: TableDefinition) -> Iterable[str]:
    """Columns that are not there; what the environment computes of others has no definition of its own."""
    for name in columns:
        column = table.columns.get(name)
        if column is not None and column.short_name not in definition.columns:
            yield column.short_name
