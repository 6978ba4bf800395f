"""Adds what the policy narrows a read to: filters on the rows and on those that come along."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from crm_server.policy.judging import Judgement
from crm_server.policy.model import Scope
from crm_tools.operations import Expansion, Fetch, Query
from crm_tools.tables import Table


def narrowed(query: Query, judgement: Judgement) -> Query:
    """The query for the rows that the policy allows, at most as many as it allows."""
    most = judgement.decision.max_rows
    return replace(
        query,
        filter=both(judgement.scope(), query.filter),
        expand=narrowed_expansions(query.expand, judgement),
        top=query.top if most is None else min(query.top, most),
    )


def narrowed_expansions(expansions: tuple[Expansion, ...], judgement: Judgement) -> tuple[Expansion, ...]:
    """The expansions, with a filter where many rows come; a single one cannot be filtered on the way."""
    return tuple(
        replace(item, filter=scope.text)
        if item.many and (scope := judgement.scope(item.name)) is not None
        else item
        for item in expansions
    )


def row_within(fetch: Fetch, table: Table, scope: Scope) -> Query:
    """One row by its key, if it is within the scope."""
    return Query(
        fetch.table,
        fetch.select,
        both(scope, f"{table.key} eq {fetch.key}"),
        expand=fetch.expand,
        top=1,
    )


def rows_within(table: Table, keys: list[str], scope: Scope) -> Query:
    """Those of the rows that are within the scope, by their keys alone.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/in
    """
    values = ",".join(f"'{key}'" for key in keys)
    one_of = f"Microsoft.Dynamics.CRM.In(PropertyName='{table.key}',PropertyValues=[{values}])"
    return Query(table.name, (table.key,), both(scope, one_of), top=len(keys))


def both(scope: Scope | None, text: str | None) -> str | None:
    """A filter for what is within the scope and fits the text as well."""
    if scope is None:
        return text
    return scope.text if text is None else f"({scope.text}) and ({text})"


def stamp(judgement: Judgement) -> str:
    """A digest of what a judgement narrows and masks, to notice that it has changed."""
    parts = [
        f"{access.via}\0{decision.scope.text if decision.scope else ''}\0{sorted(decision.masks.items())}"
        for access, decision in judgement.parts
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
