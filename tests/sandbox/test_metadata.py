"""Tables, columns, keys and relationships as clients read them."""

import json
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from crm_sandbox import create_app
from tests.sandbox.conftest import Crm, error

PROJECT = Path(__file__).with_name("new_project.toml")
CAST = "Microsoft.Dynamics.CRM."
ACCOUNT = "EntityDefinitions(LogicalName='account')"


@pytest.fixture
async def projects(anyio_backend):
    app = create_app(tables=[PROJECT])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        yield Crm(client, app)
    app.close()


async def test_a_table_is_found_by_name_and_by_id(crm):
    by_name = (await crm("GET", f"{ACCOUNT}?$select=LogicalName,EntitySetName,PrimaryIdAttribute")).json()
    key = by_name["MetadataId"]
    assert UUID(key)
    assert {name: by_name[name] for name in by_name if not name.startswith("@")} == {
        "MetadataId": key,
        "LogicalName": "account",
        "EntitySetName": "accounts",
        "PrimaryIdAttribute": "accountid",
    }
    by_id = (await crm("GET", f"EntityDefinitions({key})")).json()
    assert (by_id["SchemaName"], by_id["ObjectTypeCode"]) == ("Account", 1)
    assert by_id["DisplayName"]["UserLocalizedLabel"]["Label"] == "Account"
    assert by_id["DisplayCollectionName"]["LocalizedLabels"][0]["LanguageCode"] == 1033


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LogicalName eq 'contact'", ["contact"]),
        ("SchemaName eq 'Account' or LogicalName eq 'lead'", ["account", "lead"]),
        ("IsActivity eq true and ObjectTypeCode le 4201", ["activitypointer", "appointment"]),
        ("ObjectTypeCode lt 3", ["account", "contact"]),
        ("ObjectTypeCode ge 3 and ObjectTypeCode le 4", ["lead", "opportunity"]),
        ("LogicalName in ('team','lead')", ["lead", "team"]),
        ("not (IsActivity eq true) and ObjectTypeCode gt 9999", ["new_project"]),
        ("IsCustomizable/Value eq true and LogicalName eq 'task'", ["task"]),
        (f"OwnershipType eq {CAST}OwnershipTypes'None' and LogicalName eq 'team'", []),
        ("LogicalName eq 'Contact'", []),
    ],
)  # fmt: skip
async def test_tables_are_filtered(projects, text, expected):
    rows = await projects.rows(f"EntityDefinitions?$select=LogicalName&$filter={text}")
    assert sorted(row["LogicalName"] for row in rows) == expected


async def test_a_function_in_a_filter_of_metadata_is_not_implemented(crm):
    answer = await crm("GET", "EntityDefinitions?$filter=startswith(LogicalName,'a')")
    assert error(answer) == (501, "0x80048d08")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("EntityDefinitions(LogicalName='new_nothing')", (404, "0x80041102")),
        (f"{ACCOUNT}/Attributes(LogicalName='nothing')", (404, "0x80041103")),
        ("EntityDefinitions(7b5bb3a4-0000-4000-8000-000000000000)", (404, "0x80041102")),
        ("EntityDefinitions(account)", (400, "0x80060888")),
        ("EntityDefinitions(SchemaName='Account')", (400, "0x80060888")),
        ("EntityDefinitions?$filter=Nothing eq 1", (400, "0x80060888")),
        ("EntityDefinitions?$select=Nothing", (400, "0x80060888")),
        ("EntityDefinitions?$skip=1", (400, "0x80060888")),
        ("EntityDefinitions?$expand=Nothing", (404, "0x80060888")),
        ("EntityDefinitions?$expand=Attributes((", (400, "0x80060888")),
        ("EntityDefinitions/Nothing", (404, "0x80060888")),
        (f"{ACCOUNT}/Nothing", (404, "0x80060888")),
        (f"{ACCOUNT}/Attributes/{CAST}NothingMetadata?$select=Nothing", None),
        (f"{ACCOUNT}/Attributes(LogicalName='name')/{CAST}PicklistAttributeMetadata", (404, "0x80060888")),
        (f"{ACCOUNT}/ManyToOneRelationships(SchemaName='nothing')", (404, "0x80060888")),
        ("RelationshipDefinitions(SchemaName='nothing')", (404, "0x80060888")),
        ("GlobalOptionSetDefinitions", (501, "0x80048d08")),
        ("ManagedPropertyDefinitions", (501, "0x80048d08")),
        ("$metadata/accounts", (404, "0x80060888")),
    ],
)
async def test_what_is_not_there_is_said(crm, path, expected):
    answer = await crm("GET", path)
    if expected is None:
        assert answer.json()["value"] == []
    else:
        assert error(answer) == expected


async def test_a_read_only_address_takes_no_other_method(crm):
    wrong = {
        "$metadata": "POST",
        ACCOUNT: "PATCH",
        f"{ACCOUNT}/Attributes": "DELETE",
        "CreateEntities": "GET",
    }
    for path, method in wrong.items():
        answer = await crm(method, path)
        assert error(answer) == (405, "0x80060888")


