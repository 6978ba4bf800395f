"""Totals and searches: narrowed to the rows that the policy allows, over columns that may be read whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crm_server.gateway.narrowing import both
from crm_server.gateway.session import Session
from crm_server.policy.model import Outcome
from crm_tools.errors import UpstreamError
from crm_tools.insight_operations import Aggregate, Search
from crm_tools.operations import Row


class Insights:
    """The totals and searches of one call."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def totals(self, aggregates: Sequence[Aggregate]) -> list[tuple[Row, ...]]:
        """The groups of each question, all on one trip.

        Raises:
            PolicyDeniedError: One of them is not allowed.
            UpstreamError: One of them was not answered.
        """
        narrowed = [await self._narrowed(item) for item in aggregates]
        found: list[tuple[Row, ...]] = []
        for answer in await self._session.client().aggregate_all(narrowed):
            if isinstance(answer, UpstreamError):
                raise answer
            found.append(answer.rows)
        self._session.trail.rows += sum(len(rows) for rows in found)
        return found

    async def _narrowed(self, aggregate: Aggregate) -> Aggregate:
        judgement = await self._session.judge(aggregate)
        await self._session.ask_to_read(aggregate, judgement.decision)
        return replace(aggregate, filter=both(judgement.scope(), aggregate.filter))

    async def search(self, searches: Sequence[Search]) -> list[tuple[str, str]] | None:
        """Table and key of what is found, best first; None where the CRM or the policy offers no search.

        Rows outside of what the policy allows may be among them: what they hold is read by a query of its
        own, which leaves them out.
        """
        if any(self._session.quietly(item).decision.outcome is Outcome.DENIED for item in searches):
            # A policy may allow reading and not searching: what is read is judged by itself.
            return None
        for item in searches:
            judgement = await self._session.judge(item)
            await self._session.ask_to_read(item, judgement.decision)
        return await self._session.client().search(searches)
