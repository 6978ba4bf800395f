"""Tables that the settings name are offered as the environment describes them, and work from end to end."""

from __future__ import annotations

import pytest

from crm_tools.own_tools import own_tools
from crm_tools.toolsets import DEFAULT
from tests.interaction.connecting import ERAS, Era, Human
from tests.organisation.organisation import (
    FIVE,
    PROJECT,
    client_of,
    done,
    organisation,
    refused,
    schemas,
    text_of,
)

pytestmark = pytest.mark.anyio
OTHERS = {tool.name for tool in own_tools() if not set(DEFAULT).isdisjoint(tool.toolsets)}


def five_of(singular: str, plural: str) -> set[str]:
    verbs = ("get", "create", "update", "delete")
    return {f"list_{plural}", *(f"{verb}_{singular}" for verb in verbs)}


@pytest.mark.parametrize("era", ERAS)
async def test_each_named_table_has_its_five_tools_and_no_other_table_has(era: Era) -> None:
    with organisation() as crm:
        async with client_of(crm, era=era) as client:
            offered = set(await schemas(client))
    named = five_of("account", "accounts") | five_of("contact", "contacts") | set(FIVE)
    assert offered == named | OTHERS


async def test_a_toolset_that_was_not_chosen_stays_away_from_named_tables_too() -> None:
    with organisation() as crm:
        async with client_of(crm, tables=("new_project",), toolsets=("compact",)) as client:
            assert not set(FIVE) & set(await schemas(client))
        async with client_of(crm, tables=("new_project",), toolsets=("spec",)) as client:
            assert set(await schemas(client)) == set(FIVE)


async def test_a_table_that_is_named_with_others_is_offered_once_and_can_be_any_standard_one() -> None:
    with organisation() as crm:
        async with client_of(crm, tables=("task", "new_project"), toolsets=("spec",)) as client:
            assert set(await schemas(client)) == five_of("task", "tasks") | set(FIVE)
            assert (await done(client, "create_task", subject="Call back"))["record"][
                "subject"
            ] == "Call back"


async def test_what_may_be_set_has_the_type_and_bounds_that_metadata_says() -> None:
    with organisation() as crm:
        async with client_of(crm) as client:
            create = (await schemas(client))["create_new_project"]
    given = create["properties"]
    assert create["required"] == ["new_name"]
    assert given["new_name"] == {"type": "string", "maxLength": 100}
    assert given["new_code"] == {"type": "string", "maxLength": 20}
    assert given["new_budget"] == {"type": "number", "minimum": 0, "maximum": 1_000_000_000}
    assert given["new_progress"] == {"type": "integer", "minimum": 0, "maximum": 100}
    assert given["new_rating"] == {"type": "number", "minimum": 0, "maximum": 10}
    assert given["new_kickoff"] == {"type": "string", "format": "date"}
    assert given["new_tags"]["description"] == "Some of: Urgent, Internal, Strategic"
    # The name says nothing of the label, so the label stands beside it.
    assert given["new_isbillable"] == {"type": "boolean", "title": "Billable"}
    assert given["new_AccountId"] == {"type": "string"}


async def test_only_what_can_be_written_is_an_argument_of_a_write() -> None:
    with organisation() as crm:
        async with client_of(crm) as client:
            found = await schemas(client)
    never = {"createdon", "modifiedon", "createdby", "ownerid", "versionnumber", "exchangerate"}
    create, update = found["create_new_project"]["properties"], found["update_new_project"]["properties"]
    assert not never & (create.keys() | update.keys())
    assert not {"new_projectid", "statecode", "new_budget_base"} & create.keys()
    assert "statecode" in update
    assert {"type": "null"} not in update["new_name"].get("anyOf", [])
    assert {"type": "null"} in update["new_code"]["anyOf"]


async def test_a_column_that_is_business_required_is_said_to_be_but_not_asked_for() -> None:
    with organisation() as crm:
        await crm.add_column(
            PROJECT, "String", "new_plant", label="Plant", RequiredLevel={"Value": "ApplicationRequired"}
        )
        async with client_of(crm) as client:
            create = (await schemas(client))["create_new_project"]
            assert create["required"] == ["new_name"]
            assert create["properties"]["new_plant"]["description"] == "(business required)"
            columns = (await done(client, "describe_table", table="new_project"))["columns"]
            assert [item["name"] for item in columns if item.get("required")] == ["new_name", "new_plant"]
            # The Web API does not enforce it either.
            await done(client, "create_new_project", new_name="Without a plant")