async def test_columns_tell_their_class_and_what_they_take(crm):
    rows = {row["LogicalName"]: row for row in await crm.rows(f"{ACCOUNT}/Attributes")}
    name, revenue = rows["name"], rows["revenue"]
    assert name["@odata.type"] == f"#{CAST}StringAttributeMetadata"
    assert (name["AttributeType"], name["MaxLength"], name["IsPrimaryName"]) == ("String", 160, True)
    assert name["RequiredLevel"]["Value"] == "ApplicationRequired"
    assert revenue["@odata.type"] == f"#{CAST}MoneyAttributeMetadata"
    assert (revenue["Precision"], revenue["MinValue"]) == (2, 0)
    assert rows["primarycontactid"]["Targets"] == ["contact"]
    assert rows["ownerid"]["Targets"] == ["systemuser", "team"]
    assert rows["accountid"]["IsPrimaryId"]
    assert not rows["createdon"]["IsValidForCreate"]
    assert rows["createdon"]["AttributeTypeName"] == {"Value": "DateTimeType"}
    assert rows["statuscode"]["AttributeTypeName"] == {"Value": "StatusType"}


async def test_columns_of_one_class_come_by_a_cast_with_their_choices(crm):
    path = f"{ACCOUNT}/Attributes/{CAST}PicklistAttributeMetadata"
    rows = await crm.rows(f"{path}?$select=LogicalName&$expand=OptionSet($select=Options)")
    industry = next(row for row in rows if row["LogicalName"] == "industrycode")
    assert "@odata.type" not in industry
    options = industry["OptionSet"]["Options"]
    labels = {item["Value"]: item["Label"]["UserLocalizedLabel"]["Label"] for item in options}
    assert labels[7] == "Consulting"
    assert set(industry["OptionSet"]) == {"@odata.type", "MetadataId", "Options"}


LEAD = "EntityDefinitions(LogicalName='lead')"


async def test_status_reasons_tell_their_state(crm):
    path = f"{LEAD}/Attributes(LogicalName='statuscode')/{CAST}StatusAttributeMetadata/OptionSet"
    options = (await crm("GET", path)).json()["Options"]
    assert {(item["Value"], item["State"]) for item in options} >= {(1, 0), (3, 1), (4, 2)}
    path = f"{LEAD}/Attributes(LogicalName='statecode')/{CAST}StateAttributeMetadata?$expand=OptionSet"
    states = (await crm("GET", path)).json()["OptionSet"]["Options"]
    assert {item["Value"]: item["DefaultStatus"] for item in states} == {0: 1, 1: 3, 2: 4}


async def test_a_boolean_has_two_options(crm):
    path = (
        f"{ACCOUNT}/Attributes(LogicalName='creditonhold')/{CAST}BooleanAttributeMetadata?$expand=OptionSet"
    )
    found = (await crm("GET", path)).json()["OptionSet"]
    assert (found["TrueOption"]["Value"], found["FalseOption"]["Value"]) == (1, 0)


async def test_one_property_of_a_definition_has_an_address(crm):
    label = (await crm("GET", f"{ACCOUNT}/DisplayName")).json()
    assert label["UserLocalizedLabel"]["Label"] == "Account"
    assert (await crm("GET", f"{ACCOUNT}/LogicalName")).json()["value"] == "account"
    assert (await crm("GET", f"{ACCOUNT}/Attributes(LogicalName='name')/AttributeOf")).status_code == 204


async def test_relationships_are_seen_from_both_ends(projects):
    many = await projects.rows(f"{ACCOUNT}/OneToManyRelationships")
    found = next(row for row in many if row["SchemaName"] == "contact_customer_accounts")
    assert (found["ReferencedEntity"], found["ReferencingEntity"]) == ("account", "contact")
    assert found["ReferencingEntityNavigationPropertyName"] == "parentcustomerid_account"
    assert found["CascadeConfiguration"]["Delete"] == "Cascade"
    one = await projects.rows("EntityDefinitions(LogicalName='contact')/ManyToOneRelationships")
    assert found["MetadataId"] in {row["MetadataId"] for row in one}
    ends = [
        await projects.rows(f"EntityDefinitions(LogicalName='{name}')/ManyToManyRelationships")
        for name in ("new_project", "contact")
    ]
    assert [[row["SchemaName"] for row in end if row["IsCustomRelationship"]] for end in ends] == [
        ["new_project_contact"],
        ["new_project_contact"],
    ]


async def test_relationships_are_found_by_name_and_by_kind(projects):
    (found,) = await projects.rows("RelationshipDefinitions?$filter=SchemaName eq 'new_project_contact'")
    assert found["@odata.type"] == f"#{CAST}ManyToManyRelationshipMetadata"
    kind = "Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'"
    several = await projects.rows(f"RelationshipDefinitions?$filter=RelationshipType eq {kind}")
    cast = await projects.rows(f"RelationshipDefinitions/{CAST}ManyToManyRelationshipMetadata")
    assert [row["SchemaName"] for row in several] == [row["SchemaName"] for row in cast]
    path = f"RelationshipDefinitions({found['MetadataId']})/{CAST}ManyToManyRelationshipMetadata"
    one = await projects("GET", path)
    assert one.json()["IntersectEntityName"] == "new_project_contact"


