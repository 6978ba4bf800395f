"""From definitions to the facts that tools are made from: labels, bounds, odd columns, and laws of all."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_server.dataverse.metadata import ColumnDefinition, definition_requests, parse_definition
from crm_server.dataverse.responses import CrmResponse
from crm_server.organisation.described import described
from crm_server.organisation.kept import KeptTables
from crm_tools.catalogue import table_tools
from crm_tools.standard import standard_tables
from crm_tools.tables import Choice, ColumnType, Table
from docs.generate import tokens_of
from tests.organisation.definitions import choices, column, lookup, table

NAME = column("new_name", max_length=100, required="ApplicationRequired")
PROPERTY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def tool_schemas(own: Table) -> dict[str, dict[str, Any]]:
    """The input schemas of the tools of a table, by what they do."""
    tools = table_tools([own.name], {**standard_tables(), own.name: own})
    return {tool.operation.verb.value: tool.input_schema for tool in tools}


def account_with(*columns: ColumnDefinition) -> Table:
    """The standard accounts in an environment whose definition has these columns."""
    return described(replace(table(*columns), name="account"), standard_tables()["account"])


GERMAN, ENGLISH = {"Label": "Auftrag", "LanguageCode": 1031}, {"Label": "Order", "LanguageCode": 1033}


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ({"UserLocalizedLabel": GERMAN, "LocalizedLabels": [ENGLISH, GERMAN]}, "Auftrag"),
        ({"UserLocalizedLabel": ENGLISH, "LocalizedLabels": [GERMAN, ENGLISH]}, "Order"),
        # Nobody translated it into the user's language.
        ({"UserLocalizedLabel": None, "LocalizedLabels": [GERMAN]}, "Auftrag"),
        ({"UserLocalizedLabel": {"Label": "", "LanguageCode": 1036}, "LocalizedLabels": [ENGLISH]}, "Order"),
        ({"UserLocalizedLabel": None, "LocalizedLabels": []}, None),
        (None, None),
    ],
)
def test_labels_are_in_the_language_of_whoever_signs_in(label: Any, shown: str | None) -> None:
    own = described(read(label), None)
    assert own.label == (shown or "new_thing")
    assert own.columns["new_kind"].label == (shown or "new_kind")
    assert own.columns["new_kind"].choices == (Choice(7, shown or "7"),)
    properties = tool_schemas(own)["create"]["properties"]
    assert properties["new_kind"]["description"] == (shown or "7")
    assert properties["new_kind"].get("title") == shown


def read(label: Any) -> Any:
    """The definition that an environment answers with, in which everything has this label."""
    about = {
        "LogicalName": "new_thing",
        "EntitySetName": "new_things",
        "PrimaryIdAttribute": "new_thingid",
        "PrimaryNameAttribute": None,
        "DisplayName": label,
    }
    kind = {
        "LogicalName": "new_kind",
        "DisplayName": label,
        "AttributeTypeName": {"Value": "PicklistType"},
        "IsValidForCreate": True,
        "IsValidForUpdate": True,
        "IsValidForRead": True,
        "IsCustomAttribute": True,
    }
    options = {"LogicalName": "new_kind", "OptionSet": {"Options": [{"Value": 7, "Label": label}]}}
    answers = [answered({"value": []}) for _ in definition_requests("new_thing")]
    answers[0], answers[1] = answered(about), answered({"value": [kind]})
    picklists = next(
        place for place, request in enumerate(definition_requests("new_thing")) if ".Picklist" in request.path
    )
    answers[picklists] = answered({"value": [options]})
    return parse_definition("new_thing", answers)


def answered(content: Any) -> CrmResponse:
    return CrmResponse(200, {}, json.dumps(content).encode())


def test_a_standard_column_has_the_length_the_choices_and_the_bounds_of_the_environment() -> None:
    found = account_with(
        column("accountnumber", max_length=12, custom=False),
        column("industrycode", "Picklist", choices=choices("Wine", "Cheese"), custom=False),
        column("numberofemployees", "Integer", minimum=1, maximum=500, custom=False),
        column("telephone1", max_length=50, on_update=False, custom=False, required="ApplicationRequired"),
    )
    create, update = (tool_schemas(found)[verb]["properties"] for verb in ("create", "update"))
    assert create["accountnumber"] == {"type": "string", "maxLength": 12}
    assert create["industrycode"]["description"] == "Wine, Cheese"
    assert create["numberofemployees"] == {"type": "integer", "minimum": 1, "maximum": 500}
    assert "telephone1" in create
    assert "telephone1" not in update
    assert found.columns["telephone1"].required
    # What the environment says nothing of stays as it is known.
    assert create["name"] == {"type": "string", "maxLength": 160}


def test_columns_that_nobody_asks_for_are_left_out() -> None:
    odd = (
        column("new_amount", "Money"),
        column("new_amount_base", "Money", on_create=False, on_update=False),
        column("new_photo", "Image"),
        column("new_contract", "File"),
        column("new_secret", readable=False),
        column("versionnumber", "BigInt", custom=False),
        column("new_calc", "SomethingNew"),
        column("new_knowledge_base"),
    )
    for own in (described(table(NAME, *odd), None), account_with(*odd)):
        ours = {name for name in own.columns if name.startswith(("new_", "version"))}
        assert ours - {"new_thingid", "new_name"} == {"new_amount", "new_knowledge_base"}


def test_a_label_stands_beside_a_name_that_does_not_say_the_same() -> None:
    own = described(
        table(
            NAME,
            column("new_name2", label="Second name"),
            column("new_startdate", "DateTime", label="Start Date", date_only=True),
            column("cr5f2_x17", label="Plant"),
            lookup("new_partnerid", "account", label="Partner"),
            lookup("new_x18", "account", label="Supplier"),
        ),
        None,
    )
    titles = {name: schema.get("title") for name, schema in tool_schemas(own)["create"]["properties"].items()}
    assert {name: title for name, title in titles.items() if title} == {
        "new_name2": "Second name",
        "cr5f2_x17": "Plant",
        "new_x18": "Supplier",
    }


def test_a_huge_list_of_choices_leaves_the_schema_small() -> None:
    many = choices(*(f"Cost centre {number:03}" for number in range(500)))
    few = described(table(NAME, column("new_centre", "Picklist", choices=many[:3])), None)
    own = described(
        table(
            NAME,
            column("new_centre", "Picklist", choices=many),
            column("new_centres", "MultiSelectPicklist", choices=many),
        ),
        None,
    )
    create = tool_schemas(own)["create"]
    assert create["properties"]["new_centre"]["description"] == "Cost centre 000, Cost centre 250 ..."
    assert create["properties"]["new_centres"]["description"].startswith("Some of: Cost centre 000")
    assert tokens_of(json.dumps(create)) < tokens_of(json.dumps(tool_schemas(few)["create"])) + 60
    assert own.columns["new_centre"].choices == many


def test_a_name_that_is_no_name_of_a_property_for_a_model_is_no_argument() -> None:
    far = "new_" + "far" * 30
    own = described(
        table(NAME, lookup(f"{far}id", "account", "contact"), lookup("new_ownerofid", "account", "contact")),
        None,
    )
    for schema in tool_schemas(own).values():
        assert all(PROPERTY.fullmatch(name) for name in schema["properties"])
    create = tool_schemas(own)["create"]["properties"]
    assert {"new_ownerofid_account", "new_ownerofid_contact"} <= create.keys()
    # It is still read, and set by the tools for any table.
    assert f"_{far}id_value" in own.columns
    assert own.navigations[f"{far}id_account"].writable


def test_a_table_without_a_name_of_its_own_needs_none_and_filters_by_what_it_has() -> None:
    for primary in (None, "new_gone"):
        own = described(table(column("new_amount", "Money"), primary=primary), None)
        assert not own.has_names
        found = tool_schemas(own)
        assert "required" not in found["create"]
        assert found["list"]["properties"]["filter"]["description"] == "OData: new_thingid ne null"
        # Nothing leads from it to another table, and a choice among nothing is no schema.
        assert "expand" not in found["list"]["properties"]


def test_a_name_that_the_environment_makes_itself_is_not_asked_for() -> None:
    for number in (replace(NAME, on_create=False, on_update=False), replace(NAME, generated=True)):
        own = described(table(number), None)
        assert own.primary_name == "new_name"
        assert "required" not in tool_schemas(own)["create"]


def test_named_tables_can_be_expanded_from_one_another() -> None:
    own = described(table(NAME, lookup("new_siteid", "new_site")), None)
    site = described(table(NAME, name="new_site"), None)
    (listing, *_) = table_tools(["new_thing", "new_site"], {"new_thing": own, "new_site": site})
    assert listing.input_schema["properties"]["expand"]["items"]["enum"] == ["new_siteid"]


KINDS = (
    "String",
    "Memo",
    "Integer",
    "BigInt",
    "Decimal",
    "Double",
    "Money",
    "Boolean",
    "DateTime",
    "Picklist",
    "MultiSelectPicklist",
    "Status",
    "State",
    "EntityName",
    "Image",
    "",
)
NAMES = st.from_regex(r"new_[a-z0-9_]{1,80}", fullmatch=True)
LABELS = st.text(max_size=120)
BOUNDS = st.none() | st.integers(-(2**31), 2**31) | st.floats(-1e11, 1e11)
OPTIONS = st.lists(st.builds(Choice, st.integers(0, 9), LABELS, st.none() | st.integers(0, 1)), max_size=40)
COLUMNS = st.one_of(
    st.builds(
        column,
        NAMES,
        st.sampled_from(KINDS),
        label=LABELS,
        required=st.sampled_from(("None", "Recommended", "ApplicationRequired", "SystemRequired")),
        on_create=st.booleans(),
        on_update=st.booleans(),
        readable=st.booleans(),
        custom=st.booleans(),
        max_length=st.none() | st.integers(1, 4_000),
        minimum=BOUNDS,
        maximum=BOUNDS,
        choices=OPTIONS.map(tuple),
        date_only=st.booleans(),
    ),
    st.builds(
        lookup,
        NAMES,
        st.sampled_from(("account", "new_other")),
        label=LABELS,
        on_create=st.booleans(),
        on_update=st.booleans(),
    ),
)
OWN = st.builds(
    lambda columns, primary: described(table(*columns, primary=primary), None),
    st.lists(COLUMNS, max_size=12),
    st.none() | st.just("new_name") | NAMES,
)
EXTENDED = st.lists(COLUMNS, max_size=12).map(lambda columns: account_with(*columns))


@settings(derandomize=True, max_examples=150, deadline=None)
@given(OWN | EXTENDED)
def test_whatever_is_described_tools_of_it_can_be_offered(own: Table) -> None:
    for schema in tool_schemas(own).values():
        jsonschema_rs.meta.validate(schema)
        assert '"enum": []' not in json.dumps(schema)
        assert all(PROPERTY.fullmatch(name) for name in schema["properties"])
        assert set(schema.get("required", ())) <= schema["properties"].keys()
    create, update = (tool_schemas(own)[verb]["properties"] for verb in ("create", "update"))
    for name, item in own.columns.items():
        assert item.type is ColumnType.LOOKUP or item.on_create or name not in create
        assert item.type is ColumnType.LOOKUP or item.on_update or name == own.key or name not in update
    assert set(own.concise) <= own.columns.keys()


@settings(derandomize=True, max_examples=100, deadline=None)
@given(OWN | EXTENDED)
def test_what_was_kept_is_what_was_described_to_the_letter(own: Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = KeptTables(Path(folder) / "tables.json")
        file.write({own.name: own})
        kept = file.read([own.name])[own.name]
    assert kept == own
    assert json.dumps(tool_schemas(kept)) == json.dumps(tool_schemas(own))
