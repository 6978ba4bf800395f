"""Odd tables and columns work, or are answered in a clear sentence, through the server."""

from __future__ import annotations

import json

import pytest

from docs.generate import tokens_of
from tests.interaction.connecting import ERAS, Era
from tests.organisation.organisation import (
    ACCOUNT,
    PROJECT,
    client_of,
    done,
    organisation,
    refused,
    schemas,
    text_of,
)
from tests.sandbox.metadata_bodies import CAST, label

pytestmark = pytest.mark.anyio
NAMELESS = {b'"PrimaryNameAttribute":"new_name"': b'"PrimaryNameAttribute":null'}


@pytest.mark.parametrize("era", ERAS)
async def test_records_without_names_are_read_and_written_by_id(era: Era) -> None:
    with organisation() as crm:
        crm.told = NAMELESS
        async with client_of(crm, era=era, toolsets=("spec", "compact", "insight")) as client:
            made = await done(client, "create_new_project", new_code="P-1")
            key = made["record"]["new_projectid"]
            listed = await done(client, "list_new_projects", filter="new_code eq 'P-1'")
            assert [item["new_projectid"] for item in listed["records"]] == [key]
            shown = await done(client, "get_record", table="new_project", record=key)
            assert shown["record"]["new_code"] == "P-1"
            changed = await done(
                client, "update_record", table="new_project", record=key, values={"Code": "P-2"}
            )
            assert changed["record"]["new_code"] == "P-2"
            await text_of(client, "find_records", text="P-2")
            error = await refused(client, "get_record", table="new_project", record="Harbour")
            assert error["message"] == "Argument record has to be an id: a project has no name."


async def test_a_lookup_to_records_without_names_takes_an_id() -> None:
    relationship = {
        "@odata.type": f"{CAST}OneToManyRelationshipMetadata",
        "SchemaName": "new_project_account",
        "ReferencedEntity": "new_project",
        "ReferencingEntity": "account",
        "ReferencedAttribute": "new_projectid",
        "Lookup": {"@odata.type": f"{CAST}LookupAttributeMetadata", "SchemaName": "new_ReferenceId"},
    }
    with organisation() as crm:
        async with crm.as_administrator() as administrator:
            answer = await administrator("POST", "RelationshipDefinitions", relationship)
            assert answer.status_code == 204, answer.text
            project = await administrator.new("new_projects", new_name="Harbour")
        crm.told = NAMELESS
        async with client_of(crm) as client:
            error = await refused(client, "create_account", name="Proseware", new_ReferenceId="Harbour")
            assert "new_ReferenceId has to be an id" in error["message"]
            key = project["new_projectid"]
            made = await done(client, "create_account", name="Proseware", new_ReferenceId=key)
            assert made["record"]["new_referenceid"]["id"] == key


async def test_a_column_without_a_label_goes_by_its_name() -> None:
    with organisation() as crm:
        await crm.add_column(ACCOUNT, "String", "new_Odd", label="Oddity")
        crm.told = {b'"Oddity"': b'""'}
        async with client_of(crm, toolsets=("compact", "insight", "spec")) as client:
            assert "new_odd | new_odd | String" in await text_of(client, "describe_table", table="account")
            assert "title" not in (await schemas(client))["create_account"]["properties"]["new_odd"]
            await done(client, "create_record", table="account", values={"name": "P", "new_odd": "x"})
        assert len(await crm.rows("accounts?$filter=new_odd eq 'x'")) == 1


@pytest.mark.parametrize("kind", ["Picklist", "MultiSelectPicklist"])
async def test_five_hundred_choices_cost_little_and_all_of_them_can_be_taken(kind: str) -> None:
    options = [{"Value": number, "Label": label(f"Cost centre {number}")} for number in range(1, 501)]
    with organisation() as crm:
        async with client_of(crm) as client:
            before = tokens_of(json.dumps(await schemas(client)))
        await crm.add_column(PROJECT, kind, "new_Centre", label="Centre", OptionSet={"Options": options})
        async with client_of(crm) as client:
            assert tokens_of(json.dumps(await schemas(client))) < before + 100
            assert tokens_of(await text_of(client, "describe_table", table="new_project")) < 1_000
            made = await done(client, "create_new_project", new_name="A", new_centre="cost centre 387")
            assert made["record"]["new_centre"] == "Cost centre 387"
            error = await refused(client, "create_new_project", new_name="B", new_centre="Cost center 387")
            assert "Did you mean Cost centre 387" in error["message"]
        assert [str(row["new_centre"]) for row in await crm.rows("new_projects")] == ["387"]


async def test_several_choices_are_taken_as_labels_and_cleared() -> None:
    with organisation() as crm:
        async with client_of(crm, toolsets=("spec", "compact")) as client:
            made = await done(client, "create_new_project", new_name="A", new_tags="strategic,Urgent")
            key = made["record"]["new_projectid"]
            assert made["record"]["new_tags"] == "Urgent; Strategic"
            values = {"Tags": ["Internal"]}
            changed = await done(client, "update_record", table="Project", record="A", values=values)
            assert changed["record"]["new_tags"] == "Internal"
            await done(client, "update_new_project", new_projectid=key, new_tags=None)
            error = await refused(client, "create_new_project", new_name="B", new_tags="Urgent, Strategc")
            assert "Did you mean Strategic" in error["message"]
        assert [row["new_tags"] for row in await crm.rows("new_projects")] == [None]
