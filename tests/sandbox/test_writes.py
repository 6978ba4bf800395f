"""Creates, updates, upserts and deletes answer as Microsoft documents."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from tests.sandbox.conftest import ROOT, Crm, error

pytestmark = pytest.mark.anyio
KEY = "0a1b2c3d-0000-4000-8000-0123456789ab"


async def test_a_create_answers_204_with_the_address_of_the_row(crm: Crm) -> None:
    answer = await crm("POST", "accounts", {"name": "Sample"})
    assert (answer.status_code, answer.content) == (204, b"")
    address = answer.headers["OData-EntityId"]
    assert re.fullmatch(re.escape(ROOT) + r"accounts\([0-9a-f-]{36}\)", address)
    assert (await crm("GET", address)).json()["name"] == "Sample"


async def test_a_create_answers_201_with_the_row_when_asked(crm: Crm) -> None:
    answer = await crm(
        "POST",
        "accounts?$select=name,revenue",
        {"name": "Sample", "revenue": 5},
        prefer="return=representation",
    )
    row = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert row["@odata.context"].endswith("$metadata#accounts(name,revenue)/$entity")
    currency = "_transactioncurrencyid_value"
    assert set(row) == {"@odata.context", "@odata.etag", "accountid", "name", "revenue", currency}


async def test_a_key_of_the_client_is_kept_and_a_second_create_with_it_is_a_duplicate(crm: Crm) -> None:
    body = {"accountid": KEY, "name": "Sample"}
    assert (await crm("POST", "accounts", body)).status_code == 204
    assert error(await crm("POST", "accounts", body)) == (412, "0x80040237")


async def test_rows_start_in_the_first_state_with_owner_currency_and_times(crm: Crm) -> None:
    row = await crm.new("opportunities", name="Deal", statecode=1, createdon="2001-01-01T00:00:00Z")
    assert (row["statecode"], row["statuscode"]) == (0, 1)
    assert row["createdon"] == row["modifiedon"] == "2026-11-23T09:30:00Z"
    assert row["_ownerid_value"]
    assert row["_transactioncurrencyid_value"]


async def test_read_only_columns_are_ignored_without_an_error(crm: Crm) -> None:
    row = await crm.new("contacts", firstname="Ann", lastname="Berg", fullname="Somebody Else")
    assert row["fullname"] == "Ann Berg"
    await crm("PATCH", f"contacts({row['contactid']})", {"lastname": "Dahl", "fullname": "x"}, If_Match="*")
    assert (await crm("GET", f"contacts({row['contactid']})")).json()["fullname"] == "Ann Dahl"


@pytest.mark.parametrize("form", ["/contacts({})", "contacts({})", ROOT + "contacts({})"])
async def test_a_lookup_is_bound_in_three_forms_and_cleared_with_null(crm: Crm, form: str) -> None:
    contact = (await crm.new("contacts", lastname="Berg"))["contactid"]
    account = await crm.new("accounts", name="A", **{"primarycontactid@odata.bind": form.format(contact)})
    assert account["_primarycontactid_value"] == contact
    path = f"accounts({account['accountid']})"
    await crm("PATCH", path, {"primarycontactid@odata.bind": None}, If_Match="*")
    assert (await crm("GET", path)).json()["_primarycontactid_value"] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"nme": "x"}, (400, "0x80048d19")),
        ({"name": 5}, (400, "0x80048d19")),
        ({"name": "x" * 161}, (400, "0x80044331")),
        ({"industrycode": 99}, (400, "0x8004431a")),
        ({"industrycode": "Consulting"}, (400, "0x80048d19")),
        ({"numberofemployees": -1}, (400, "0x8004432f")),
        ({"numberofemployees": 1.5}, (400, "0x80048d19")),
        ({"revenue": -1}, (400, "0x80044330")),
        ({"revenue": True}, (400, "0x80048d19")),
        ({"PrimaryContactId@odata.bind": f"/contacts({KEY})"}, (400, "0x80048d19")),
        ({"primarycontactid@odata.bind": f"/accounts({KEY})"}, (400, "0x80048d19")),
        ({"primarycontactid@odata.bind": f"/contacts({KEY})"}, (404, "0x80040217")),
        ({"accountid": "not-a-guid"}, (400, "0x80048d19")),
        ({"contact_customer_accounts": "x"}, (400, "0x80048d19")),
        ({"contact_customer_accounts": ["x"]}, (400, "0x80048d19")),
        ({"primarycontactid": "x"}, (400, "0x80048d19")),
        ({"_primarycontactid_value": KEY}, (400, "0x80048d19")),
        ({"creditonhold": "no"}, (400, "0x80048d19")),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_the_documented_code(
    crm: Crm, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert error(await crm("POST", "accounts", body)) == expected


async def test_a_customer_lookup_without_its_type_is_refused(crm: Crm) -> None:
    body = {"lastname": "x", "parentcustomerid@odata.bind": f"/accounts({KEY})"}
    assert error(await crm("POST", "contacts", body)) == (400, "0x80048d19")


async def test_patch_without_if_match_is_an_upsert(crm: Crm) -> None:
    path = f"accounts({KEY})"
    assert (await crm("PATCH", path, {"name": "One"}, prefer="return=representation")).status_code == 201
    assert (await crm("PATCH", path, {"name": "Two"}, prefer="return=representation")).status_code == 200
    assert (await crm("PATCH", path, {"name": "Three"})).status_code == 204
    assert (await crm("GET", path)).json()["name"] == "Three"


async def test_patch_with_if_match_never_creates(crm: Crm) -> None:
    answer = await crm("PATCH", f"accounts({KEY})", {"name": "x"}, If_Match="*")
    assert error(answer) == (404, "0x80040217")
    assert error(await crm("GET", f"accounts({KEY})")) == (404, "0x80040217")


async def test_patch_with_if_none_match_only_creates(crm: Crm) -> None:
    assert (await crm("PATCH", f"accounts({KEY})", {"name": "x"}, If_None_Match="*")).status_code == 204
    answer = await crm("PATCH", f"accounts({KEY})", {"name": "y"}, If_None_Match="*")
    assert answer.status_code == 412


async def test_a_stale_etag_is_refused_for_updates_and_deletes(crm: Crm) -> None:
    row = await crm.new("accounts", name="One")
    path, old = f"accounts({row['accountid']})", row["@odata.etag"]
    assert (await crm("PATCH", path, {"name": "Two"}, If_Match=old)).status_code == 204
    assert error(await crm("PATCH", path, {"name": "Three"}, If_Match=old)) == (412, "0x80060882")
    assert error(await crm("DELETE", path, If_Match=old)) == (412, "0x80060882")
    current = (await crm("GET", path)).json()
    assert current["name"] == "Two"
    assert (await crm("DELETE", path, If_Match=current["@odata.etag"])).status_code == 204
    assert error(await crm("DELETE", path)) == (404, "0x80040217")


async def test_a_get_with_the_current_etag_answers_304(crm: Crm) -> None:
    row = await crm.new("accounts", name="One")
    path = f"accounts({row['accountid']})"
    assert (await crm("GET", path, If_None_Match=row["@odata.etag"])).status_code == 304
    assert (await crm("GET", path, If_None_Match="null")).status_code == 200


async def test_states_and_status_reasons_keep_to_their_rules(crm: Crm) -> None:
    lead = f"leads({(await crm.new('leads', lastname='x'))['leadid']})"
    await crm("PATCH", lead, {"statecode": 2}, If_Match="*")
    row = (await crm("GET", lead)).json()
    assert (row["statecode"], row["statuscode"]) == (2, 4)
    assert error(await crm("PATCH", lead, {"statuscode": 1}, If_Match="*")) == (400, "0x80048408")
    assert (await crm("PATCH", lead, {"statecode": 0, "statuscode": 2}, If_Match="*")).status_code == 204
    assert error(await crm("PATCH", lead, {"statecode": None}, If_Match="*"))[0] == 400


async def test_an_opportunity_cannot_be_won_by_an_update_but_can_be_reopened(crm: Crm) -> None:
    deal = f"opportunities({(await crm.new('opportunities', name='x'))['opportunityid']})"
    assert error(await crm("PATCH", deal, {"statecode": 1}, If_Match="*")) == (400, "0x80100005")
    won = (await crm.rows("opportunities?$filter=statecode eq 1&$top=1"))[0]["opportunityid"]
    assert (await crm("PATCH", f"opportunities({won})", {"statecode": 0}, If_Match="*")).status_code == 204
    assert (await crm("GET", f"opportunities({won})")).json()["actualvalue"] is None


async def test_deleting_an_account_cascades_and_unlinks(crm: Crm) -> None:
    parent = await crm.new("accounts", name="Parent")
    link = f"/accounts({parent['accountid']})"
    child = await crm.new("accounts", name="Child", **{"parentaccountid@odata.bind": link})
    contact = await crm.new("contacts", lastname="x", **{"parentcustomerid_account@odata.bind": link})
    deal = await crm.new("opportunities", name="x", **{"customerid_account@odata.bind": link})
    other = await crm.new("opportunities", name="y", **{"parentaccountid@odata.bind": link})
    assert (await crm("DELETE", f"accounts({parent['accountid']})")).status_code == 204
    assert (await crm("GET", f"contacts({contact['contactid']})")).status_code == 404
    assert (await crm("GET", f"opportunities({deal['opportunityid']})")).status_code == 404
    assert (await crm("GET", f"accounts({child['accountid']})")).json()["_parentaccountid_value"] is None
    unlinked = (await crm("GET", f"opportunities({other['opportunityid']})")).json()
    assert unlinked["_parentaccountid_value"] is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b'"text"', b'{"name": NaN}', b'{"name": "\\ud800"}', b"[" * 100_000],
)
async def test_a_malformed_body_is_refused(crm: Crm, content: bytes) -> None:
    answer = await crm.client.post(ROOT + "accounts", content=content)
    assert error(answer) == (400, "0x80048d19")


async def test_a_huge_body_is_refused(crm: Crm) -> None:
    answer = await crm.client.post(ROOT + "accounts", content=b"x" * (17 * 1024 * 1024))
    assert answer.status_code == 413


async def test_every_request_is_recorded(crm: Crm) -> None:
    await crm("GET", "accounts?$top=1")
    await crm("GET", f"accounts({uuid4()})")
    assert [(item.method, item.status) for item in crm.app.requests] == [("GET", 200), ("GET", 404)]
    assert crm.app.requests[0].path == "/api/data/v9.2/accounts?$top=1"


async def test_parties_are_not_deleted_without_their_activity(crm: Crm) -> None:
    contact = (await crm.rows("contacts?$select=contactid&$top=1"))[0]["contactid"]
    party = {"participationtypemask": 2, "partyid_contact@odata.bind": f"/contacts({contact})"}
    call = await crm.new("phonecalls", subject="Call", phonecall_activity_parties=[party])
    (found,) = await crm.rows(
        f"activityparties?$filter=_activityid_value eq {call['activityid']}"
        " and participationtypemask eq 2&$select=activitypartyid"
    )
    answer = await crm("DELETE", f"activityparties({found['activitypartyid']})")
    assert error(answer) == (400, "0x80040800")
    assert (await crm("DELETE", f"phonecalls({call['activityid']})")).status_code == 204
