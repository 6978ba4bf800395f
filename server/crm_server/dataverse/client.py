"""The Dataverse client: operations in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_server.dataverse.act_requests import aggregate_request, search_request
from crm_server.dataverse.caching import Cache
from crm_server.dataverse.metadata import (
    TableDefinition,
    definition_requests,
    parse_definition,
    parse_table_names,
    table_names_request,
)
from crm_server.dataverse.reading import Reading
from crm_server.dataverse.requests import (
    CrmRequest,
    build,
    current_organization,
    next_page,
    own_name,
    who_am_i,
)
from crm_server.dataverse.responses import (
    CrmResponse,
    ResultPage,
    parse_hits,
    parse_page,
    parse_row,
)
from crm_server.dataverse.rights import (
    held_requests,
    parse_held,
    parse_roles,
    parse_table_privileges,
    roles_request,
    table_privileges_request,
)
from crm_server.dataverse.selling import Selling
from crm_server.dataverse.sender import Sender, checked
from crm_server.dataverse.versions import NOT_MODIFIED, Versions, if_changed
from crm_server.dataverse.writing import Writing
from crm_server.metering import UNMETERED, Meter
from crm_server.sign_in import callers
from crm_tools.acts import Close, Link, Merge, Qualify
from crm_tools.errors import UpstreamError
from crm_tools.insight_operations import Aggregate, Search
from crm_tools.operations import Create, Delete, Fetch, Query, Row, Update
from crm_tools.tables import Table

if TYPE_CHECKING:
    import httpx

    from crm_server.dataverse.bulk import Bulk


@dataclass(frozen=True, slots=True)
class Environment:
    """What a client is connected to: the organisation's name, what kind of environment it is, and as whom."""

    organization: str
    kind: str
    user: str

    @property
    def described(self) -> str:
        """Organisation and kind as people read them."""
        return f"{self.organization} ({'kind unknown' if self.kind == UNKNOWN_KIND else self.kind})"


# What people call the kinds of environments; the numbers are those of the enumeration OrganizationType.
# https://learn.microsoft.com/dotnet/api/microsoft.xrm.sdk.organization.organizationtype
_SANDBOX, _TRIAL = "sandbox", "trial"
KINDS: Mapping[str, str] = {
    "Customer": "production",
    "0": "production",
    "CustomerTest": _SANDBOX,
    "5": _SANDBOX,
    "CustomerFreeTest": _SANDBOX,
    "6": _SANDBOX,
    "CustomerPreview": "preview",
    "7": "preview",
    "TestDrive": _TRIAL,
    "9": _TRIAL,
    "EmailTrial": _TRIAL,
    "11": _TRIAL,
    "Default": "default environment",
    "12": "default environment",
    "Developer": "developer environment",
    "13": "developer environment",
    "Trial": _TRIAL,
    "14": _TRIAL,
    "Teams": "Teams environment",
    "15": "Teams environment",
}
UNKNOWN_KIND = "unknown"


MOST_IN_ONE_TRIP = 50
# Search is switched on by an administrator, for the environment (else 404 or 501) and for tables and columns
# (else 400). https://learn.microsoft.com/power-apps/developer/data-platform/search/overview
_NO_SEARCH = frozenset({400, 404, 501})
DEFINITION_SECONDS = 15 * 60.0
MOST_DEFINITIONS = 1_000


