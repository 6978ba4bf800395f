"""Microsoft's own Python SDK works on the sandbox over TLS, signed in by Microsoft's own library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.identity import ClientSecretCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import DataverseError, HttpError
from PowerPlatform.Dataverse.models import UpsertItem
from PowerPlatform.Dataverse.models.filters import col, raw
from PowerPlatform.Dataverse.models.relationship import ManyToManyRelationshipMetadata

from tests.interaction.connecting import environment

TABLE = Path(__file__).with_name("new_project.toml")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataverseClient]:
    folder = tmp_path_factory.mktemp("tls")
    command = [sys.executable, "-m", "crm_server", "sandbox", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--tls", str(folder), "--table", str(TABLE)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    try:
        lines = [process.stderr.readline() for _ in range(3)]
        known = dict(word.split("=", 1) for word in lines[2].split() if "=" in word)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REQUESTS_CA_BUNDLE", known["SSL_CERT_FILE"])
            credential = ClientSecretCredential(
                known["DYNAMICS_TENANT_ID"],
                known["DYNAMICS_CLIENT_ID"],
                known["DYNAMICS_CLIENT_SECRET"],
                authority=known["DYNAMICS_URL"],
                disable_instance_discovery=True,
                connection_verify=known["SSL_CERT_FILE"],
            )
            with DataverseClient(known["DYNAMICS_URL"], credential) as found:
                yield found
            credential.close()
    finally:
        process.terminate()
        process.communicate(timeout=10)


def new_account(client: DataverseClient, **values: Any) -> str:
    return str(client.records.create("account", {"name": "Foreign", **values}))


def test_a_record_is_created_read_changed_and_deleted(client: DataverseClient) -> None:
    key = new_account(client, telephone1="555-0100")
    assert client.records.retrieve("account", key, select=["name"])["name"] == "Foreign"
    client.records.update("account", key, {"telephone1": "555-0199"})
    assert client.records.retrieve("account", key)["telephone1"] == "555-0199"
    client.records.delete("account", key)
    assert client.records.retrieve("account", key) is None


def test_an_update_of_a_record_that_is_not_there_fails(client: DataverseClient) -> None:
    with pytest.raises(HttpError) as failure:
        client.records.update("account", str(uuid4()), {"name": "x"})
    assert failure.value.status_code == 404


def test_many_records_are_created_changed_and_deleted_at_once(client: DataverseClient) -> None:
    keys = client.records.create("contact", [{"lastname": f"Bulk {number}"} for number in range(5)])
    assert len(set(keys)) == 5
    client.records.update("contact", keys, {"jobtitle": "Tester"})
    found = client.records.list("contact", filter="jobtitle eq 'Tester'", select=["lastname"])
    assert len(list(found)) == 5
    job = client.records.delete("contact", keys)
    assert job
    assert not list(client.records.list("contact", filter="jobtitle eq 'Tester'"))
    assert client.records.retrieve("asyncoperation", job)["statuscode"] == 30


def test_labels_of_choices_are_understood(client: DataverseClient) -> None:
    key = new_account(client, industrycode="Consulting")
    row = client.records.retrieve("account", key, include_annotations="*")
    assert row["industrycode"] == 7
    assert row["industrycode@OData.Community.Display.V1.FormattedValue"] == "Consulting"


def test_lists_follow_every_page(client: DataverseClient) -> None:
    rows = list(client.records.list("account", select=["name"], orderby=["name asc"], page_size=60))
    pages = list(client.records.list_pages("account", select=["name"], page_size=60))
    assert len(rows) == sum(len(list(page)) for page in pages) >= 200
    assert len({row["accountid"] for row in rows}) == len(rows)
    assert len(list(client.records.list("account", top=3))) == 3


def test_queries_are_built_with_filters_expansion_and_annotations(client: DataverseClient) -> None:
    query = (
        client.query.builder("account")
        .select("name", "revenue")
        .where((col("statecode") == 0) & col("revenue").between(1_000_000, 50_000_000))
        .where(col("name").like("%a%") & ~col("name").startswith("zzz"))
        .where(col("address1_city").in_(["Seattle", "Munich", "Paris"]))
        .order_by("revenue", descending=True)
        .expand("primarycontactid")
        .top(5)
        .include_formatted_values()
    )
    rows = list(query.execute())
    assert rows
    values = [row["revenue"] for row in rows]
    assert values == sorted(values, reverse=True)
    assert "revenue@OData.Community.Display.V1.FormattedValue" in rows[0]
    assert any(row["primarycontactid"] for row in rows)
    assert list(client.query.builder("account").where(raw("name eq 'Fabrikam, Inc.'")).execute())


def test_sql_reads(client: DataverseClient) -> None:
    rows = client.query.sql("SELECT name, revenue FROM account WHERE revenue > 1000 ORDER BY name")
    assert len(rows) > 100
    counted = client.query.sql(
        "SELECT a.name, COUNT(c.contactid) AS n FROM account a "
        "JOIN contact c ON a.accountid = c.parentcustomerid GROUP BY a.name"
    )
    assert sum(row["n"] for row in counted) > 100
    with pytest.raises(DataverseError):
        client.query.sql("SELECT nothing_such FROM account")


def test_fetchxml_reads_every_page(client: DataverseClient) -> None:
    xml = """
      <fetch count="80"><entity name="contact"><attribute name="fullname"/>
        <order attribute="fullname"/>
        <link-entity name="account" from="accountid" to="parentcustomerid" alias="a">
          <attribute name="name"/></link-entity>
      </entity></fetch>"""
    pages = list(client.query.fetchxml(xml).execute_pages())
    rows = [row for page in pages for row in page]
    assert len(pages) > 1
    assert len({row["contactid"] for row in rows}) == len(rows)
    assert all(row["a.name"] for row in rows)
    assert len(list(client.query.fetchxml(xml).execute())) == len(rows)


def test_upserts_go_by_alternate_key(client: DataverseClient) -> None:
    client.records.upsert("new_project", [UpsertItem({"new_code": "F-1"}, {"new_name": "One"})])
    many = [UpsertItem({"new_code": f"F-{n}"}, {"new_name": f"Upserted {n}"}) for n in (1, 2)]
    client.records.upsert("new_project", many)
    rows = client.records.list("new_project", filter="startswith(new_code,'F-')", orderby=["new_code"])
    assert [row["new_name"] for row in rows] == ["Upserted 1", "Upserted 2"]


def test_a_batch_holds_reads_writes_and_change_sets(client: DataverseClient) -> None:
    batch = client.batch.new()
    batch.records.create("account", {"name": "In a batch"})
    with batch.changeset() as changes:
        made = changes.records.create("contact", {"lastname": "Of a batch"})
        changes.records.update("contact", made, {"jobtitle": "Changed"})
    batch.records.list("account", filter="name eq 'In a batch'", select=["name"])
    batch.query.sql("SELECT name FROM account WHERE name = 'In a batch'")
    batch.tables.get("account")
    result = batch.execute()
    assert not result.has_errors
    assert len(result.entity_ids) >= 2
    found = client.records.list("contact", filter="lastname eq 'Of a batch'")
    assert [row["jobtitle"] for row in found] == ["Changed"]


def test_a_batch_that_goes_on_says_which_requests_failed(client: DataverseClient) -> None:
    batch = client.batch.new()
    batch.records.update("account", str(uuid4()), {"name": "x"})
    batch.records.create("account", {"name": "Created all the same"})
    result = batch.execute(continue_on_error=True)
    assert [answer.status_code for answer in result.failed] == [404]
    assert len(result.succeeded) == 1
    stopped = client.batch.new()
    stopped.records.update("account", str(uuid4()), {"name": "x"})
    stopped.records.create("account", {"name": "Never"})
    assert stopped.execute().has_errors
    assert not list(client.records.list("account", filter="name eq 'Never'"))


def test_data_frames_come_and_go(client: DataverseClient) -> None:
    import pandas as pd

    made = client.dataframe.create("lead", pd.DataFrame([{"lastname": "Frame", "companyname": "F"}]))
    frame = client.dataframe.sql("SELECT lastname, companyname FROM lead WHERE lastname = 'Frame'")
    assert list(frame["companyname"]) == ["F"]
    changes = pd.DataFrame([{"leadid": made.iloc[0], "companyname": "G"}])
    client.dataframe.update("lead", changes, id_column="leadid")
    assert client.records.retrieve("lead", made.iloc[0])["companyname"] == "G"
    client.dataframe.delete("lead", made)


def test_tables_are_described(client: DataverseClient) -> None:
    table = client.tables.get("account")
    assert table is not None
    assert (table["entity_set_name"], table["logical_name"]) == ("accounts", "account")
    assert client.tables.get("new_nothing") is None
    assert {"Account", "Contact"} <= {item["SchemaName"] for item in client.tables.list()}
    columns = {item["LogicalName"]: item for item in client.tables.list_columns("account")}
    assert columns["name"]["AttributeType"] == "String"
    assert client.tables.get_column("account", "name")["LogicalName"] == "name"
    relations = client.tables.list_table_relationships("account")
    assert "contact_customer_accounts" in {item["SchemaName"] for item in relations}
    assert client.tables.list_relationships(filter="SchemaName eq 'contact_customer_accounts'")
    names = {item["name"] for item in client.query.sql_columns("account")}
    assert {"name", "accountid"} <= names
    assert client.query.odata_expands("contact")
    with pytest.warns(DeprecationWarning, match="odata_bind"):
        assert client.query.odata_bind("contact", "account", str(uuid4()))


class Stage(IntEnum):
    DRAFT = 100_000_000
    FINAL = 100_000_001


def test_a_table_is_made_used_and_removed(client: DataverseClient) -> None:
    made = client.tables.create(
        "new_Ticket",
        {
            "new_Title": "string",
            "new_Price": "decimal",
            "new_Count": {"type": "int", "min_value": 1, "max_value": 5},
            "new_Due": "datetime",
            "new_Open": "bool",
            "new_Notes": "memo",
            "new_Weight": "float",
            "new_Stage": Stage,
        },
        primary_column="new_TicketName",
        display_name="Ticket",
    )
    assert made["entity_set_name"] == "new_tickets"
    client.tables.add_columns("new_Ticket", {"new_Extra": "string"})
    client.tables.update_column("new_Ticket", "new_Count", {"max_value": 9})
    key = client.records.create(
        "new_Ticket", {"new_ticketname": "T1", "new_count": 8, "new_stage": "FINAL", "new_extra": "x"}
    )
    assert client.records.retrieve("new_Ticket", key)["new_stage"] == Stage.FINAL
    with pytest.raises(HttpError):
        client.records.create("new_Ticket", {"new_count": 10})
    link = client.tables.create_lookup_field("new_ticket", "new_AccountId", "account")
    assert client.tables.get_relationship(link.relationship_schema_name) is not None
    account = new_account(client)
    client.records.update("new_Ticket", key, {"new_AccountId@odata.bind": f"/accounts({account})"})
    assert client.records.retrieve("new_Ticket", key)["_new_accountid_value"] == account
    many = client.tables.create_many_to_many_relationship(
        ManyToManyRelationshipMetadata(
            schema_name="new_ticket_contact",
            entity1_logical_name="new_ticket",
            entity2_logical_name="contact",
        )
    )
    client.tables.delete_relationship(many.relationship_id)
    alternate = client.tables.create_alternate_key("new_Ticket", "new_titlekey", ["new_title"])
    assert [item.schema_name for item in client.tables.get_alternate_keys("new_Ticket")] == ["new_titlekey"]
    client.records.upsert("new_ticket", [UpsertItem({"new_title": "A"}, {"new_ticketname": "By key"})])
    client.tables.delete_alternate_key("new_Ticket", alternate.metadata_id)
    client.tables.remove_columns("new_Ticket", ["new_Extra"])
    client.tables.delete("new_Ticket")
    assert client.tables.get("new_Ticket") is None
