"""Reads: only the rows and columns that the policy lets through, and masked columns masked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from crm_server.cursors import Continuation, continuation
from crm_server.dataverse.responses import ResultPage, no_such_row
from crm_server.gateway.masking import shown, without_names
from crm_server.gateway.narrowing import narrowed, narrowed_expansions, row_within, rows_within, stamp
from crm_server.gateway.session import Session
from crm_server.policy.judging import Judgement
from crm_server.policy.model import Scope
from crm_tools.errors import ApprovalError, CrmError, InputError, NotFoundError, PolicyDeniedError
from crm_tools.operations import Expansion, Fetch, Page, Query, Row


class Reads:
    """The reads of one call."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._crm = session.crm

    async def query(self, query: Query) -> Page:
        """Rows that match, at most as many as the policy lets one read return."""
        judgement = await self._session.judge(query)
        await self._session.ask_to_read(query, judgement.decision)
        query = narrowed(query, judgement)
        return await self._page(query, await self._session.client().query(query), judgement)

    async def together(self, queries: Sequence[Query]) -> list[Page | CrmError]:
        """The first page of each query, on one trip; a query that is denied or fails is its error."""
        judged = [await self._attempted(query) for query in queries]
        asked = [item for item in judged if isinstance(item, tuple)]
        answers = iter(await self._session.client().query_all([query for query, _ in asked]) if asked else ())
        found: list[Page | CrmError] = []
        for item in judged:
            if isinstance(item, CrmError):
                found.append(item)
                continue
            answer = next(answers)
            found.append(
                answer if isinstance(answer, CrmError) else await self._page(item[0], answer, item[1])
            )
        return found

    async def _attempted(self, query: Query) -> tuple[Query, Judgement] | CrmError:
        try:
            judgement = await self._session.judge(query)
            await self._session.ask_to_read(query, judgement.decision)
        except (PolicyDeniedError, ApprovalError) as error:
            return error
        return narrowed(query, judgement), judgement

    async def next_page(self, table: str, cursor: str) -> Page:
        """The page a cursor leads to; the policy is asked anew."""
        before = self._crm.cursors.open(cursor, table, self._session.principal.name, self._crm.now())
        judgement = await self._session.judge(before.query)
        if stamp(judgement) != before.stamp:
            raise InputError("The policy has changed since this list began. Run the list again.")
        most = judgement.decision.max_rows
        if most is not None and most < before.query.top:
            raise InputError("The policy now allows fewer rows for one read. Run the list again.")
        await self._session.ask_to_read(before.query, judgement.decision)
        result = await self._session.client().next_page(before.link, before.query.top)
        return await self._page(before.query, result, judgement, before)

    async def fetch(self, fetch: Fetch) -> Row:
        """One row.

        Raises:
            NotFoundError: There is no such row, or the policy does not let it be seen: nobody can tell which.
        """
        judgement = await self._session.judge(fetch)
        await self._session.ask_to_read(fetch, judgement.decision)
        return await self.judged(fetch, judgement)

    async def judged(self, fetch: Fetch, judgement: Judgement) -> Row:
        """One row whose reading has been judged."""
        fetch = replace(fetch, expand=narrowed_expansions(fetch.expand, judgement))
        row = await self.row(fetch, judgement.scope())
        (row,) = await self._without_unseen([row], fetch.expand, judgement)
        return self._shown(row, fetch, judgement)

    async def row(self, fetch: Fetch, scope: Scope | None) -> Row:
        """A row as it is, if it is within the scope. It is not for showing."""
        if scope is None:
            return await self._session.client().fetch(fetch)
        query = row_within(fetch, self._crm.tables[fetch.table], scope)
        rows = (await self._session.client().query(query)).rows
        if not rows:
            raise no_such_row()
        return rows[0]

    async def seen(self, fetch: Fetch) -> Row | None:
        """What may be shown of a row without asking anyone; None when nothing may."""
        judgement = self._session.quietly(fetch)
        if not judgement.decision.allowed:
            return None
        try:
            return await self.judged(fetch, judgement)
        except NotFoundError:
            return None

    async def _page(
        self, query: Query, result: ResultPage, judgement: Judgement, before: Continuation | None = None
    ) -> Page:
        cursor = None
        if (link := result.next_link) is not None:
            following = continuation(query, link, stamp(judgement)) if before is None else before.on(link)
            cursor = self._crm.cursors.seal(following, self._session.principal.name, self._crm.now())
        rows = await self._without_unseen(result.rows, query.expand, judgement)
        shown_rows = tuple(self._shown(row, query, judgement) for row in rows)
        return Page(query, shown_rows, cursor, result.total, result.total_is_floor)

    async def _without_unseen(
        self, rows: Iterable[Row], expansions: tuple[Expansion, ...], judgement: Judgement
    ) -> list[Row]:
        """The rows without those single related rows that the policy does not let be seen."""
        rows = list(rows)
        for item in expansions:
            scope = judgement.scope(item.name)
            if not item.many and scope is not None:
                rows = await self._checked(rows, item, scope)
        return rows

    async def _checked(self, rows: list[Row], item: Expansion, scope: Scope) -> list[Row]:
        table = self._crm.tables[item.table]
        keys = sorted({str(row[item.name][table.key]) for row in rows if row.get(item.name)})
        if not keys:
            return rows
        found = await self._session.client().query(rows_within(table, keys, scope))
        within = {row[table.key] for row in found.rows}
        return [
            {**row, item.name: None}
            if row.get(item.name) and row[item.name][table.key] not in within
            else row
            for row in rows
        ]

    def _shown(self, row: Row, read: Query | Fetch, judgement: Judgement) -> dict[str, Any]:
        answer = self._part(row, read.table, read.select, judgement)
        for item in read.expand:
            related = row.get(item.name)
            if item.many and related:
                answer[item.name] = [
                    self._part(child, item.table, item.select, judgement, item.name) for child in related
                ]
            elif related:
                answer[item.name] = self._part(related, item.table, item.select, judgement, item.name)
        return answer

    def _part(
        self, row: Row, table: str, selected: tuple[str, ...], judgement: Judgement, via: str = ""
    ) -> dict[str, Any]:
        facts = self._crm.tables[table]
        answer = shown(row, facts, selected, judgement.masks(via))
        self._session.note_shown(answer, facts)
        without_names(answer, facts, self._session.may_name)
        return answer
