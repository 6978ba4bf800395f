"""Actions of selling, carried out once: the state is looked at before each try, nothing is repeated blindly.

Dataverse refuses to qualify a lead or to close an opportunity that is no longer open, so a try that was
carried out after all makes the next one fail instead of doubling it.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/actions
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crm_server.dataverse.literals import key, query_string
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse, parse_row, unreadable
from crm_server.dataverse.sender import Sender, UnclearError, checked
from crm_server.dataverse.writing import confirmed
from crm_tools.errors import ConflictError, NotFoundError, UpstreamError
from crm_tools.operations import Action, Row

OPEN = 0
QUALIFIED, DISQUALIFIED = 1, 2
WON, LOST = 1, 2

# Where a qualified lead says what it became.
_BECAME = {
    "account": "_parentaccountid_value",
    "contact": "_parentcontactid_value",
    "opportunity": "_qualifyingopportunityid_value",
}
_LEAD_STATES = {QUALIFIED: "qualified", DISQUALIFIED: "disqualified"}
_OPPORTUNITY_STATES = {WON: "won", LOST: "lost"}


@dataclass(frozen=True, slots=True)
class Qualify:
    """A lead to qualify, and what to make of it. ``status`` is the status reason of the qualified lead."""

    lead: str
    account: bool = True
    contact: bool = True
    opportunity: bool = True
    status: int = 3

    @property
    def wanted(self) -> tuple[str, ...]:
        """The tables of what is made."""
        flags = {"account": self.account, "contact": self.contact, "opportunity": self.opportunity}
        return tuple(table for table, flag in flags.items() if flag)


@dataclass(frozen=True, slots=True)
class Close:
    """An opportunity to close as won or lost.

    ``status`` is the status reason, ``revenue`` the actual value, ``closed_on`` a date as ``2026-12-31``;
    what is None is left to Dataverse.
    """

    opportunity: str
    won: bool
    status: int
    subject: str
    revenue: float | None = None
    closed_on: str | None = None
    note: str | None = None


class Selling:
    """Qualifies leads and closes opportunities of one environment."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def qualify(self, qualify: Qualify) -> Mapping[str, str]:
        """The ids of what was made of the lead, by table.

        Raises:
            ConflictError: The lead is not open.
            UnclearError: Nobody knows whether it was qualified, and the CRM cannot be asked.
            UpstreamError: It was not qualified.
        """
        lead = _Subject("leads", qualify.lead, "lead", tuple(_BECAME.values()), _LEAD_STATES)
        row, response = await self._act(lead, QUALIFIED, _qualify_request(qualify))
        if response is not None:
            return _made(response)
        return {table: row[_BECAME[table]] for table in qualify.wanted if row.get(_BECAME[table])}

    async def close(self, close: Close) -> None:
        """Closes the opportunity.

        Raises:
            ConflictError: It is closed already.
            UnclearError: Nobody knows whether it was closed, and the CRM cannot be asked.
            UpstreamError: It was not closed.
        """
        subject = _Subject("opportunities", close.opportunity, "opportunity", (), _OPPORTUNITY_STATES)
        await self._act(subject, WON if close.won else LOST, _close_request(close))

    async def _act(
        self, subject: _Subject, wanted: int, request: CrmRequest
    ) -> tuple[Row, CrmResponse | None]:
        """The row as it was last looked at, and the answer unless that row tells the outcome."""
        deadline, attempt = self._sender.deadline(), 0

        async def look() -> Row:
            return parse_row(checked(await self._sender.send(subject.request(), deadline)))

        row = await look()
        if row.get("statecode") != OPEN:
            raise subject.closed(row)
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


def _qualify_request(qualify: Qualify) -> CrmRequest:
    body = {
        "CreateAccount": qualify.account,
        "CreateContact": qualify.contact,
        "CreateOpportunity": qualify.opportunity,
        "Status": qualify.status,
    }
    path = f"leads({key(qualify.lead)})/Microsoft.Dynamics.CRM.QualifyLead"
    return CrmRequest("POST", path, Action.UPDATE, body=body)


def _close_request(close: Close) -> CrmRequest:
    given = {
        "actualrevenue": close.revenue,
        "actualend": close.closed_on,
        "description": close.note,
    }
    activity: dict[str, Any] = {
        "subject": close.subject,
        "opportunityid@odata.bind": f"/opportunities({key(close.opportunity)})",
        **{name: value for name, value in given.items() if value is not None},
    }
    name = "WinOpportunity" if close.won else "LoseOpportunity"
    return CrmRequest(
        "POST", name, Action.UPDATE, body={"Status": close.status, "OpportunityClose": activity}
    )


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