class DataverseClient:
    """Works on the tables of one environment. Each method may raise an ``UpstreamError``."""

    def __init__(self, sender: Sender, tables: Mapping[str, Table]) -> None:
        self._sender = sender
        self._tables = tables
        self._reading = Reading(sender)
        self._writing = Writing(sender, tables)
        self._selling = Selling(sender, tables)
        self._versions = Versions(tables)
        # Labels are in the user's language, so each caller has definitions of their own.
        self._definitions: Cache[tuple[str, str], TableDefinition] = Cache(
            DEFINITION_SECONDS, MOST_DEFINITIONS, sender.clock
        )

    async def query(self, query: Query) -> ResultPage:
        """The first page of rows."""
        return parse_page(await self._success(build(query, self._tables)))

    async def next_page(self, link: str, page_size: int) -> ResultPage:
        """The page behind a nextLink."""
        return parse_page(await self._success(next_page(link, page_size)))

    async def fetch(self, fetch: Fetch) -> Row:
        """One row; one that was read before is sent again only if it has changed."""
        request = build(fetch, self._tables)
        if not self._versions.tell_all_of(fetch):
            return parse_row(await self._success(request))
        known = self._versions.known(request.path)
        response = await self._reading.read(if_changed(request, known))
        if known is not None and response.status == NOT_MODIFIED:
            return known
        row = parse_row(checked(response))
        self._versions.keep(request.path, row)
        return row

    async def create(self, create: Create) -> Row:
        """The created row; after an unclear outcome the row is looked at before anything is sent again."""
        return await self._writing.create(create)

    async def update(self, update: Update) -> Row:
        """The changed row; after an unclear outcome as :meth:`create`."""
        return await self._writing.update(update)

    async def delete(self, delete: Delete) -> None:
        """Deletes the row; after an unclear outcome as :meth:`create`."""
        await self._writing.delete(delete)

    async def qualify(self, qualify: Qualify) -> Mapping[str, str]:
        """Ids of what was made of a lead, by table; the lead is looked at before each try."""
        return await self._selling.qualify(qualify)

    async def close(self, close: Close) -> None:
        """Closes an opportunity as won or lost; it is looked at before each try."""
        await self._selling.close(close)

    async def merge(self, merge: Merge) -> None:
        """Merges two records; the one that goes is looked at before each try."""
        await self._selling.merge(merge)

    async def link(self, link: Link) -> None:
        """Connects two records, or takes them apart."""
        await self._selling.link(link)

    async def query_all(self, queries: Sequence[Query]) -> list[ResultPage | UpstreamError]:
        """The first page of each query, on one trip; the error of one does not keep the others."""
        return await self._all([build(query, self._tables) for query in queries])

    async def aggregate_all(self, aggregates: Sequence[Aggregate]) -> list[ResultPage | UpstreamError]:
        """The totals of each question, on one trip."""
        return await self._all([aggregate_request(item, self._tables) for item in aggregates])

    async def search(self, searches: Sequence[Search]) -> list[tuple[str, str]] | None:
        """Table and key of what Dataverse search finds, best first; None where it is not offered."""
        response = await self._reading.read(search_request(searches))
        if response.status in _NO_SEARCH:
            return None
        return parse_hits(checked(response))

    async def _all(self, requests: Sequence[CrmRequest]) -> list[ResultPage | UpstreamError]:
        if len(requests) == 1:
            return [_page_or_error(await self._reading.read(requests[0]))]
        found: list[ResultPage | UpstreamError] = []
        for start in range(0, len(requests), MOST_IN_ONE_TRIP):
            answers = await self._reading.together(requests[start : start + MOST_IN_ONE_TRIP])
            found += [_page_or_error(answer) for answer in answers]
        return found

    def bulk(self) -> Bulk:
        """Carries jobs of many rows out; see :class:`~crm_server.dataverse.bulk.Bulk`."""
        # Loaded by the first job: few calls have one.
        from crm_server.dataverse.bulk import Bulk

        return Bulk(self._sender, self._tables)

    async def definition(self, table: str) -> TableDefinition:
        """What a table of this environment is, by its logical name; read in one trip and kept for a while."""

        async def load() -> TableDefinition:
            return parse_definition(table, await self._reading.together(definition_requests(table)))

        return await self._definitions.get((callers.key(), table), load)

    async def table_names(self) -> tuple[str, ...]:
        """The logical names of all tables of this environment."""
        return parse_table_names(await self._reading.read(table_names_request()))

    async def table_privileges(self, tables: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """The names of the privileges of those of the tables that there are, by table and kind."""
        answers = await self._reading.together([table_privileges_request(table) for table in tables])
        asked = zip(tables, answers, strict=True)
        return {table: parse_table_privileges(answer) for table, answer in asked if answer.status != 404}

    async def held_privileges(self, user: str, names: Iterable[str]) -> Mapping[str, str]:
        """Those among the named privileges that a user has, and how deep each goes."""
        return parse_held([await self._reading.read(request) for request in held_requests(user, names)])

    async def roles_of(self, user: str) -> tuple[str, ...]:
        """The names of a user's own security roles; teams may bring more."""
        return parse_roles(await self._reading.read(roles_request(user)))

    def forget_definitions(self) -> None:
        """Let definitions of tables be read anew."""
        self._definitions.forget()

    async def who_am_i(self) -> Mapping[str, Any]:
        """Ids of the signed-in user, business unit and organisation."""
        return parse_row(await self._success(who_am_i()))

    async def identify(self) -> Environment:
        """Which organisation this is, of which kind, and who is signed in, on one trip."""
        who, organization, named = await self._reading.together(
            [who_am_i(), current_organization(), own_name()]
        )
        user_id = parse_row(checked(who)).get("UserId")
        details = parse_row(checked(organization)).get("Detail")
        found = details if isinstance(details, dict) else {}
        return Environment(
            organization=str(found.get("FriendlyName") or "an organisation without a name"),
            kind=KINDS.get(str(found.get("OrganizationType")), UNKNOWN_KIND),
            user=_name_in(named) or str(user_id),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._sender.aclose()

    async def _success(self, request: CrmRequest) -> CrmResponse:
        return checked(await self._reading.read(request))


def _page_or_error(response: CrmResponse) -> ResultPage | UpstreamError:
    try:
        return parse_page(checked(response))
    except UpstreamError as error:
        return error


def _name_in(users: CrmResponse) -> str | None:
    """The name of the only user; none where a security role does not let users be read."""
    if 400 <= users.status < 500:
        return None
    rows = parse_page(checked(users)).rows
    name = rows[0].get("fullname") if rows else None
    return name if isinstance(name, str) else None


def open_client(
    *,
    base_url: str,
    tables: Mapping[str, Table],
    auth: httpx.Auth | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    private_network: bool = False,
    meter: Meter = UNMETERED,
) -> DataverseClient:
    """A client of the environment at ``base_url``, such as ``https://contoso.crm.dynamics.com``."""
    sender = Sender(base_url, auth, transport, private_network=private_network, meter=meter)
    return DataverseClient(sender, tables)
