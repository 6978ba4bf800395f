"""Pure builders: from an operation to the request that carries it out. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_server.dataverse.literals import key, query_string
from crm_tools.operations import Action, Binding, Create, Delete, Expansion, Fetch, Operation, Query, Update
from crm_tools.shaping import MOST_RELATED
from crm_tools.tables import Table

ANNOTATIONS = 'odata.include-annotations="*"'
REPRESENTATION = "return=representation"


@dataclass(frozen=True, slots=True)
class CrmRequest:
    """A request as a value. ``path`` is relative to the service root and already encoded.

    ``action`` decides how the request may be repeated. ``content`` is a body that is not JSON.
    """

    method: str
    path: str
    action: Action
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content: bytes | None = None


def build(operation: Operation, tables: Mapping[str, Table]) -> CrmRequest:
    """The request of an operation."""
    table = tables[operation.table]
    match operation:
        case Query():
            return _query(operation, table)
        case Fetch():
            options = [("$select", ",".join(operation.select))] if operation.select else []
            options += _expand(operation.expand)
            path = _row(table, operation.key) + (f"?{query_string(options)}" if options else "")
            return CrmRequest("GET", path, Action.READ, {"Prefer": ANNOTATIONS})
        case Create():
            body = _target(operation, table, tables)
            path = table.entity_set + _returning(operation.returning)
            return CrmRequest("POST", path, Action.CREATE, _prefer(operation.returning), body)
        case Update():
            body = {**operation.values, **_bound(operation.bindings, tables)}
            path = _row(table, operation.key) + _returning(operation.returning)
            # If-Match keeps a mistyped key from becoming a new row: PATCH without it is an upsert.
            headers = {"If-Match": operation.etag or "*", **_prefer(operation.returning)}
            return CrmRequest("PATCH", path, Action.UPDATE, headers, body)
        case Delete():
            headers = {"If-Match": operation.etag or "*"}
            return CrmRequest("DELETE", _row(table, operation.key), Action.DELETE, headers)


def next_page(link: str, page_size: int) -> CrmRequest:
    """The page behind a nextLink, which is sent back unchanged and with the same page size.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/page-results
    """
    return CrmRequest("GET", link, Action.READ, _page_headers(page_size))


def who_am_i() -> CrmRequest:
    """Who is signed in."""
    return CrmRequest("GET", "WhoAmI", Action.READ)


def create_multiple(creates: Sequence[Create], tables: Mapping[str, Table]) -> CrmRequest:
    """Create rows of one table: on a standard table all of them, or none.

    https://learn.microsoft.com/power-apps/developer/data-platform/bulk-operations
    """
    return _multiple("CreateMultiple", creates, Action.CREATE, tables)


def update_multiple(updates: Sequence[Update], tables: Mapping[str, Table]) -> CrmRequest:
    """Change rows of one table that exist: on a standard table all of them, or none."""
    return _multiple("UpdateMultiple", updates, Action.UPDATE, tables)


def rows_with_keys(table: Table, keys: Sequence[str], columns: Sequence[str]) -> CrmRequest:
    """Those of the rows that exist. An address may have 32 KB: about 500 keys.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/in
    """
    values = ",".join(f"'{key(item)}'" for item in keys)
    options = [
        ("$select", ",".join(columns)),
        ("$filter", f"Microsoft.Dynamics.CRM.In(PropertyName='{table.key}',PropertyValues=[{values}])"),
    ]
    path = f"{table.entity_set}?{query_string(options)}"
    return CrmRequest("GET", path, Action.READ, {"Prefer": f"odata.maxpagesize={len(keys)}"})


def current_organization() -> CrmRequest:
    """The organisation of the environment.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrievecurrentorganization
    """
    kind = "Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    path = f"RetrieveCurrentOrganization(AccessType=@p1)?{query_string([('@p1', kind)])}"
    return CrmRequest("GET", path, Action.READ)


def own_name() -> CrmRequest:
    """The name of the signed-in user, asked for without knowing the id.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/equaluserid
    """
    own = "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='systemuserid')"
    options = query_string([("$select", "fullname"), ("$filter", own)])
    return CrmRequest("GET", f"systemusers?{options}", Action.READ)


def _multiple(
    message: str, writes: Sequence[Create | Update], action: Action, tables: Mapping[str, Table]
) -> CrmRequest:
    table = tables[writes[0].table]
    kind = {"@odata.type": f"Microsoft.Dynamics.CRM.{table.name}"}
    targets = [kind | _target(write, table, tables) for write in writes]
    path = f"{table.entity_set}/Microsoft.Dynamics.CRM.{message}"
    return CrmRequest("POST", path, action, {}, {"Targets": targets})


def _target(write: Create | Update, table: Table, tables: Mapping[str, Table]) -> dict[str, Any]:
    return {table.key: write.key, **write.values, **_bound(write.bindings, tables)}


def _query(query: Query, table: Table) -> CrmRequest:
    options = [("$select", ",".join(query.select))] if query.select else []
    if query.filter:
        options.append(("$filter", query.filter))
    if query.orderby:
        keys = ",".join(f"{item.path} {'desc' if item.descending else 'asc'}" for item in query.orderby)
        options.append(("$orderby", keys))
    options += _expand(query.expand)
    if query.count:
        options.append(("$count", "true"))
    path = table.entity_set + (f"?{query_string(options)}" if options else "")
    return CrmRequest("GET", path, Action.READ, _page_headers(query.top))


def _page_headers(size: int) -> dict[str, str]:
    # Not $top: only a page size makes Dataverse say whether there is more.
    return {"Prefer": f"odata.maxpagesize={size},{ANNOTATIONS}"}


def _expand(expansions: tuple[Expansion, ...]) -> list[tuple[str, str]]:
    if not expansions:
        return []
    return [("$expand", ",".join(_expansion(item) for item in expansions))]


def _expansion(item: Expansion) -> str:
    # One row more than is shown tells whether there are more.
    top = f";$top={MOST_RELATED + 1}" if item.many else ""
    narrowed = f";$filter={item.filter}" if item.filter else ""
    return f"{item.name}($select={','.join(item.select)}{narrowed}{top})"


def _row(table: Table, row_key: str) -> str:
    return f"{table.entity_set}({key(row_key)})"


def _returning(columns: tuple[str, ...]) -> str:
    return f"?{query_string([('$select', ','.join(columns))])}" if columns else ""


def _prefer(columns: tuple[str, ...]) -> dict[str, str]:
    return {"Prefer": f"{REPRESENTATION},{ANNOTATIONS}"} if columns else {}


def _bound(bindings: tuple[Binding, ...], tables: Mapping[str, Table]) -> dict[str, str | None]:
    return {
        f"{item.navigation}@odata.bind": None
        if item.key is None
        else f"/{tables[item.table].entity_set}({key(item.key)})"
        for item in bindings
    }
