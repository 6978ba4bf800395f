"""Tables, columns, keys and relationships that requests make, change and remove."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sandbox import create_app
from crm_sandbox.messages import Request
from crm_sandbox.metadata.changing import SchemaChanges
from crm_sandbox.metadata.described import column_of
from crm_sandbox.opening import fill_store, open_store
from crm_sandbox.schema.base_columns import with_base_columns
from crm_sandbox.schema.loading import load_schema
from crm_sandbox.service import Service
from crm_sandbox.snapshots import Snapshots
from tests.sandbox.conftest import Crm, error
from tests.sandbox.metadata_bodies import ACCOUNT, CAST, VISIT, column, label, lookup, made, table
from tests.sandbox.test_rights import user


@pytest.fixture
async def visits(crm):
    """A sandbox with the table of visits."""
    await made(crm, "EntityDefinitions", table())
    return crm


async def test_a_table_is_made_and_holds_rows(visits):
    row = await visits.new("new_visits", new_name="First")
    assert row["_ownerid_value"]
    assert row["statecode"] == 0
    assert row["createdon"]
    definition = (await visits("GET", VISIT)).json()
    assert definition["IsCustomEntity"]
    assert (definition["EntitySetName"], definition["PrimaryNameAttribute"]) == ("new_visits", "new_name")
    assert definition["DisplayCollectionName"]["UserLocalizedLabel"]["Label"] == "Visits"
    assert error(await visits("POST", "new_visits", {"new_name": "x" * 81})) == (400, "0x80044331")


async def test_the_address_of_a_new_table_leads_to_it(crm):
    address = await made(crm, "EntityDefinitions", table("new_Company"))
    definition = (await crm("GET", address)).json()
    assert (definition["SchemaName"], definition["EntitySetName"]) == ("new_Company", "new_companies")


async def test_several_tables_are_made_together_or_none(crm):
    entities = [table("new_One"), table("new_Two"), table("Account")]
    answer = await crm("POST", "CreateEntities", {"Entities": entities})
    assert error(answer) == (400, "0x80040203")
    assert (await crm("GET", "new_ones")).status_code == 404
    answer = await crm("POST", "CreateEntities", {"Entities": entities[:2]})
    assert answer.status_code == 204
    await crm.new("new_ones", new_name="x")
    await crm.new("new_twos", new_name="x")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (table("Visit"), "0x80040203"),
        (table("new_Visit-2"), "0x80040203"),
        (table(Attributes=[]), "0x80040203"),
        (table(Attributes=[column("String", "new_Name")]), "0x80040203"),
        (table(Attributes=[column("Memo", "new_Name", IsPrimaryName=True)]), "0x80040203"),
        (table(Attributes=[column("String", "new_Name", IsPrimaryName=True)] * 2), "0x80040203"),
        (table(OwnershipType="BusinessOwned"), "0x80040203"),
        (table(OwnershipType=["UserOwned"]), "0x80040203"),
        (table(DisplayName="Visit"), "0x80048d19"),
        (table(Attributes=[5]), "0x80048d19"),
        ({**table(), "@odata.type": "Microsoft.Dynamics.CRM.Thing"}, "0x80048d19"),
    ],
)
async def test_a_table_that_cannot_be_is_refused(crm, body, code):
    assert error(await crm("POST", "EntityDefinitions", body)) == (400, code)


async def test_a_table_is_made_once(visits):
    assert error(await visits("POST", "EntityDefinitions", table())) == (400, "0x80040203")


async def test_a_table_of_activities_is_not_implemented(crm):
    answer = await crm("POST", "EntityDefinitions", table(IsActivity=True))
    assert error(answer) == (501, "0x80048d08")


async def test_labels_of_a_table_are_changed(visits):
    answer = await visits(
        "PUT", VISIT, {"DisplayName": label("Call"), "DisplayCollectionName": label("Calls")}
    )
    assert answer.status_code == 204
    assert (await visits("GET", VISIT)).json()["DisplayName"]["UserLocalizedLabel"]["Label"] == "Call"


async def test_a_table_is_removed_with_its_rows_and_made_anew(visits):
    await visits.new("new_visits", new_name="Gone")
    assert (await visits("DELETE", VISIT)).status_code == 204
    assert (await visits("GET", "new_visits")).status_code == 404
    await made(visits, "EntityDefinitions", table())
    assert await visits.rows("new_visits") == []


async def test_a_standard_table_is_not_removed(crm):
    assert error(await crm("DELETE", ACCOUNT)) == (400, "0x80040203")
    assert await crm.rows("accounts?$top=1")


async def test_a_table_that_another_refers_to_is_not_removed(visits):
    await made(visits, "EntityDefinitions", table("new_Stop"))
    relationship = lookup("new_visit", ReferencingEntity="new_stop", SchemaName="new_visit_stop")
    address = await made(visits, "RelationshipDefinitions", relationship)
    assert error(await visits("DELETE", VISIT)) == (400, "0x8004f01f")
    assert (await visits("DELETE", address)).status_code == 204
    assert (await visits("DELETE", VISIT)).status_code == 204


async def test_notes_and_activities_can_be_of_the_rows_of_a_table(crm):
    await made(crm, "EntityDefinitions", table(HasNotes=True, HasActivities=True))
    visit = await crm.new("new_visits", new_name="With notes")
    path = f"/new_visits({visit['new_visitid']})"
    note = await crm.new("annotations", subject="A", **{"objectid_new_visit@odata.bind": path})
    task = await crm.new("tasks", subject="B", **{"regardingobjectid_new_visit_task@odata.bind": path})
    assert note["_objectid_value"] == task["_regardingobjectid_value"] == visit["new_visitid"]
    shown = await crm.rows("new_visits?$expand=new_visit_Annotations($select=subject)&$select=new_name")
    assert [row["subject"] for row in shown[0]["new_visit_Annotations"]] == ["A"]
    assert (await crm("DELETE", VISIT)).status_code == 204
    assert (await crm("GET", f"annotations({note['annotationid']})")).status_code == 404
    assert (await crm("GET", f"tasks({task['activityid']})")).status_code == 404
    assert (await crm("GET", "activitypointers?$top=1")).status_code == 200


KINDS = [
    (column("String", "new_X", MaxLength=10), "abc"),
    (column("Memo", "new_X"), "a\nb"),
    (column("Integer", "new_X", MinValue=1, MaxValue=5), 3),
    (column("BigInt", "new_X"), 2**53),
    (column("Double", "new_X", Precision=2), 1.5),
    (column("Decimal", "new_X", Precision=3), 1.125),
    (column("Money", "new_X"), 12.5),
    (column("Boolean", "new_X", DefaultValue=True), False),
    (column("DateTime", "new_X"), "2026-01-02T03:04:05Z"),
    (column("DateTime", "new_X", Format="DateOnly"), "2026-01-02"),
    (column("DateTime", "new_X", DateTimeBehavior={"Value": "DateOnly"}), "2026-01-02"),
    (column("Picklist", "new_X", OptionSet={"Options": [{"Label": label("One")}, {"Value": 7}]}), 100000000),
    (column("MultiSelectPicklist", "new_X", OptionSet={"Options": [{"Value": 1}, {"Value": 2}]}), "1,2"),
]


@pytest.mark.parametrize(("body", "value"), KINDS)
@pytest.mark.parametrize("name", ["account", "new_visit"])
async def test_a_column_of_each_type_is_added_holds_a_value_and_is_removed(visits, body, value, name):
    definition = f"EntityDefinitions(LogicalName='{name}')"
    address = await made(visits, f"{definition}/Attributes", body)
    row = await visits.new(f"{name}s", **{"name" if name == "account" else "new_name": "X", "new_x": value})
    assert row["new_x"] == value
    described = (await visits("GET", address)).json()
    assert described["@odata.type"] == f"#{body['@odata.type']}"
    assert described["IsCustomAttribute"]
    assert (await visits("DELETE", address)).status_code == 204
    rows = await visits.rows(f"{name}s?$top=1")
    assert "new_x" not in rows[0]
    assert error(await visits("GET", f"{name}s?$select=new_x")) == (400, "0x80060888")


async def test_labels_of_choices_come_as_formatted_values(visits):
    options = {"Options": [{"Value": 7, "Label": label("Seven")}]}
    two = {
        "TrueOption": {"Value": 1, "Label": label("Open")},
        "FalseOption": {"Value": 0, "Label": label("Shut")},
    }
    await made(visits, f"{VISIT}/Attributes", column("Picklist", "new_Kind", OptionSet=options))
    await made(visits, f"{VISIT}/Attributes", column("Boolean", "new_Open", OptionSet=two))
    await visits.new("new_visits", new_name="X", new_kind=7, new_open=True)
    (row,) = await visits.rows("new_visits", prefer='odata.include-annotations="*"')
    formatted = "@OData.Community.Display.V1.FormattedValue"
    assert (row[f"new_kind{formatted}"], row[f"new_open{formatted}"]) == ("Seven", "Open")
    assert error(await visits("POST", "new_visits", {"new_kind": 8})) == (400, "0x8004431a")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (column("String", "Nick"), (400, "0x80040203")),
        (column("String", "new_name"), (400, "0x80047013")),
        (column("String", "new_x", MaxLength=5000), (400, "0x80040203")),
        (column("String", "new_x", MaxLength="5"), (400, "0x80040203")),
        (column("String", "new_x", FormatName={"Value": "Song"}), (400, "0x80040203")),
        (column("String", "new_x", RequiredLevel={"Value": "SystemRequired"}), (400, "0x80040203")),
        (column("Integer", "new_x", MinValue=5, MaxValue=1), (400, "0x80040203")),
        (column("Integer", "new_x", MinValue=-(2**40)), (400, "0x80040203")),
        (column("Decimal", "new_x", Precision=11), (400, "0x80040203")),
        (column("Decimal", "new_x", MinValue="low"), (400, "0x80040203")),
        (column("Picklist", "new_x"), (400, "0x80040203")),
        (column("Picklist", "new_x", OptionSet={"Options": []}), (400, "0x80040203")),
        (
            column("Picklist", "new_x", OptionSet={"Options": [{"Value": 1}, {"Value": 1}]}),
            (400, "0x80040203"),
        ),
        (column("Picklist", "new_x", OptionSet={"Options": [{"Value": "1"}]}), (400, "0x80040203")),
        (column("Picklist", "new_x", **{"GlobalOptionSet@odata.bind": "/x"}), (501, "0x80048d08")),
        (column("File", "new_x"), (501, "0x80048d08")),
        (column("Lookup", "new_x"), (501, "0x80048d08")),
        ({"SchemaName": "new_x"}, (400, "0x80048d19")),
    ],
)
async def test_a_column_that_cannot_be_is_refused(visits, body, expected):
    assert error(await visits("POST", f"{VISIT}/Attributes", body)) == expected


async def test_a_column_is_changed_by_its_whole_definition(visits):
    address = await made(visits, f"{VISIT}/Attributes", column("Integer", "new_Size", MaxValue=5))
    assert error(await visits("POST", "new_visits", {"new_size": 6})) == (400, "0x8004432f")
    kind = f"{CAST}IntegerAttributeMetadata"
    definition = (await visits("GET", f"{VISIT}/Attributes(LogicalName='new_size')/{kind}")).json()
    body = {**definition, "@odata.type": kind, "MaxValue": 9}
    assert (await visits("PUT", address, body)).status_code == 204
    await visits.new("new_visits", new_size=6)
    other = {**body, "@odata.type": f"{CAST}StringAttributeMetadata"}
    assert error(await visits("PUT", address, other)) == (400, "0x80040203")


@pytest.mark.parametrize("name", ["name", "accountid", "createdon", "ownerid"])
async def test_a_standard_column_is_not_removed(crm, name):
    answer = await crm("DELETE", f"{ACCOUNT}/Attributes(LogicalName='{name}')")
    assert error(answer) == (400, "0x80040203")


async def test_the_primary_column_and_a_column_of_a_key_stay(visits):
    await made(visits, f"{VISIT}/Attributes", column("String", "new_Code"))
    key = await made(visits, f"{VISIT}/Keys", {"SchemaName": "new_CodeKey", "KeyAttributes": ["new_code"]})
    assert error(await visits("DELETE", f"{VISIT}/Attributes(LogicalName='new_name')")) == (400, "0x80040203")
    code = f"{VISIT}/Attributes(LogicalName='new_code')"
    assert error(await visits("DELETE", code)) == (400, "0x8004f01f")
    assert (await visits("DELETE", key)).status_code == 204
    assert (await visits("DELETE", code)).status_code == 204


async def test_an_alternate_key_names_rows_and_keeps_them_apart(visits):
    await made(visits, f"{VISIT}/Attributes", column("String", "new_Code"))
    await made(visits, f"{VISIT}/Keys", {"SchemaName": "new_CodeKey", "KeyAttributes": ["new_code"]})
    answer = await visits("PATCH", "new_visits(new_code='A')", {"new_name": "By key"})
    assert answer.status_code == 204
    assert (await visits("GET", "new_visits(new_code='A')")).json()["new_name"] == "By key"
    assert error(await visits("POST", "new_visits", {"new_code": "a"})) == (412, "0x80060892")


async def test_a_key_over_rows_with_equal_values_is_refused(visits):
    for _ in range(2):
        await visits.new("new_visits", new_name="Same")
    answer = await visits("POST", f"{VISIT}/Keys", {"SchemaName": "new_K", "KeyAttributes": ["new_name"]})
    assert error(answer) == (412, "0x80060892")
    assert await visits.rows(f"{VISIT}/Keys") == []


@pytest.mark.parametrize("columns", [[], "new_name", ["nothing"], ["new_name", "new_name"], ["ownerid"], [5]])
async def test_a_key_that_cannot_be_is_refused(visits, columns):
    answer = await visits("POST", f"{VISIT}/Keys", {"SchemaName": "new_K", "KeyAttributes": columns})
    assert error(answer) == (400, "0x80040203")


async def test_only_administrators_change_metadata(crm):
    reader = await user(crm, "Read only")
    headers = {"MSCRMCallerID": reader["systemuserid"]}
    assert error(await crm("POST", "EntityDefinitions", table(), **headers)) == (403, "0x80040220")
    assert error(await crm("DELETE", ACCOUNT, **headers)) == (403, "0x80040220")
    assert (await crm("GET", ACCOUNT, **headers)).status_code == 200


async def test_a_table_in_a_changeset_that_fails_is_not_made(crm):
    body = "\r\n".join(
        [
            "--b",
            "Content-Type: multipart/mixed;boundary=c",
            "",
            "--c",
            "Content-Type: application/http",
            "Content-ID: 1",
            "",
            "POST /api/data/v9.2/EntityDefinitions HTTP/1.1",
            "Content-Type: application/json",
            "",
            httpx.Request("POST", "https://x.invalid", json=table()).content.decode(),
            "--c",
            "Content-Type: application/http",
            "Content-ID: 2",
            "",
            "POST /api/data/v9.2/new_visits HTTP/1.1",
            "Content-Type: application/json",
            "",
            '{"new_nothing": 1}',
            "--c--",
            "--b--",
            "",
        ]
    )
    answer = await crm.client.post(
        "https://sandbox.invalid/api/data/v9.2/$batch",
        content=body,
        headers={"Content-Type": "multipart/mixed;boundary=b"},
    )
    assert "0x80048d19" in answer.text
    assert (await crm("GET", VISIT)).status_code == 404
    await made(crm, "EntityDefinitions", table())


async def test_a_file_opens_with_the_tables_it_was_left_with(anyio_backend, tmp_path):
    file = tmp_path / "crm.sqlite"
    for turn in ("made", "found"):
        app = create_app(path=file, accounts=20)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
            crm = Crm(client, app)
            if turn == "made":
                await made(crm, "EntityDefinitions", table())
                await made(crm, f"{ACCOUNT}/Attributes", column("String", "new_Nick"))
                await made(crm, "RelationshipDefinitions", lookup())
                await crm.new("new_visits", new_name="Kept")
            else:
                assert [row["new_name"] for row in await crm.rows("new_visits?$expand=new_PlaceId")] == [
                    "Kept"
                ]
                assert "new_nick" in (await crm.rows("accounts?$top=1"))[0]
        app.close()


def test_reset_and_snapshots_bring_tables_back_with_the_rows():
    store = open_store(seed=1, now=lambda: datetime(2026, 1, 1, tzinfo=UTC), accounts=5, path=None, tables=())
    snapshots = Snapshots(store, None, lambda target: fill_store(target, 1, 5))
    known = column_of(column("String", "new_Nick"))
    SchemaChanges(store).add_column(store.schema["account"], known)
    snapshots.take("nick")
    snapshots.reset()
    assert "new_nick" not in store.schema["account"].columns
    assert "new_nick" not in store.rows("SELECT * FROM account LIMIT 1")[0]
    snapshots.restore("nick")
    assert store.schema["account"].columns["new_nick"] == known
    assert store.rows("SELECT new_nick FROM account LIMIT 1") == [{"new_nick": None}]
    store.close()


async def test_a_searched_column_and_a_searched_table_are_removed(visits):
    address = await made(visits, f"{VISIT}/Attributes", column("String", "new_Nick"))
    search = {"search": "magpie"}
    await visits.new("new_visits", new_name="Bird", new_nick="magpie")

    async def found():
        answer = await visits("POST", "https://sandbox.invalid/api/search/v2.0/query", search)
        return len(json.loads(answer.json()["response"])["Value"])

    assert await found() == 1
    assert (await visits("DELETE", address)).status_code == 204
    assert await found() == 0
    assert (await visits("DELETE", VISIT)).status_code == 204


def test_the_columns_of_every_table_are_added_once():
    for known in load_schema().tables.values():
        if not known.is_read_only:
            assert with_base_columns(known) == known


NAMES = ["SchemaName", "Attributes", "OptionSet", "Options", "Lookup", "Value", "KeyAttributes", "Label"]
NAMES += ["DisplayName", "LocalizedLabels", "RequiredLevel", "CascadeConfiguration", "Delete", "Entities"]
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
CLASSES = ["String", "Picklist", "Boolean", "OneToManyRelationship", "ManyToManyRelationship", ""]
PATHS = ["EntityDefinitions", f"{ACCOUNT}/Attributes", f"{ACCOUNT}/Keys", "RelationshipDefinitions"]


@settings(derandomize=True, max_examples=60)
@given(BODIES, st.sampled_from(CLASSES), st.sampled_from([*PATHS, "CreateEntities"]))
def test_whatever_is_sent_as_a_definition_is_answered_with_an_error_or_done(body, kind, path):
    content = dict(body) if isinstance(body, dict) else {"SchemaName": body}
    content.setdefault("SchemaName", "new_Thing")
    suffix = "Metadata" if "Relationship" in kind else "AttributeMetadata"
    content["@odata.type"] = f"{CAST}{kind}{suffix}"
    request = Request("POST", path, {}, {}, json.dumps(content).encode(), "https://x.invalid/api/data/v9.2/")
    store = open_store(seed=1, now=None, accounts=5, path=None, tables=())
    answer = Service(store).answer(request, None)
    assert answer.status in (204, 400, 404, 412, 501), answer
    if answer.status != 204:
        assert answer.content["error"]["message"]
        assert store.schema.tables == store.schema.first
    store.close()