async def test_keys_are_listed(projects):
    (key,) = await projects.rows("EntityDefinitions(LogicalName='new_project')/Keys")
    assert (key["SchemaName"], key["KeyAttributes"]) == ("new_codekey", ["new_code"])
    assert key["EntityKeyIndexStatus"] == "Active"
    one = await projects("GET", f"EntityDefinitions(LogicalName='new_project')/Keys({key['MetadataId']})")
    assert one.json()["LogicalName"] == "new_codekey"


async def test_a_table_is_expanded_with_its_parts(projects):
    parts = [
        "Attributes($select=LogicalName;$filter=AttributeType eq 'Money')",
        "Keys",
        "ManyToOneRelationships($select=SchemaName)",
    ]
    path = "EntityDefinitions(LogicalName='new_project')?$select=LogicalName"
    found = (await projects("GET", f"{path}&$expand={','.join(parts)}")).json()
    assert [row["LogicalName"] for row in found["Attributes"]] == ["new_budget", "new_budget_base"]
    assert [row["SchemaName"] for row in found["Keys"]] == ["new_codekey"]
    assert "new_account_new_project" in {row["SchemaName"] for row in found["ManyToOneRelationships"]}


def changes(query, **parameters):
    names = {"Query": "@p1", **{name: f"'{value}'" for name, value in parameters.items()}}
    inside = ",".join(f"{name}={value}" for name, value in names.items())
    return f"RetrieveMetadataChanges({inside})?@p1={json.dumps(query)}"


def where(name, value, operator="Equals"):
    return {"Conditions": [{"PropertyName": name, "ConditionOperator": operator, "Value": value}]}


async def test_metadata_is_queried_by_criteria(crm):
    query = {
        "Criteria": where("LogicalName", {"Type": "System.String", "Value": "account"}),
        "Properties": {"AllProperties": False, "PropertyNames": ["EntitySetName"]},
        "AttributeQuery": {
            "Criteria": where("AttributeType", ["Picklist", "Money"], "In"),
            "Properties": {"PropertyNames": ["AttributeType", "OptionSet"]},
        },
    }
    answer = (await crm("GET", changes(query))).json()
    (table,) = answer["EntityMetadata"]
    assert set(table) == {
        "MetadataId",
        "LogicalName",
        "SchemaName",
        "EntitySetName",
        "HasChanged",
        "Attributes",
    }
    columns = {row["LogicalName"]: row for row in table["Attributes"]}
    assert {row["AttributeType"] for row in columns.values()} == {"Picklist", "Money"}
    assert columns["industrycode"]["OptionSet"]["Options"]
    again = (await crm("GET", changes(query, ClientVersionStamp=answer["ServerVersionStamp"]))).json()
    assert again["EntityMetadata"] == []


async def test_criteria_are_combined(crm):
    either = {"FilterOperator": "Or", "Filters": [where("LogicalName", "lead"), where("LogicalName", "task")]}
    found = (await crm("GET", changes({"Criteria": either}))).json()["EntityMetadata"]
    assert sorted(row["LogicalName"] for row in found) == ["lead", "task"]
    conditions = [where("IsActivity", "True", "NotEquals"), where("ObjectTypeCode", 5, "LessThan")]
    neither = {"Conditions": [condition["Conditions"][0] for condition in conditions]}
    found = (await crm("GET", changes({"Criteria": neither}))).json()["EntityMetadata"]
    assert sorted(row["LogicalName"] for row in found) == ["account", "contact", "lead", "opportunity"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (changes({"Criteria": where("LogicalName", "x")}, ClientVersionStamp="old"), "0x80044352"),
        (changes({"Criteria": where("Nothing", "x")}), "0x80048d19"),
        (changes({"Criteria": where("LogicalName", "x", "Resembles")}), "0x80048d19"),
        (changes({"Criteria": where("LogicalName", 5, "In")}), "0x80048d19"),
        (changes({"Criteria": "all"}), "0x80048d19"),
        (changes({"Criteria": {"Conditions": 5}}), "0x80048d19"),
        ("RetrieveMetadataChanges(Query=@p1)?@p1={", "0x80060888"),
        ("RetrieveMetadataChanges(Query)", "0x80060888"),
    ],
)
async def test_a_malformed_query_of_metadata_is_refused(crm, path, code):
    assert error(await crm("GET", path)) == (400, code)


async def test_the_timestamp_changes_with_the_tables(crm):
    before = (await crm("GET", "RetrieveTimestamp()")).json()["Timestamp"]
    assert (await crm("GET", "RetrieveTimestamp()")).json()["Timestamp"] == before
    column = {"@odata.type": f"{CAST}StringAttributeMetadata", "SchemaName": "new_Nick"}
    await crm("POST", f"{ACCOUNT}/Attributes", column)
    assert (await crm("GET", "RetrieveTimestamp()")).json()["Timestamp"] != before
