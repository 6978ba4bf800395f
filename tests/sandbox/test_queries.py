"""Reads answer as Microsoft documents; what the sandbox does not do is refused with 501."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from crm_sandbox import create_app
from crm_sandbox.coverage import Missing
from tests.sandbox.conftest import Crm, error

pytestmark = pytest.mark.anyio
FORMATTED = "@OData.Community.Display.V1.FormattedValue"
ALL = 'odata.include-annotations="*"'


async def test_the_company_is_the_same_every_time_and_of_the_promised_size(crm: Crm) -> None:
    sizes = {}
    for entity_set in ("accounts", "contacts", "leads", "opportunities"):
        answer = await crm("GET", f"{entity_set}?$count=true&$top=1")
        sizes[entity_set] = answer.json()["@odata.count"]
    assert sizes == {"accounts": 200, "contacts": 500, "leads": 300, "opportunities": 250}
    first, second, other = create_app(), create_app(), create_app(seed=1)
    dumps = ["\n".join(app._store.connection.iterdump()) for app in (first, second, other)]
    for app in (first, second, other):
        app.close()
    assert dumps[0] == dumps[1] != dumps[2]


async def test_without_select_every_column_comes_with_its_nulls(crm: Crm) -> None:
    row = (await crm.rows("accounts?$top=1&$filter=description eq null"))[0]
    assert row["description"] is None
    assert row["@odata.etag"].startswith('W/"')
    assert not any(FORMATTED in name for name in row)


async def test_annotations_come_when_asked_for(crm: Crm) -> None:
    dollars = "transactioncurrencyid/isocurrencycode eq 'USD'"
    condition = f"primarycontactid/fullname ne null and statecode eq 0 and {dollars}"
    columns = "revenue,statecode,_primarycontactid_value,createdon"
    path = f"accounts?$top=1&$filter={condition}&$select={columns}"
    answer = await crm("GET", path, prefer=ALL)
    assert "odata.include-annotations" in answer.headers["Preference-Applied"]
    row = answer.json()["value"][0]
    assert row["statecode" + FORMATTED] == "Active"
    assert row["revenue" + FORMATTED] == f"${row['revenue']:,.2f}"
    contact = await crm("GET", f"contacts({row['_primarycontactid_value']})")
    assert row["_primarycontactid_value" + FORMATTED] == contact.json()["fullname"]
    assert row["_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    navigation = row["_primarycontactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"]
    assert navigation == "primarycontactid"


@pytest.mark.parametrize(
    "order", ["name", "revenue desc", "_primarycontactid_value", "industrycode,name desc"]
)
async def test_pages_hold_every_row_once_while_rows_come_and_go(crm: Crm, order: str) -> None:
    path = f"accounts?$select=name&$orderby={order}"
    before = [row["accountid"] for row in await crm.rows(path)]
    answer = await crm("GET", path, prefer="odata.maxpagesize=30")
    seen = [row["accountid"] for row in answer.json()["value"]]
    gone = seen[3]
    await crm("DELETE", f"accounts({gone})")
    while link := answer.json().get("@odata.nextLink"):
        await crm.new("accounts", name="AAA first by name", revenue=10**13)
        answer = await crm("GET", link, prefer="odata.maxpagesize=30")
        seen += [row["accountid"] for row in answer.json()["value"]]
    kept = [key for key in seen if key in before]
    assert kept == before
    assert len(seen) == len(set(seen))


async def test_an_exact_fit_has_no_next_link_and_top_never_has_one(crm: Crm) -> None:
    exact = (await crm("GET", "accounts?$select=name", prefer="odata.maxpagesize=200")).json()
    assert len(exact["value"]) == 200
    assert "@odata.nextLink" not in exact
    topped = (await crm("GET", "accounts?$select=name&$top=5")).json()
    assert len(topped["value"]) == 5
    assert "@odata.nextLink" not in topped


async def test_a_page_size_wins_over_top(crm: Crm) -> None:
    page = (await crm("GET", "accounts?$select=name&$top=2", prefer="odata.maxpagesize=7")).json()
    assert len(page["value"]) == 7
    assert "@odata.nextLink" in page


async def test_lookups_sort_by_name_and_text_without_case(crm: Crm) -> None:
    for name in ("zulu", "Alpha", "alpha 2"):
        await crm.new("leads", lastname=name, companyname="sort me")
    rows = await crm.rows("leads?$filter=companyname eq 'SORT ME'&$orderby=lastname desc&$select=lastname")
    assert [row["lastname"] for row in rows] == ["zulu", "alpha 2", "Alpha"]
    named = await crm.rows(
        "contacts?$orderby=_parentcustomerid_value&$expand=parentcustomerid_account($select=name)"
    )
    names = [row["parentcustomerid_account"]["name"].casefold() for row in named]
    assert names == sorted(names)


async def test_related_rows_are_expanded_with_their_own_options(crm: Crm) -> None:
    options = "$select=fullname;$orderby=fullname desc;$top=2;$filter=contains(jobtitle,'a')"
    expand = f"contact_customer_accounts({options}),primarycontactid($select=fullname)"
    path = f"accounts?$top=5&$select=name&$expand={expand}"
    for row in await crm.rows(path):
        contacts = row["contact_customer_accounts"]
        assert len(contacts) <= 2
        names = [contact["fullname"].casefold() for contact in contacts]
        assert names == sorted(names, reverse=True)
        assert all("jobtitle" not in contact for contact in contacts)
        assert row["primarycontactid"] is None or row["primarycontactid"]["fullname"]


async def test_who_am_i(crm: Crm) -> None:
    for path in ("WhoAmI", "WhoAmI()"):
        assert {"BusinessUnitId", "UserId", "OrganizationId"} <= set((await crm("GET", path)).json())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("acounts", (404, "0x80060888")),
        ("accounts?$select=nme", (400, "0x80060888")),
        ("accounts?$filter=nme eq 'x'", (400, "0x80060888")),
        ("accounts?$filter=Name eq 'x'", (400, "0x80060888")),
        ("accounts?$orderby=nme", (400, "0x80060888")),
        ("accounts?$orderby=name sideways", (400, "0x80060888")),
        ("accounts?$expand=nothing", (400, "0x80060888")),
        ("accounts?$expand=primarycontactid($top=1)", (400, "0x80060888")),
        ("accounts?$skip=5", (400, "0x80060888")),
        ("accounts?$search=x", (400, "0x80060888")),
        ("accounts?$top=0", (400, "0x80060888")),
        ("accounts?$top=many", (400, "0x80060888")),
        ("accounts?$count=yes", (400, "0x80060888")),
        ("accounts?$filter=name eq", (400, "0x80060888")),
        ("accounts?$filter=revenue eq 'x'", (400, "0x80060888")),
        ("accounts?$filter=createdon gt 2026-02-31", (400, "0x80060888")),
        ("accounts?$filter=revenue gt 99999999999999999999", (400, "0x80060888")),
        ("accounts?$skiptoken=made-up", (400, "0x80060888")),
        ("accounts(not-a-guid)", (400, "0x80060888")),
        ("accounts(00000000-0000-0000-0000-000000000000)", (404, "0x80040217")),
        ("https://sandbox.invalid/elsewhere", (404, "0x80060888")),
    ],
)
async def test_a_wrong_request_is_refused_with_the_documented_code(
    crm: Crm, path: str, expected: tuple[int, str]
) -> None:
    assert error(await crm("GET", path)) == expected


@pytest.mark.parametrize(
    ("method", "path", "feature"),
    [
        ("POST", "CloneProduct", Missing.ACTIONS),
        ("GET", "RetrieveDuplicates()", Missing.ACTIONS),
        ("POST", "accounts/Microsoft.Dynamics.CRM.DeleteMultiple", Missing.ACTIONS),
        ("GET", "accounts?$filter=revenue add 1 gt 5", Missing.ARITHMETIC),
        ("GET", "accounts?$filter=length(name) gt 5", Missing.ARITHMETIC),
        ("GET", "accounts?$filter=year(createdon) eq 2026", Missing.ARITHMETIC),
        ("GET", "accounts?userQuery=00000000-0000-0000-0000-000000000000", Missing.SAVED_QUERIES),
        ("GET", "accounts?$deltatoken=1", Missing.TRACK_CHANGES),
    ],
)
async def test_what_the_sandbox_does_not_do_is_refused_by_name(
    crm: Crm, method: str, path: str, feature: Missing
) -> None:
    answer = await crm(method, path, {} if method == "POST" else None)
    assert answer.status_code == 501
    assert feature.value in answer.json()["error"]["message"]


async def test_a_view_of_the_rows_behind_a_navigation_property_is_refused_by_name(crm: Crm) -> None:
    (account, *_) = await crm.rows("accounts?$select=accountid&$top=1")
    path = f"accounts({account['accountid']})/contact_customer_accounts?savedQuery={account['accountid']}"
    answer = await crm("GET", path)
    assert answer.status_code == 501
    assert Missing.SAVED_QUERIES.value in answer.json()["error"]["message"]


async def test_a_view_shows_each_user_what_that_user_may_see(crm: Crm) -> None:
    (mine,) = await crm.rows("savedqueries?$filter=name eq 'My Open Leads'")
    users = await crm.rows("systemusers?$select=fullname&$filter=fullname eq 'Kim Akers'")
    path = f"leads?savedQuery={mine['savedqueryid']}"
    hers = await crm.rows(path, MSCRMCallerID=users[0]["systemuserid"])
    own = await crm.rows(path)
    assert hers
    assert own
    assert not {row["leadid"] for row in hers} & {row["leadid"] for row in own}


async def test_change_tracking_is_refused_too(crm: Crm) -> None:
    assert (await crm("GET", "accounts", prefer="odata.track-changes")).status_code == 501


async def test_a_wrong_method_is_refused(crm: Crm) -> None:
    assert (await crm("DELETE", "accounts")).status_code == 405
    assert (await crm("PUT", "accounts(00000000-0000-0000-0000-000000000000)")).status_code == 405


async def test_an_address_that_is_too_long_is_refused(crm: Crm) -> None:
    assert (
        await crm("GET", "accounts?$filter=" + quote("name eq '" + "a" * 33_000 + "'"))
    ).status_code == 414


async def test_answers_carry_the_headers_of_the_service(crm: Crm) -> None:
    answer = await crm("GET", "accounts?$top=1")
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["Content-Type"] == "application/json; odata.metadata=minimal"
    assert answer.headers["x-ms-service-request-id"]
    assert answer.headers["REQ_ID"]


def test_every_missing_feature_has_a_name_of_its_own() -> None:
    values: list[Any] = [item.value for item in Missing]
    assert len(values) == len(set(values))


@pytest.mark.parametrize(
    "expand",
    [
        "primarycontactid($select=fullname;$top=1)",
        "contact_customer_accounts($select=fullname;$orderby=fullname;$expand=owninguser($select=fullname))",
        "contact_customer_accounts/$ref",
        "nothing_of_the_kind",
    ],
)
async def test_an_expansion_is_refused_whatever_rows_there_are(crm: Crm, expand: str) -> None:
    for name in ("none such", "x"):
        answer = await crm("GET", f"accounts?$select=name&$expand={expand}&$filter=name eq '{name}'")
        assert error(answer) == (400, "0x80060888")


async def test_the_link_of_an_expanded_collection_holds_the_values_of_aliases(crm: Crm) -> None:
    account = (await crm.new("accounts", name="Aliased"))["accountid"]
    bound = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    for name in ("@n", "Other"):
        await crm.new("contacts", lastname=name, **bound)
    inner = "contact_customer_accounts($select=lastname;$filter=lastname eq @n)"
    answer = await crm("GET", f"accounts({account})?$select=name&$expand={inner}&@n='@n'")
    found = answer.json()
    assert [row["lastname"] for row in found["contact_customer_accounts"]] == ["@n"]
    linked = await crm("GET", found["contact_customer_accounts@odata.nextLink"])
    assert [row["lastname"] for row in linked.json()["value"]] == ["@n"]