@pytest.mark.parametrize("era", ERAS)
async def test_a_record_of_an_own_table_is_made_found_changed_and_deleted(era: Era) -> None:
    human = Human("accept")
    with organisation() as crm:
        async with client_of(crm, era=era, human=human) as client:
            made = await done(
                client,
                "create_new_project",
                new_name="Roll-out",
                new_budget=12_000.5,
                new_kickoff="2026-12-01",
                new_tags="Strategic, urgent",
                new_isbillable=True,
                new_AccountId="Fabrikam, Inc.",
            )
            record = made["record"]
            assert record["new_accountid"]["name"] == "Fabrikam, Inc."
            assert record["new_tags"] == "Urgent; Strategic"
            assert (record["new_kickoff"], record["new_isbillable"]) == ("2026-12-01", True)
            key = {"new_projectid": record["new_projectid"]}

            for given in (
                {"filter": "contains(new_name,'Roll') and new_budget gt 10000 and statecode eq 'Active'"},
                {"where": [{"column": "Account", "op": "eq", "value": "Fabrikam, Inc."}]},
                {"where": [{"column": "Billable", "op": "eq", "value": True}], "orderby": "new_kickoff desc"},
            ):
                listed = await done(client, "list_new_projects", **given)
                assert [item["new_projectid"] for item in listed["records"]] == list(key.values()), given
            none = await done(client, "list_new_projects", filter="new_progress eq 99")
            assert none["records"] == []

            shown = (await done(client, "get_new_project", **key, expand=["new_AccountId"]))["record"]
            assert shown["new_AccountId"]["name"] == "Fabrikam, Inc."
            changed = await done(
                client, "update_new_project", **key, etag=shown["etag"], new_progress=40, new_AccountId=None
            )
            assert changed["record"]["new_progress"] == 40
            assert "new_accountid" not in changed["record"]
            stale = await refused(client, "update_new_project", **key, etag=shown["etag"], new_progress=41)
            assert stale["code"] == "conflict"
            held = await crm.rows("new_projects")
            assert [(row["new_progress"], row["_new_accountid_value"]) for row in held] == [(40, None)]

            assert human.questions == []
            await done(client, "delete_new_project", **key)
            assert "Roll-out" in human.questions[0]
            assert await crm.rows("new_projects") == []


async def test_a_record_of_an_own_table_stays_when_the_human_says_no() -> None:
    with organisation() as crm:
        async with client_of(crm, human=Human("decline")) as client:
            record = (await done(client, "create_new_project", new_name="Kept"))["record"]
            error = await refused(client, "delete_new_project", new_projectid=record["new_projectid"])
        assert error["code"] == "not_approved"
        assert len(await crm.rows("new_projects")) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "new_name"),
        ({"new_name": "x" * 101}, "100"),
        ({"new_name": "x", "new_progress": 101}, "from 0 to 100"),
        ({"new_name": "x", "new_budget": -1}, "from 0"),
        ({"new_name": "x", "new_tags": "Urgnt"}, "Did you mean Urgent?"),
        ({"new_name": "x", "new_kickoff": "soon"}, "2026-12-31"),
        ({"new_name": "x", "new_nam": "y"}, "Did you mean new_name"),
        ({"new_name": "x", "new_AccountId": "Fabrikam Incorporated"}, "No account matches"),
    ],
)
async def test_what_does_not_fit_an_own_table_is_said_before_anything_is_sent(
    given: dict[str, object], told: str
) -> None:
    with organisation() as crm:
        async with client_of(crm) as client:
            assert told in (await refused(client, "create_new_project", **given))["message"]
        assert await crm.rows("new_projects") == []


async def test_own_tables_are_listed_described_and_reached_by_their_label() -> None:
    with organisation() as crm:
        async with client_of(crm, toolsets=("insight", "compact")) as client:
            assert "new_project | Project | new_name" in await text_of(client, "list_tables")
            told = await text_of(client, "describe_table", table="Project")
            assert "new_tags | Tags | MultiSelectPicklist | yes" in told
            assert "new_accountid | Account | lookup to account | yes" in told
            await done(client, "create_record", table="Projects", values={"Name": "By label", "Code": "P-1"})
            found = await done(client, "get_record", table="new_project", record="by label")
            assert found["record"]["new_code"] == "P-1"
            totals = await done(client, "summarize_records", table="new_project", measures=["count"])
            assert totals["groups"] == [{"count": 1}]
