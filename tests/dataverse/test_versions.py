"""A row that was read before: asked for every time, sent again only when it has changed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from crm_sandbox import create_app
from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.sender import Sender
from crm_server.dataverse.versions import MOST_ROWS, Versions
from crm_server.sign_in.callers import Caller, called_by
from crm_tools.description import load
from crm_tools.errors import NotFoundError
from crm_tools.operations import Delete, Expansion, Fetch, Query, Update

pytestmark = pytest.mark.anyio
TABLES = load().tables


class Watching(httpx.AsyncBaseTransport):
    """The sandbox, and the status and size of each of its answers."""

    def __init__(self) -> None:
        self.app = create_app()
        self.inner = httpx.ASGITransport(app=self.app)
        self.seen: list[tuple[int, str | None]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        self.seen.append((answer.status_code, request.headers.get("if-none-match")))
        return answer


@pytest.fixture
def crm() -> Any:
    transport = Watching()
    yield DataverseClient(Sender("https://crm.example", transport=transport), TABLES), transport
    transport.app.close()


async def some_account(client: DataverseClient) -> str:
    (row,) = (await client.query(Query("account", select=("accountid",), top=1))).rows
    return str(row["accountid"])


async def test_a_row_that_has_not_changed_is_not_sent_again(crm: Any) -> None:
    client, transport = crm
    fetch = Fetch("account", await some_account(client), ("name", "telephone1"))
    first = await client.fetch(fetch)
    assert await client.fetch(fetch) == first
    assert transport.seen[-2:] == [(200, None), (304, first["@odata.etag"])]


async def test_a_row_that_has_changed_is_shown_as_it_is(crm: Any) -> None:
    client, transport = crm
    key = await some_account(client)
    fetch = Fetch("account", key, ("name", "telephone1"))
    await client.fetch(fetch)
    await client.update(Update("account", key, {"telephone1": "555-0199"}))
    assert (await client.fetch(fetch))["telephone1"] == "555-0199"
    assert (await client.fetch(fetch))["telephone1"] == "555-0199"
    assert [status for status, _ in transport.seen[-2:]] == [200, 304]


async def test_a_row_that_is_gone_is_not_found(crm: Any) -> None:
    client, _ = crm
    key = await some_account(client)
    await client.fetch(Fetch("account", key, ("name",)))
    await client.delete(Delete("account", key))
    with pytest.raises(NotFoundError):
        await client.fetch(Fetch("account", key, ("name",)))


async def test_other_columns_are_another_question(crm: Any) -> None:
    client, transport = crm
    key = await some_account(client)
    await client.fetch(Fetch("account", key, ("name",)))
    assert "telephone1" in await client.fetch(Fetch("account", key, ("name", "telephone1")))
    assert transport.seen[-1] == (200, None)


PEOPLE = Expansion(
    "contact_customer_accounts", "contact", ("fullname",), "_parentcustomerid_value", many=True
)


@pytest.mark.parametrize(
    ("select", "expand"),
    [
        (("name", "_primarycontactid_value"), ()),
        (("name",), (PEOPLE,)),
        (("name", "importsequencenumber"), ()),
        (("name", "statecode"), ()),
        (("revenue",), ()),
        ((), ()),
    ],
)
async def test_what_may_change_without_the_row_is_always_sent(crm: Any, select: Any, expand: Any) -> None:
    client, transport = crm
    fetch = Fetch("account", await some_account(client), select, expand)
    await client.fetch(fetch)
    await client.fetch(fetch)
    assert transport.seen[-2:] == [(200, None)] * 2


async def test_a_caller_is_never_given_what_another_one_read(crm: Any) -> None:
    client, transport = crm
    fetch = Fetch("account", await some_account(client), ("name",))
    for name in "ab":
        with called_by(Caller("a name of many", subject=name)):
            await client.fetch(fetch)
    assert transport.seen[-2:] == [(200, None)] * 2


def test_what_was_read_longest_ago_is_forgotten() -> None:
    versions = Versions(TABLES)
    for number in range(MOST_ROWS + 1):
        versions.keep(f"accounts({number})", {"@odata.etag": f'W/"{number}"'})
    assert versions.known("accounts(0)") is None
    assert versions.known("accounts(1)") is not None
