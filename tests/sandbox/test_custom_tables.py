"""Tables that an organisation describes in a file work as the standard ones do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from crm_sandbox import create_app
from crm_sandbox.schema.files import TableFileError
from tests.sandbox.conftest import NOW, Crm, error

pytestmark = pytest.mark.anyio
FILE = Path(__file__).with_name("new_project.toml")
KEY = "0a1b2c3d-0000-4000-8000-0123456789ab"


@pytest.fixture
async def crm(anyio_backend: str) -> AsyncIterator[Crm]:
    app = create_app(now=lambda: NOW, tables=[FILE])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        yield Crm(client, app)
    app.close()


async def test_a_row_of_an_own_table_is_written_and_read(crm: Crm) -> None:
    account = await crm.new("accounts", name="Owner of the project")
    row = await crm.new(
        "new_projects",
        new_name="Roll-out",
        new_budget=12.345,
        new_kickoff="2026-12-01",
        new_tags="9,1",
        new_progress=5,
        **{"new_AccountId@odata.bind": f"/accounts({account['accountid']})"},
    )
    assert row["new_budget"] == 12.345
    assert (row["new_tags"], row["new_isbillable"], row["statecode"]) == ("1,9", False, 0)
    assert row["_new_accountid_value"] == account["accountid"]
    shown = await crm("GET", f"new_projects({row['new_projectid']})", prefer='odata.include-annotations="*"')
    formatted = "@OData.Community.Display.V1.FormattedValue"
    assert shown.json()["new_tags" + formatted] == "Urgent; Strategic"
    assert shown.json()["new_isbillable" + formatted] == "No"
    assert shown.json()["_new_accountid_value" + formatted] == "Owner of the project"
    (found,) = await crm.rows(
        "accounts?$expand=new_account_new_project&$filter=new_account_new_project/any()"
    )
    assert [project["new_name"] for project in found["new_account_new_project"]] == ["Roll-out"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"new_tags": "1,3"}, (400, "0x8004431a")),
        ({"new_tags": 1}, (400, "0x80048d19")),
        ({"new_progress": 101}, (400, "0x8004432f")),
        ({"new_rating": 10.5}, (400, "0x80044330")),
        ({"new_kickoff": "2026-12-01T00:00:00Z"}, (400, "0x80048d19")),
        ({"new_isbillable": 1}, (400, "0x80048d19")),
    ],
)
async def test_values_of_an_own_table_are_checked(
    crm: Crm, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert error(await crm("POST", "new_projects", body)) == expected


async def test_an_alternate_key_names_a_row(crm: Crm) -> None:
    path = "new_projects(new_code='P-1')"
    assert error(await crm("GET", path)) == (404, "0x80060891")
    assert error(await crm("PATCH", path, {"new_name": "x"}, If_Match="*")) == (404, "0x80060891")
    made = await crm("PATCH", path, {"new_name": "One"}, prefer="return=representation")
    assert (made.status_code, made.json()["new_code"]) == (201, "P-1")
    changed = await crm("PATCH", path, {"new_name": "Two"}, prefer="return=representation")
    assert (changed.status_code, changed.json()["new_projectid"]) == (200, made.json()["new_projectid"])
    assert (await crm("GET", path.replace("P-1", "p-1"))).json()["new_name"] == "Two"
    assert error(await crm("POST", "new_projects", {"new_code": "P-1"})) == (412, "0x80060892")
    assert error(await crm("GET", "new_projects(new_name='Two')"))[0] == 400
    assert (await crm("DELETE", path)).status_code == 204


async def test_a_lookup_is_bound_by_an_alternate_key_of_its_target(crm: Crm) -> None:
    await crm.new("new_projects", new_name="By code", new_code="A/1 'x'")
    contact = await crm.new("contacts", lastname="Member")
    answer = await crm(
        "POST",
        f"contacts({contact['contactid']})/new_project_contact/$ref",
        {"@odata.id": "new_projects(new_code='A/1 ''x''')"},
    )
    assert answer.status_code == 204
    expanded = await crm("GET", f"contacts({contact['contactid']})?$expand=new_project_contact")
    assert [row["new_name"] for row in expanded.json()["new_project_contact"]] == ["By code"]


async def test_upsert_multiple_finds_rows_by_alternate_key(crm: Crm) -> None:
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.new_project"}
    await crm.new("new_projects", new_name="Old", new_code="P-1")
    targets = [
        {**kind, "@odata.id": "new_projects(new_code='P-1')", "new_name": "New"},
        {**kind, "@odata.id": "new_projects(new_code='P-2')", "new_name": "Second"},
        {**kind, "new_code": "P-3", "new_name": "Third"},
    ]
    answer = await crm("POST", "new_projects/Microsoft.Dynamics.CRM.UpsertMultiple", {"Targets": targets})
    assert answer.status_code == 204
    rows = await crm.rows("new_projects?$select=new_name,new_code&$orderby=new_code")
    assert [(row["new_code"], row["new_name"]) for row in rows] == [
        ("P-1", "New"),
        ("P-2", "Second"),
        ("P-3", "Third"),
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("label =", "lable ="), "did you mean 'label'"),
        (('type = "Money"', 'type = "Mony"'), "columns.new_budget.type"),
        (('primary_column = "new_name"', 'primary_column = "new_title"'), "none of its columns"),
        (('new_codekey = ["new_code"]', 'new_codekey = ["code"]'), "which is no column"),
        (('table = "account"', 'table = "acount"'), "no table of the sandbox"),
        (('name = "new_project"', 'name = "account"'), "already"),
        (('name = "new_project"', 'name = "new project"'), "name"),
        (('type = "Lookup"', 'type = "String"'), "cannot have targets"),
        (("[keys]", "[keys"), "not TOML"),
    ],
)
def test_a_table_file_with_a_mistake_is_refused_with_the_reason(
    tmp_path: Path, change: tuple[str, str], why: str
) -> None:
    file = tmp_path / "table.toml"
    file.write_text(FILE.read_text().replace(*change, 1))
    with pytest.raises(TableFileError, match=why):
        create_app(tables=[file])


def test_a_table_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableFileError, match=r"nothing\.toml"):
        create_app(tables=[tmp_path / "nothing.toml"])
