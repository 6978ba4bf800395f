"""Security roles limit users, and administrators may act for others."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sandbox import session
from tests.sandbox.conftest import Crm, error

pytestmark = pytest.mark.anyio
OBJECT_ID = "1f1f1f1f-0000-4000-8000-0123456789ab"


async def user(crm: Crm, *roles: str) -> dict[str, Any]:
    """A new user with roles, who can be acted for."""
    unit = (await crm.rows("businessunits?$top=1"))[0]["businessunitid"]
    made = await crm.new(
        "systemusers",
        firstname="Someone",
        lastname="New",
        azureactivedirectoryobjectid=OBJECT_ID,
        **{"businessunitid@odata.bind": f"/businessunits({unit})"},
    )
    for name in roles:
        role = await crm.new("roles", name=name)
        path = f"systemusers({made['systemuserid']})/systemuserroles_association/$ref"
        await crm("POST", path, {"@odata.id": f"roles({role['roleid']})"})
    return made


async def test_a_reader_reads_and_may_not_write(crm: Crm) -> None:
    await user(crm, "Read only")
    account = (await crm.rows("accounts?$top=1", CallerObjectId=OBJECT_ID))[0]["accountid"]
    for method, path, body in (
        ("POST", "accounts", {"name": "x"}),
        ("PATCH", f"accounts({account})", {"name": "x"}),
        ("PUT", f"accounts({account})/name", {"value": "x"}),
        ("DELETE", f"accounts({account})", None),
        ("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple",
         {"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "x"}]}),
    ):  # fmt: skip
        answer = await crm(method, path, body, CallerObjectId=OBJECT_ID)
        assert error(answer) == (403, "0x80040220"), path
        assert "privilege" in answer.text


async def test_a_salesperson_sells_but_does_not_delete(crm: Crm) -> None:
    await user(crm, "Salesperson")
    made = await crm("POST", "leads", {"lastname": "x"}, CallerObjectId=OBJECT_ID)
    assert made.status_code == 204
    answer = await crm("DELETE", made.headers["OData-EntityId"], CallerObjectId=OBJECT_ID)
    assert error(answer) == (403, "0x80040220")
    assert error(await crm("POST", "teams", {"name": "x"}, CallerObjectId=OBJECT_ID))[0] == 403


async def test_a_user_without_a_role_sees_nothing(crm: Crm) -> None:
    await user(crm)
    assert error(await crm("GET", "accounts", CallerObjectId=OBJECT_ID)) == (403, "0x80040220")


async def test_what_is_done_for_another_is_done_as_them(crm: Crm) -> None:
    other = (await user(crm, "Salesperson"))["systemuserid"]
    assert (await crm("GET", "WhoAmI", CallerObjectId=OBJECT_ID)).json()["UserId"] == other
    assert (await crm("GET", "WhoAmI", MSCRMCallerID=other)).json()["UserId"] == other
    made = await crm("POST", "accounts", {"name": "x"}, CallerObjectId=OBJECT_ID)
    row = (await crm("GET", made.headers["OData-EntityId"])).json()
    assert {row["_ownerid_value"], row["_createdby_value"], row["_owninguser_value"]} == {other}


async def test_only_an_administrator_acts_for_others_and_only_for_users(crm: Crm) -> None:
    seller = (await user(crm, "Salesperson"))["systemuserid"]
    nobody = await crm("GET", "WhoAmI", CallerObjectId="00000000-0000-0000-0000-00000000dead")
    assert error(nobody) == (403, "0x80072560")
    assert error(await crm("GET", "WhoAmI", CallerObjectId="x' OR 1=1 --")) == (403, "0x80072560")
    access = await crm(
        "GET",
        f"systemusers({seller})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)"
        f"?@t={{'@odata.id':'systemusers({seller})'}}",
    )
    assert access.json()["AccessRights"] == "ReadAccess"


async def test_a_disabled_user_is_refused(crm: Crm) -> None:
    made = await user(crm, "Salesperson")
    await crm("PATCH", f"systemusers({made['systemuserid']})", {"isdisabled": True})
    assert error(await crm("GET", "WhoAmI", CallerObjectId=OBJECT_ID)) == (403, "0x80072560")


@pytest.fixture
async def seller(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A user who may read the tables of selling, and no others: no users, units or currencies."""
    role = (frozenset({session.Privilege.READ}), frozenset[session.Privilege]())
    monkeypatch.setattr(session, "ROLES", {**session.ROLES, "Selling only": role})
    return await user(crm, "Selling only")


