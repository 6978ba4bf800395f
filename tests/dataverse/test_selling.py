"""Leads are qualified and opportunities closed once, whatever the network does."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from crm_server.dataverse.client import DataverseClient
from crm_tools.acts import Close, Qualify
from crm_tools.errors import ConflictError, NotFoundError, UnavailableError
from crm_tools.operations import Create, Fetch, Query
from tests.dataverse.faulty_crm import FaultyCrm, answer, faulty_crm
from tests.dataverse.test_bad_days import client_of

pytestmark = pytest.mark.anyio
HTML = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>"
FAULTS = [
    "drop",
    "drop after",
    "cut",
    answer(502),
    answer(503),
    answer(504),
    answer(429, retry_after="1"),
    HTML,
]


async def new(client: DataverseClient, table: str, **values: Any) -> str:
    key = str(uuid4())
    await client.create(Create(table, key, values))
    return key


async def count(client: DataverseClient, table: str, condition: str) -> int:
    rows = (await client.query(Query(table, select=(f"{table}id",), filter=condition, top=50))).rows
    return len(rows)


async def new_lead(client: DataverseClient) -> tuple[str, str]:
    name = f"Company {uuid4()}"
    return await new(client, "lead", lastname="Once", companyname=name, subject=name), name


@pytest.mark.parametrize("fault", [None, *FAULTS])
async def test_a_lead_is_qualified_once_and_what_it_became_is_told(fault: Any) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        key, name = await new_lead(client)
        crm.script = [None, fault]
        made = await client.qualify(Qualify(key))
        assert made.keys() == {"account", "contact", "opportunity"}
        account = await client.fetch(Fetch("account", made["account"], ("accountid", "name")))
        assert account["name"] == name
        assert await count(client, "account", f"name eq '{name}'") == 1
        assert await count(client, "opportunity", f"name eq '{name}'") == 1
        await client.aclose()


async def test_only_what_is_wanted_is_made_of_a_lead() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        for fault in (None, "drop after"):
            key, name = await new_lead(client)
            crm.script = [None, fault]
            made = await client.qualify(Qualify(key, account=False, opportunity=False))
            assert made.keys() == {"contact"}
            assert await count(client, "account", f"name eq '{name}'") == 0
        await client.aclose()


@pytest.mark.parametrize("fault", [None, *FAULTS])
@pytest.mark.parametrize(("won", "status", "state"), [(True, 3, 1), (False, 4, 2)])
async def test_an_opportunity_is_closed_once(fault: Any, won: bool, status: int, state: int) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        key = await new(client, "opportunity", name="Once", estimatedvalue=5)
        crm.script = [None, fault]
        await client.close(Close(key, won, status, "It is decided", revenue=7, closed_on="2026-11-20"))
        row = await client.fetch(
            Fetch("opportunity", key, ("statecode", "statuscode", "actualvalue", "actualclosedate"))
        )
        assert (row["statecode"], row["statuscode"]) == (state, status)
        assert (row["actualvalue"], row["actualclosedate"]) == (7, "2026-11-20")
        assert await closes_of(crm, key) == 1
        await client.aclose()


async def closes_of(crm: FaultyCrm, key: str) -> int:
    """How many times an opportunity was closed: each leaves an activity."""
    path = f"/api/data/v9.2/opportunitycloses?$filter=_opportunityid_value eq {key}&$select=subject"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=crm.app)) as client:
        return len((await client.get(crm.url + path)).json()["value"])


async def test_what_is_closed_already_is_told_and_nothing_is_sent() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        opportunity = await new(client, "opportunity", name="Once")
        await client.close(Close(opportunity, True, 3, "Won"))
        lead, _ = await new_lead(client)
        await client.qualify(Qualify(lead))
        crm.seen.clear()
        with pytest.raises(ConflictError, match="The opportunity is won already"):
            await client.close(Close(opportunity, False, 4, "Lost"))
        with pytest.raises(ConflictError, match="The lead is qualified already"):
            await client.qualify(Qualify(lead))
        assert {method for method, _ in crm.seen} == {"GET"}
        await client.aclose()


async def test_a_crm_that_stays_away_leaves_the_outcome_unknown_and_says_so() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        key = await new(client, "opportunity", name="Once")
        crm.script = [None, "drop after", *[answer(503)] * 50]
        with pytest.raises(UnavailableError, match="unknown; read the record"):
            await client.close(Close(key, True, 3, "Won"))
        await client.aclose()


async def test_what_is_not_there_is_not_found() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        with pytest.raises(NotFoundError):
            await client.qualify(Qualify("0a1b2c3d-0000-4000-8000-0123456789ab"))
        await client.aclose()
