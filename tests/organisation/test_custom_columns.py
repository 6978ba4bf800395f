"""Columns that an organisation added to a standard table come along with it wherever it is worked on."""

from __future__ import annotations

import pytest
from mcp_types import ResourceTemplateReference

from tests.interaction.connecting import ERAS, Era
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
from tests.sandbox.metadata_bodies import CAST, label

pytestmark = pytest.mark.anyio
TIERS = {"Options": [{"Value": 1, "Label": label("Gold")}, {"Value": 2, "Label": label("Silver")}]}
RECORDS = ResourceTemplateReference(uri="crm://records/{table}/{record}")


async def extend_accounts(crm: Organisation) -> None:
    """Accounts get a tier, a discount, an amount, a last visit, and the project they are a reference for."""
    await crm.add_column(ACCOUNT, "Picklist", "new_Tier", label="Loyalty tier", OptionSet=TIERS)
    await crm.add_column(ACCOUNT, "Decimal", "new_Disc", label="Discount", MinValue=0, MaxValue=40)
    await crm.add_column(ACCOUNT, "Money", "new_Spent", label="Spent")
    visit = {"label": "Last visit", "DateTimeBehavior": {"Value": "DateOnly"}}
    await crm.add_column(ACCOUNT, "DateTime", "new_Visit", **visit)
    relationship = {
        "@odata.type": f"{CAST}OneToManyRelationshipMetadata",
        "SchemaName": "new_project_account",
        "ReferencedEntity": "new_project",
        "ReferencingEntity": "account",
        "ReferencedAttribute": "new_projectid",
        "Lookup": {
            "@odata.type": f"{CAST}LookupAttributeMetadata",
            "SchemaName": "new_ReferenceId",
            "DisplayName": label("Reference"),
        },
    }
    async with crm.as_administrator() as administrator:
        answer = await administrator("POST", "RelationshipDefinitions", relationship)
        assert answer.status_code == 204, answer.text
        await administrator.new("new_projects", new_name="Harbour")


async def test_custom_columns_are_arguments_of_the_tables_own_tools() -> None:
    with organisation() as crm:
        await extend_accounts(crm)
        async with client_of(crm) as client:
            found = await schemas(client)
            listing = {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}
    create = found["create_account"]["properties"]
    assert create["new_tier"] == {"type": "string", "description": "Gold, Silver", "title": "Loyalty tier"}
    assert create["new_disc"] == {"type": "number", "minimum": 0, "maximum": 40, "title": "Discount"}
    assert create["new_visit"] == {"type": "string", "format": "date", "title": "Last visit"}
    assert create["new_ReferenceId"] == {"type": "string"}
    assert "new_tier (Loyalty tier)" in listing["list_accounts"]
    # What Dataverse computes of an amount is no column that anybody asks for.
    assert "new_spent_base" not in str(found) + str(listing)
    assert found["create_account"]["required"] == ["name"]


@pytest.mark.parametrize("era", ERAS)
async def test_custom_columns_are_set_filtered_and_shown_by_the_tables_own_tools(era: Era) -> None:
    with organisation() as crm:
        await extend_accounts(crm)
        async with client_of(crm, era=era) as client:
            made = await done(
                client,
                "create_account",
                name="Proseware",
                new_tier="gold",
                new_disc=12.5,
                new_spent=900,
                new_visit="2026-10-05",
                new_ReferenceId="Harbour",
            )
            assert made["record"]["new_tier"] == "Gold"
            assert made["record"]["new_referenceid"]["name"] == "Harbour"
            for given in (
                {"filter": "new_tier eq 'Gold' and new_disc ge 10"},
                {"where": [{"column": "Loyalty tier", "op": "eq", "value": "Gold"}]},
                {"where": [{"column": "Reference", "op": "eq", "value": "Harbour"}]},
                {"where": [{"column": "Last visit", "op": "between", "value": ["2026-10-01", "2026-10-31"]}]},
            ):
                listed = await done(client, "list_accounts", select=["name", "new_tier"], **given)
                assert [(item["name"], item["new_tier"]) for item in listed["records"]] == [
                    ("Proseware", "Gold")
                ], given
            key = made["record"]["accountid"]
            changed = await done(client, "update_account", accountid=key, new_tier="Silver", new_visit=None)
            assert changed["record"]["new_tier"] == "Silver"
            assert "new_visit" not in changed["record"]
            error = await refused(client, "create_account", name="Other", new_tier="Golden")
            assert "Did you mean Gold" in error["message"]
        (row,) = await crm.rows("accounts?$filter=name eq 'Proseware'")
        assert (row["new_tier"], row["new_disc"], row["new_visit"]) == (2, 12.5, None)