@pytest.mark.usefixtures("seller")
@pytest.mark.parametrize(
    "query",
    [
        "$expand=owninguser($select=fullname)",
        "$expand=contact_customer_accounts($select=fullname;$expand=owninguser($select=fullname))",
        "$expand=contact_customer_accounts($filter=owninguser/fullname ne null)",
        "$expand=owninguser($select=fullname)&$filter=name eq 'none such'",
        "$filter=owninguser/fullname ne null",
        "$filter=contact_customer_accounts/any(c:c/owninguser/fullname ne null)",
        "$filter=Microsoft.Dynamics.CRM.In(PropertyName='owninguser/fullname',PropertyValues=['x'])",
        "$orderby=owninguser/fullname",
        "$apply=groupby((owninguser/fullname))",
        "$apply=filter(owninguser/fullname ne null)/aggregate($count as n)",
        "$apply=aggregate(owninguser/createdon with max as latest)",
    ],
)
async def test_a_query_reaches_no_table_that_the_user_may_not_read(crm: Crm, query: str) -> None:
    assert (await crm("GET", f"accounts?{query}")).status_code == 200
    answer = await crm("GET", f"accounts?{query}", CallerObjectId=OBJECT_ID)
    assert error(answer) == (403, "0x80040220")
    assert "prvReadSystemuser" in answer.text


async def test_a_collection_is_reached_only_with_the_right_to_read_it(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = (frozenset[session.Privilege](), frozenset({session.Privilege.READ}))
    monkeypatch.setattr(session, "ROLES", {**session.ROLES, "Directory only": role})
    await user(crm, "Directory only")
    for query in ("$filter=user_accounts/any()", "$expand=user_accounts($select=name)"):
        assert (await crm("GET", f"systemusers?{query}")).status_code == 200
        answer = await crm("GET", f"systemusers?{query}", CallerObjectId=OBJECT_ID)
        assert error(answer) == (403, "0x80040220")
        assert "prvReadAccount" in answer.text


@pytest.mark.usefixtures("seller")
async def test_a_row_or_a_count_reaches_no_table_that_the_user_may_not_read(crm: Crm) -> None:
    key = (await crm.rows("accounts?$select=accountid&$top=1"))[0]["accountid"]
    for path in (
        f"accounts({key})?$select=name&$expand=owninguser($select=fullname)",
        "accounts/$count?$filter=owninguser/fullname ne null",
        f"accounts({key})/contact_customer_accounts?$orderby=owninguser/fullname",
    ):
        assert (await crm("GET", path)).status_code == 200
        assert error(await crm("GET", path, CallerObjectId=OBJECT_ID)) == (403, "0x80040220"), path


@pytest.mark.usefixtures("seller")
async def test_a_query_may_join_the_tables_that_the_user_may_read(crm: Crm) -> None:
    for query in (
        "$expand=primarycontactid($select=fullname),contact_customer_accounts($select=fullname)",
        "$expand=owninguser/$ref",
        "$filter=primarycontactid/fullname ne null and contact_customer_accounts/any()",
        "$apply=groupby((primarycontactid/fullname))",
        "$orderby=primarycontactid/fullname",
    ):
        answer = await crm("GET", f"accounts?{query}", CallerObjectId=OBJECT_ID)
        assert answer.status_code == 200, query
        assert answer.json()["value"]
