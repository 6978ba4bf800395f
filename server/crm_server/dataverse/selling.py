"""Actions of selling, carried out once: the state is looked at before each try, nothing is repeated blindly.

Dataverse refuses to qualify a lead or to close an opportunity that is no longer open, so a try that was
carried out after all makes the next one fail instead of doubling it.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/actions
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from crm_server.dataverse.act_requests import act_request
from crm_server.dataverse.literals import key, query_string
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse, parse_row, unreadable
from crm_server.dataverse.sender import Sender, UnclearError, checked
from crm_server.dataverse.writing import Writing, confirmed
from crm_tools.acts import DISQUALIFIED, LOST, OPEN, QUALIFIED, WON, Close, Link, Merge, Qualify
from crm_tools.errors import ConflictError, NotFoundError, UpstreamError
from crm_tools.operations import Action, Binding, Row, Update
from crm_tools.tables import Table

# Where a qualified lead says what it became.
_BECAME = {
    "account": "_parentaccountid_value",
    "contact": "_parentcontactid_value",
    "opportunity": "_qualifyingopportunityid_value",
}
_LEAD_STATES = {QUALIFIED: "qualified", DISQUALIFIED: "disqualified"}
_MERGED = {1: "inactive", 2: "closed"}
_OPPORTUNITY_STATES = {WON: "won", LOST: "lost"}


class Selling:
    """Qualifies leads, closes opportunities and merges and links records of one environment."""

    def __init__(self, sender: Sender, tables: Mapping[str, Table]) -> None:
        self._sender = sender
        self._tables = tables
        self._writing = Writing(sender, tables)

    async def qualify(self, qualify: Qualify) -> Mapping[str, str]:
        """The ids of what was made of the lead, by table.

        Raises:
            ConflictError: The lead is not open.
            UnclearError: Nobody knows whether it was qualified, and the CRM cannot be asked.
            UpstreamError: It was not qualified.
        """
        lead = _Subject("leads", qualify.key, "lead", tuple(_BECAME.values()), _LEAD_STATES)
        if not qualify.uses:
            return await self._qualified(qualify, lead)
        before = await self._open_row(lead, self._sender.deadline())
        await self._writing.update(_linked(qualify, qualify.links))
        try:
            return await self._qualified(qualify, lead)
        except UnclearError:
            raise
        except UpstreamError as refusal:
            await self._put_back(_linked(qualify, before), refusal)
            raise

    async def _qualified(self, qualify: Qualify, lead: _Subject) -> Mapping[str, str]:
        row, response = await self._act(lead, QUALIFIED, act_request(qualify, self._tables))
        if response is not None:
            return _made(response)
        return {table: row[_BECAME[table]] for table in qualify.wanted if row.get(_BECAME[table])}

    async def _put_back(self, links: Update, refusal: UpstreamError) -> None:
        """Link a lead that was not qualified to what it was linked to before.

        Raises:
            UnclearError: That failed as well: one half is done.
        """
        try:
            await self._writing.update(links)
        except UpstreamError:
            raise UnclearError(
                f"{refusal.message} The lead is not qualified, but it may be linked to the account and the "
                "contact that were to be used: read it, and set parentaccountid and parentcontactid right.",
                status=refusal.status,
                crm_code=refusal.crm_code,
                request_id=refusal.request_id,
            ) from None

    async def close(self, close: Close) -> None:
        """Closes the opportunity.

        Raises:
            ConflictError: It is closed already.
            UnclearError: Nobody knows whether it was closed, and the CRM cannot be asked.
            UpstreamError: It was not closed.
        """
        subject = _Subject("opportunities", close.key, "opportunity", (), _OPPORTUNITY_STATES)
        await self._act(subject, WON if close.won else LOST, act_request(close, self._tables))

    async def merge(self, merge: Merge) -> None:
        """Merges two records.

        Raises:
            ConflictError: The one that goes is not active any more.
            UnclearError: Nobody knows whether they were merged, and the CRM cannot be asked.
            UpstreamError: They were not merged.
        """
        table = self._tables[merge.table]
        label = f"{table.label.lower()} to be merged"
        subject = _Subject(table.entity_set, merge.key, label, (), _MERGED)
        await self._act(subject, merge.written["statecode"], act_request(merge, self._tables))

    async def link(self, link: Link) -> None:
        """Connects two records, or takes them apart.

        Raises:
            UnclearError: Nobody knows whether it was done.
            UpstreamError: It was not done.
        """
        request = act_request(link, self._tables, self._sender.base_url)
        checked(confirmed(await self._sender.send(request, self._sender.deadline())))

    async def _act(
        self, subject: _Subject, wanted: int, request: CrmRequest
    ) -> tuple[Row, CrmResponse | None]:
        """The row as it was last looked at, and the answer unless that row tells the outcome."""
        deadline, attempt = self._sender.deadline(), 0

        async def look() -> Row:
            return await self._row(subject, deadline)

        row = await self._open_row(subject, deadline)
        while True:
            attempt += 1
            try:
                response = confirmed(await self._sender.send(request, deadline))
            except UnclearError as unclear:
                row = await self._looked_again(look, unclear)
                if subject.is_now(row, wanted):
                    return row, None
                await self._sender.wait(attempt, deadline, unclear)
                continue
            if attempt > 1 and response.status >= 400:
                # The earlier try may have been carried out after it had been looked for.
                row = await self._looked_again(look, UnclearError("unclear"))
                if subject.is_now(row, wanted):
                    return row, None
            return row, checked(response)

    async def _row(self, subject: _Subject, deadline: float) -> Row:
        return parse_row(checked(await self._sender.send(subject.request(), deadline)))

    async def _open_row(self, subject: _Subject, deadline: float) -> Row:
        row = await self._row(subject, deadline)
        if row.get("statecode") != OPEN:
            raise subject.closed(row)
        return row

    async def _looked_again(self, look: Callable[[], Awaitable[Row]], unclear: UnclearError) -> Row:
        try:
            return await look()
        except NotFoundError:
            raise
        except UpstreamError:
            raise unclear from None


@dataclass(frozen=True, slots=True)
class _Subject:
    """The row that an action closes: where it is, what tells the outcome, what its states are called."""

    entity_set: str
    row_key: str
    label: str
    columns: tuple[str, ...]
    states: Mapping[int, str]

    def request(self) -> CrmRequest:
        options = query_string([("$select", ",".join(("statecode", *self.columns)))])
        return CrmRequest("GET", f"{self.entity_set}({key(self.row_key)})?{options}", Action.READ)

    def is_now(self, row: Row, wanted: int) -> bool:
        """Whether the row has the state that was wanted, or is still open.

        Raises:
            ConflictError: It has another state.
        """
        if row.get("statecode") == wanted:
            return True
        if row.get("statecode") == OPEN:
            return False
        raise self.closed(row)

    def closed(self, row: Row) -> ConflictError:
        state = row.get("statecode")
        named = self.states.get(state, "closed") if isinstance(state, int) else "closed"
        return ConflictError(
            f"The {self.label} is {named} already. Nothing was changed; read it and decide anew."
        )


def _linked(qualify: Qualify, keys: Mapping[str, str | None]) -> Update:
    """The lead's links to what is used, set to these keys."""
    bindings = [
        Binding(f"parent{table}id", column, table, keys.get(column))
        for table, column in zip(qualify.uses, qualify.links, strict=True)
    ]
    return Update(qualify.table, qualify.key, {}, tuple(bindings))


def _made(response: CrmResponse) -> dict[str, str]:
    """Table and key of each reference in the answer to QualifyLead."""
    references = parse_row(response).get("value")
    if not isinstance(references, list):
        raise unreadable(response)
    made: dict[str, str] = {}
    for reference in references:
        table = str(reference.get("@odata.type", "")).rpartition(".")[2]
        made[table] = str(reference.get(f"{table}id", ""))
    return made
