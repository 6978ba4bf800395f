"""The policy holds for an organisation's own tables and columns as for the standard ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interaction.connecting import ERAS, Era, Human, policy_file
from tests.organisation.organisation import (
    ACCOUNT,
    PROJECT,
    Organisation,
    client_of,
    done,
    organisation,
    refused,
    schemas,
    text_of,
)

pytestmark = pytest.mark.anyio
SECRET = "Canary-7731"
HIDING = """
extends = "sales-assistant"
[hidden]
new_project = ["new_margin", "new_accountid"]
account = ["new_risk"]
"""
EVERY = ("spec", "insight", "compact", "changes")


async def with_secrets(crm: Organisation) -> None:
    """A project and an account with a column each that nobody may see."""
    await crm.add_column(PROJECT, "String", "new_Margin", label="Margin")
    await crm.add_column(ACCOUNT, "String", "new_Risk", label="Risk class")
    async with crm.as_administrator() as administrator:
        account = await administrator.new("accounts", name="Proseware", new_risk=SECRET)
        bind = {"new_AccountId@odata.bind": f"/accounts({account['accountid']})"}
        await administrator.new("new_projects", new_name="Harbour", new_margin=SECRET, **bind)


@pytest.mark.parametrize("era", ERAS)
async def test_a_hidden_column_is_in_no_schema_and_in_no_description(era: Era, tmp_path: Path) -> None:
    with organisation() as crm:
        await with_secrets(crm)
        async with client_of(crm, era=era, policy=policy_file(tmp_path, HIDING), toolsets=EVERY) as client:
            listed = (await client.list_tools()).model_dump_json()
            told = [
                await text_of(client, "describe_table", table=name) for name in ("new_project", "account")
            ]
            resources = [
                str(await client.read_resource(f"crm://tables/{name}")) for name in ("new_project", "account")
            ]
        assert "new_budget" in listed
        for text in (listed, *told, *resources):
            for name in ("new_margin", "Margin", "new_AccountId", "new_accountid", "new_risk", "Risk class"):
                assert name not in text


@pytest.mark.parametrize("era", ERAS)
async def test_a_hidden_column_can_be_neither_read_filtered_sorted_nor_set(era: Era, tmp_path: Path) -> None:
    with organisation() as crm:
        await with_secrets(crm)
        async with client_of(
            crm, era=era, policy=policy_file(tmp_path, HIDING), toolsets=EVERY, human=Human("accept")
        ) as client:
            (record,) = (await done(client, "list_new_projects", format="detailed"))["records"]
            assert SECRET not in json.dumps(record)
            assert "new_accountid" not in record
            key = {"new_projectid": record["new_projectid"]}
            for tool, given in (
                ("list_new_projects", {"select": ["new_margin"]}),
                ("list_new_projects", {"filter": f"new_margin eq '{SECRET}'"}),
                ("list_new_projects", {"where": [{"column": "new_margin", "op": "eq", "value": SECRET}]}),
                ("list_new_projects", {"orderby": "new_margin"}),
                ("list_new_projects", {"expand": ["new_AccountId"]}),
                ("list_new_projects", {"filter": "new_AccountId/name eq 'Proseware'"}),
                ("get_new_project", {**key, "select": ["new_margin"]}),
                ("create_new_project", {"new_name": "Other", "new_margin": "x"}),
                ("update_new_project", {**key, "new_margin": "x"}),
                ("list_accounts", {"filter": f"new_risk eq '{SECRET}'"}),
                ("query_records", {"table": "account", "columns": ["Risk class"]}),
                ("update_record", {"table": "new_project", "record": "Harbour", "values": {"Margin": "x"}}),
                ("summarize_records", {"table": "account", "by": ["new_risk"]}),
            ):
                error = await refused(client, tool, **given)
                assert error["code"] == "denied_by_policy", (tool, given, error)
                assert SECRET not in str(error)
        (row,) = await crm.rows("new_projects")
        assert row["new_margin"] == SECRET


async def test_the_read_only_preset_lists_only_what_reads() -> None:
    with organisation() as crm:
        async with client_of(crm, policy="read-only") as client:
            offered = await schemas(client)
            of_projects = {name for name in offered if "new_project" in name}
            assert of_projects == {"list_new_projects", "get_new_project"}
            told = await text_of(client, "describe_table", table="new_project")
            assert "all: set no" in told


async def test_a_policy_that_lets_only_an_own_table_be_used_offers_what_works_on_it(tmp_path: Path) -> None:
    only = """
name = "projects-only"
[[rules]]
id = "projects"
effect = "allow"
actions = ["read", "create"]
tables = ["new_project"]
"""
    with organisation() as crm:
        async with client_of(crm, policy=policy_file(tmp_path, only), toolsets=EVERY) as client:
            offered = set(await schemas(client))
            assert offered >= {"list_new_projects", "create_new_project", "describe_table", "create_record"}
            assert not offered & {"list_accounts", "update_new_project", "delete_record", "get_overview"}
            await done(client, "create_record", table="new_project", values={"Name": "Harbour"})
            found = await done(client, "query_records", table="Project")
            assert [item["new_name"] for item in found["records"]] == ["Harbour"]
            assert "account |" not in await text_of(client, "list_tables")
            assert "new_project" in str(await client.read_resource("crm://tables"))
            assert "Harbour" in str(await client.read_resource("crm://records/new_project/Harbour"))


async def test_patterns_in_a_policy_speak_of_own_tables(tmp_path: Path) -> None:
    text = """
extends = "sales-assistant"
[[rules]]
id = "ask-for-ours"
effect = "confirm"
actions = ["create"]
tables = ["new_*"]
"""
    human = Human("decline")
    with organisation() as crm:
        async with client_of(crm, policy=policy_file(tmp_path, text), human=human) as client:
            error = await refused(client, "create_new_project", new_name="Harbour")
            assert error["code"] == "not_approved"
            assert len(human.questions) == 1
            await done(client, "create_account", name="Proseware")
        assert await crm.rows("new_projects") == []