@pytest.mark.parametrize("era", ERAS)
async def test_custom_columns_go_by_their_labels_in_the_tools_for_any_table(era: Era) -> None:
    with organisation() as crm:
        await extend_accounts(crm)
        async with client_of(crm, era=era, toolsets=("compact", "insight")) as client:
            told = await text_of(client, "describe_table", table="account")
            assert "new_tier | Loyalty tier | Picklist | yes |  |  | Gold, Silver" in told
            assert "new_referenceid | Reference | lookup to new_project | yes" in told
            values = {"Account Name": "Proseware", "Loyalty Tier": "Gold", "Reference": "harbour"}
            made = await done(client, "create_record", table="account", values=values)
            assert made["record"]["new_referenceid"]["name"] == "Harbour"
            where = [{"column": "loyalty tier", "op": "eq", "value": "gold"}]
            columns = ["Account Name", "Loyalty tier", "Reference"]
            found = await done(client, "query_records", table="account", where=where, columns=columns)
            (record,) = found["records"]
            assert (record["name"], record["new_tier"]) == ("Proseware", "Gold")
            groups = await done(client, "summarize_records", table="account", by=["Loyalty tier"])
            assert "Gold" in str(groups)
            completed = await client.complete(
                RECORDS, {"name": "column", "value": "Loy"}, {"table": "account"}
            )
            assert completed.completion.values[0] == "Loyalty tier"


async def test_a_custom_lookup_is_answered_with_the_candidates_where_a_name_is_not_enough() -> None:
    with organisation() as crm:
        await extend_accounts(crm)
        async with crm.as_administrator() as administrator:
            await administrator.new("new_projects", new_name="Harbour")
        async with client_of(crm) as client:
            error = await refused(client, "create_account", name="Proseware", new_ReferenceId="Harbour")
            assert error["code"] == "ambiguous_name"
            assert [item["name"] for item in error["candidates"]] == ["Harbour", "Harbour"]
            error = await refused(client, "create_account", name="Proseware", new_ReferenceId="Harbor")
            assert [item["name"] for item in error["candidates"]] == ["Harbour", "Harbour"]
        assert await crm.rows("accounts?$filter=name eq 'Proseware'") == []


async def test_two_columns_of_one_label_are_both_named_and_neither_is_taken() -> None:
    with organisation() as crm:
        await crm.add_column(ACCOUNT, "String", "new_Region", label="Region")
        await crm.add_column(ACCOUNT, "String", "new_SalesRegion", label="Region")
        await crm.add_column(PROJECT, "String", "new_Area", label="Name")
        async with client_of(crm, toolsets=("compact",)) as client:
            where = [{"column": "Region", "op": "eq", "value": "North"}]
            for error in (
                await refused(client, "query_records", table="account", where=where),
                await refused(client, "query_records", table="account", columns=["region"]),
                await refused(
                    client, "create_record", table="account", values={"name": "Proseware", "Region": "North"}
                ),
            ):
                assert "new_region, new_salesregion" in error["message"]
            error = await refused(client, "create_record", table="new_project", values={"Name": "A"})
            assert "new_name, new_area" in error["message"]
            await done(client, "create_record", table="account", values={"name": "P", "new_region": "North"})
        assert len(await crm.rows("accounts?$filter=new_region eq 'North'")) == 1
        assert await crm.rows("new_projects") == []


async def test_a_standard_column_goes_by_the_label_that_the_organisation_gave_it() -> None:
    with organisation() as crm:
        async with crm.as_administrator() as administrator:
            answer = await administrator(
                "PUT",
                f"{ACCOUNT}/Attributes(LogicalName='accountnumber')",
                {
                    "@odata.type": f"{CAST}StringAttributeMetadata",
                    "SchemaName": "AccountNumber",
                    "DisplayName": label("Debtor number"),
                },
            )
            assert answer.status_code == 204, answer.text
        async with client_of(crm, toolsets=("compact", "insight")) as client:
            assert "accountnumber | Debtor number" in await text_of(client, "describe_table", table="account")
            values = {"name": "Proseware", "Debtor number": "D-1"}
            await done(client, "create_record", table="account", values=values)
        assert [row["name"] for row in await crm.rows("accounts?$filter=accountnumber eq 'D-1'")] == [
            "Proseware"
        ]
