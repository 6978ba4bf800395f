"""Actions and functions do what Microsoft documents, whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import ROOT, Crm, error

pytestmark = pytest.mark.anyio
KIND = "@odata.type"
NAMESPACE = "Microsoft.Dynamics.CRM."
NOTHING = {"CreateAccount": False, "CreateContact": False, "CreateOpportunity": False, "Status": 3}
EVERYTHING = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": True, "Status": 3}


async def qualify(crm: Crm, lead: dict[str, Any], **parameters: Any) -> Any:
    return await crm("POST", f"leads({lead['leadid']})/{NAMESPACE}QualifyLead", parameters)


async def test_a_qualified_lead_becomes_an_account_a_contact_and_an_opportunity(crm: Crm) -> None:
    lead = await crm.new(
        "leads",
        subject="200 licences",
        firstname="Ann",
        lastname="Berg",
        companyname="Berg AG",
        emailaddress1="ann@berg.example",
        estimatedamount=5000,
        address1_city="Bern",
    )
    answer = await qualify(crm, lead, **EVERYTHING)
    assert answer.status_code == 200
    made = {item[KIND].removeprefix(f"#{NAMESPACE}"): item for item in answer.json()["value"]}
    account = (await crm("GET", f"accounts({made['account']['accountid']})")).json()
    contact = (await crm("GET", f"contacts({made['contact']['contactid']})")).json()
    deal = (await crm("GET", f"opportunities({made['opportunity']['opportunityid']})")).json()
    assert (account["name"], account["address1_city"]) == ("Berg AG", "Bern")
    assert (contact["fullname"], contact["emailaddress1"]) == ("Ann Berg", "ann@berg.example")
    assert contact["_parentcustomerid_value"] == account["accountid"]
    assert (deal["name"], deal["estimatedvalue"]) == ("200 licences", 5000)
    assert deal["_customerid_value"] == account["accountid"]
    origins = {row["_originatingleadid_value"] for row in (account, contact, deal)}
    assert origins == {lead["leadid"]}
    closed = (await crm("GET", f"leads({lead['leadid']})")).json()
    assert (closed["statecode"], closed["statuscode"]) == (1, 3)
    assert closed["_qualifyingopportunityid_value"] == deal["opportunityid"]
    assert (await qualify(crm, lead, **EVERYTHING)).status_code == 400


async def test_a_lead_is_qualified_without_making_anything(crm: Crm) -> None:
    lead = await crm.new("leads", lastname="Berg")
    answer = await qualify(crm, lead, **NOTHING)
    assert answer.json()["value"] == []


@pytest.mark.parametrize(
    "change", [{"Status": 4}, {"Status": "3"}, {"CreateAccount": "yes"}, {"CreateContact": None}]
)
async def test_a_wrong_parameter_leaves_the_lead_as_it_was(crm: Crm, change: dict[str, Any]) -> None:
    lead = await crm.new("leads", lastname="Unchanged", companyname="Unchanged")
    assert (await qualify(crm, lead, **{**EVERYTHING, **change})).status_code == 400
    assert (await crm("GET", f"leads({lead['leadid']})")).json() | {"@odata.context": ""} == lead | {
        "@odata.context": ""
    }
    assert not await crm.rows("accounts?$filter=name eq 'Unchanged'")


async def test_an_opportunity_is_won_with_its_revenue_and_an_activity(crm: Crm) -> None:
    deal = await crm.new("opportunities", name="Deal", estimatedvalue=100)
    close = {
        "subject": "Won it",
        "actualrevenue": 90,
        "actualend": "2026-11-20T10:00:00Z",
        "opportunityid@odata.bind": f"/opportunities({deal['opportunityid']})",
    }
    body = {"Status": 3, "OpportunityClose": close}
    assert (await crm("POST", "WinOpportunity", body)).status_code == 204
    path = f"opportunities({deal['opportunityid']})"
    won = (await crm("GET", f"{path}?$expand=Opportunity_OpportunityClose")).json()
    assert (won["statecode"], won["statuscode"], won["actualvalue"]) == (1, 3, 90)
    assert won["actualclosedate"] == "2026-11-20"
    (activity,) = won["Opportunity_OpportunityClose"]
    assert (activity["subject"], activity["statecode"]) == ("Won it", 1)
    assert (await crm("POST", "WinOpportunity", body)).status_code == 400
    await crm("PATCH", path, {"statecode": 0})
    assert (await crm("POST", "LoseOpportunity", {**body, "Status": 5})).status_code == 204
    assert (await crm("GET", path)).json()["statuscode"] == 5


async def test_a_lost_opportunity_needs_a_reason_of_its_state(crm: Crm) -> None:
    deal = await crm.new("opportunities", name="Deal")
    close = {"opportunityid@odata.bind": f"/opportunities({deal['opportunityid']})"}
    answer = await crm("POST", "LoseOpportunity", {"Status": 3, "OpportunityClose": close})
    assert error(answer) == (400, "0x80048408")
    assert error(await crm("POST", "LoseOpportunity", {"Status": 4, "OpportunityClose": {}}))[0] == 400
    answer = await crm("POST", "LoseOpportunity", {"Status": -1, "OpportunityClose": close})
    assert answer.status_code == 204


async def test_a_merge_moves_what_refers_to_the_row_that_goes(crm: Crm) -> None:
    kept, gone = [await crm.new("accounts", name=name) for name in ("Kept", "Gone")]
    contact = await crm.new(
        "contacts", lastname="C", **{"parentcustomerid_account@odata.bind": f"/accounts({gone['accountid']})"}
    )
    await crm("POST", f"accounts({gone['accountid']})/Account_Tasks", {"subject": "Call"})
    body = {
        "Target": {KIND: f"{NAMESPACE}account", "accountid": kept["accountid"]},
        "Subordinate": {KIND: f"{NAMESPACE}account", "accountid": gone["accountid"]},
        "UpdateContent": {KIND: f"{NAMESPACE}account", "telephone1": "555-0100"},
        "PerformParentingChecks": False,
    }
    assert (await crm("POST", "Merge", body)).status_code == 204
    after = (await crm("GET", f"accounts({kept['accountid']})?$expand=Account_Tasks")).json()
    assert (after["telephone1"], len(after["Account_Tasks"])) == ("555-0100", 1)
    assert (await crm("GET", f"contacts({contact['contactid']})")).json()["_parentcustomerid_value"] == kept[
        "accountid"
    ]
    merged = (await crm("GET", f"accounts({gone['accountid']})")).json()
    assert (merged["statecode"], merged["merged"], merged["_masterid_value"]) == (1, True, kept["accountid"])
    assert (await crm("POST", "Merge", body)).status_code == 400


async def test_a_bulk_delete_deletes_what_its_queries_find_and_leaves_a_job(crm: Crm) -> None:
    for number in range(3):
        await crm.new("accounts", name=f"Bulk {number}", numberofemployees=number)
    conditions = [
        {
            "AttributeName": "name",
            "Operator": "BeginsWith",
            "Values": [{"Value": "Bulk", "Type": "System.String"}],
        },
        {"AttributeName": "numberofemployees", "Operator": "GreaterThan", "Values": [{"Value": "0"}]},
    ]
    query = {"EntityName": "account", "Criteria": {"FilterOperator": "And", "Conditions": conditions}}
    answer = await crm(
        "POST",
        "BulkDelete",
        {"JobName": "Clean", "QuerySet": [{KIND: f"{NAMESPACE}QueryExpression", **query}]},
    )
    assert answer.status_code == 200
    names = [row["name"] for row in await crm.rows("accounts?$filter=startswith(name,'Bulk')")]
    assert names == ["Bulk 0"]
    job = (await crm("GET", f"asyncoperations({answer.json()['JobId']})")).json()
    assert (job["name"], job["statecode"], job["statuscode"]) == ("Clean", 3, 30)


@pytest.mark.parametrize(
    ("attribute", "operator", "values", "left"),
    [
        ("name", "Like", ["Old%"], ["New"]),
        ("name", "BeginsWith", ["old"], ["New"]),
        ("numberofemployees", "GreaterThan", [{"Value": 15, "Type": "System.Int32"}], ["Old 10"]),
        ("numberofemployees", "In", [10, 30], ["Old 20"]),
        ("numberofemployees", "Between", [15, 35], ["Old 10"]),
        ("telephone1", "NotNull", [], ["Old 10", "Old 20"]),
        ("createdon", "Today", [], []),
        ("createdon", "OlderThanXYears", [1], ["New", "Old 10", "Old 20"]),
        ("ownerid", "EqualUserId", [], []),
    ],
)
async def test_rows_are_deleted_in_bulk_by_each_kind_of_condition(
    crm: Crm, attribute: str, operator: str, values: list[Any], left: list[str]
) -> None:
    for name, number in (("Old 10", 10), ("Old 20", 20), ("New", 30)):
        phone = {"telephone1": "555-0100"} if name == "New" else {}
        await crm.new("accounts", name=name, numberofemployees=number, address1_city="Bulk", **phone)
    here = {"AttributeName": "address1_city", "Operator": "Equal", "Values": ["Bulk"]}
    condition = {"AttributeName": attribute, "Operator": operator, "Values": values}
    criteria = {"FilterOperator": "And", "Conditions": [here, condition]}
    body = {"JobName": "Clean", "QuerySet": [{"EntityName": "account", "Criteria": criteria}]}
    assert (await crm("POST", "BulkDelete", body)).status_code == 200
    rows = await crm.rows("accounts?$filter=address1_city eq 'Bulk'&$orderby=name")
    assert [row["name"] for row in rows] == left


async def test_a_bulk_delete_with_a_condition_that_cannot_be_is_refused(crm: Crm) -> None:
    for condition in ({"AttributeName": "name", "Operator": "Resembles"}, {"AttributeName": "nothing"}, 5):
        criteria = {"Conditions": [condition]}
        body = {"JobName": "x", "QuerySet": [{"EntityName": "account", "Criteria": criteria}]}
        assert (await crm("POST", "BulkDelete", body)).status_code == 400
    assert len(await crm.rows("accounts")) >= 200


async def test_a_new_row_is_prepared_from_another(crm: Crm) -> None:
    account = await crm.new("accounts", name="Parent", telephone1="555-0100")
    answer = await crm(
        "GET",
        "InitializeFrom(EntityMoniker=@p1,TargetEntityName=@p2,TargetFieldType=@p3)"
        f"?@p1={{'@odata.id':'accounts({account['accountid']})'}}&@p2='contact'"
        "&@p3=Microsoft.Dynamics.CRM.TargetFieldType'ValidForCreate'",
    )
    body = {name: value for name, value in answer.json().items() if name != "@odata.context"}
    contact = await crm.new("contacts", **body, lastname="New")
    assert contact["telephone1"] == "555-0100"
    assert contact["_parentcustomerid_value"] == account["accountid"]


async def test_users_come_into_a_team_and_leave_it(crm: Crm) -> None:
    unit, user = (await crm.rows("businessunits?$top=1"))[0], (await crm.rows("systemusers?$top=1"))[0]
    bind = {"businessunitid@odata.bind": f"/businessunits({unit['businessunitid']})"}
    team = f"teams({(await crm.new('teams', name='New', **bind))['teamid']})"
    members = {"Members": [{"systemuserid": user["systemuserid"]}]}
    assert (await crm("POST", f"{team}/{NAMESPACE}AddMembersTeam", members)).status_code == 204
    found = await crm.rows(f"{team}/teammembership_association")
    assert [row["systemuserid"] for row in found] == [user["systemuserid"]]
    assert (await crm("POST", f"{team}/{NAMESPACE}RemoveMembersTeam", members)).status_code == 204
    assert not await crm.rows(f"{team}/teammembership_association")


async def test_duplicates_are_refused_where_detection_is_asked_for(crm: Crm) -> None:
    await crm.new("contacts", lastname="A", emailaddress1="same@x.example")
    body = {"lastname": "B", "emailaddress1": "SAME@x.example"}
    headers = {"MSCRM.SuppressDuplicateDetection": "false"}
    refused = await crm.client.post(f"{ROOT}contacts", json=body, headers=headers)
    assert error(refused) == (412, "0x80040333")
    assert (await crm("POST", "contacts", body)).status_code == 204
