"""A sandbox that is served: its file, its snapshots, its trouble."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from crm_sandbox import create_app
from crm_sandbox.hosting import Hosted, Options
from crm_sandbox.opening import StoreFileError
from tests.sandbox.conftest import error

pytestmark = pytest.mark.anyio
ADDRESS = "http://127.0.0.1:8322"
TABLE = Path(__file__).with_name("new_project.toml")


@contextmanager
def hosted(**options: object) -> Iterator[httpx.AsyncClient]:
    """A client of the application that options describe."""
    host = Hosted(Options(**options), 8322)
    try:
        yield httpx.AsyncClient(
            transport=httpx.ASGITransport(app=host.app), base_url=f"{ADDRESS}/api/data/v9.2/"
        )
    finally:
        host.close()


async def names(client: httpx.AsyncClient) -> set[str]:
    answer = await client.get("accounts?$select=name")
    return {row["name"] for row in answer.json()["value"]}


async def test_rows_in_a_file_are_there_again(tmp_path: Path) -> None:
    file = tmp_path / "crm.sqlite"
    with hosted(path=file) as client:
        made = await client.post("accounts", json={"name": "Kept"})
        assert "Fabrikam, Inc." in await names(client)
    with hosted(path=file) as client:
        row = (await client.get(made.headers["OData-EntityId"])).json()
        assert row["name"] == "Kept"
        newer = await client.patch(made.headers["OData-EntityId"], json={"name": "Changed"})
        assert newer.status_code == 204
        assert (await client.get(made.headers["OData-EntityId"])).json()["versionnumber"] > row[
            "versionnumber"
        ]


async def test_reset_at_the_start_brings_the_first_company_back(tmp_path: Path) -> None:
    file = tmp_path / "crm.sqlite"
    with hosted(path=file) as client:
        first = await names(client)
        await client.post("accounts", json={"name": "Gone"})
    with hosted(path=file, reset=True) as client:
        assert await names(client) == first


def test_a_file_that_is_none_of_the_sandbox_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to be looked at " * 20)
    with pytest.raises(StoreFileError, match=r"notes\.txt"):
        Hosted(Options(path=file), 8322)
    assert file.read_text().startswith("not a database")
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    content = other.read_bytes()
    with pytest.raises(StoreFileError, match=r"other\.sqlite"):
        Hosted(Options(path=other), 8322)
    assert other.read_bytes() == content


def test_a_file_with_other_tables_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "crm.sqlite"
    Hosted(Options(path=file), 8322).close()
    with pytest.raises(StoreFileError, match="other tables"):
        Hosted(Options(path=file, tables=(TABLE,)), 8322)


@pytest.mark.parametrize("in_file", [False, True])
async def test_the_control_endpoint_resets_and_restores(tmp_path: Path, in_file: bool) -> None:
    with hosted(control=True, path=tmp_path / "crm.sqlite" if in_file else None) as client:
        first = await names(client)
        await client.post("accounts", json={"name": "One"})
        assert (await client.post(f"{ADDRESS}/sandbox/snapshot", json={"name": "one"})).is_success
        await client.post("accounts", json={"name": "Two"})
        assert (await client.post(f"{ADDRESS}/sandbox/restore", json={"name": "one"})).is_success
        assert await names(client) == first | {"One"}
        assert (await client.post(f"{ADDRESS}/sandbox/reset")).is_success
        assert await names(client) == first
        unknown = await client.post(f"{ADDRESS}/sandbox/restore", json={"name": "two"})
        assert unknown.status_code == 404
        wrong = await client.post(f"{ADDRESS}/sandbox/snapshot", json={"name": "../two"})
        assert wrong.status_code == 400


async def test_the_control_endpoint_is_not_there_unless_asked_for() -> None:
    with hosted() as client:
        assert (await client.get(f"{ADDRESS}/sandbox/requests")).status_code == 404
    with hosted(control=True) as client:
        await client.get("WhoAmI")
        log = (await client.get(f"{ADDRESS}/sandbox/requests")).json()
        assert "WhoAmI" in str(log)


async def test_limits_made_small_refuse_with_the_documented_code() -> None:
    with hosted(limit_requests=2) as client:
        assert (await client.get("WhoAmI")).headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "1"
        await client.get("WhoAmI")
        refused = await client.get("WhoAmI")
        assert error(refused) == (429, "0x80072322")
        assert int(refused.headers["Retry-After"]) > 0


async def test_a_fault_after_the_row_was_stored_leaves_the_row(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[faults]]\nmethod = "POST"\ncount = 1\nwhat = "unavailable"\nstored = true\n')
    with hosted(faults=script) as client:
        assert (await client.post("accounts", json={"name": "Stored"})).status_code == 503
        assert "Stored" in await names(client)
        assert (await client.post("accounts", json={"name": "Second"})).status_code == 204


@pytest.fixture
async def small(anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(accounts=20)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url=f"{ADDRESS}/api/data/v9.2/"
    ) as client:
        yield client
    app.close()


async def test_the_company_has_the_size_that_is_asked_for(small: httpx.AsyncClient) -> None:
    assert len(await names(small)) == 20
