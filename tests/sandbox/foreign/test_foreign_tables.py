"""Microsoft's SDK describes, makes, changes and removes tables."""

from __future__ import annotations

from enum import IntEnum
from uuid import uuid4

import pytest
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models import UpsertItem
from PowerPlatform.Dataverse.models.labels import Label, LocalizedLabel
from PowerPlatform.Dataverse.models.relationship import (
    CascadeConfiguration,
    LookupAttributeMetadata,
    ManyToManyRelationshipMetadata,
    OneToManyRelationshipMetadata,
)


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
    account = client.records.create("account", {"name": "Foreign"})
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


def test_columns_are_described_with_their_types_and_limits(client: DataverseClient) -> None:
    typed = {item["LogicalName"]: item for item in client.tables.list_columns("account", typed=True)}
    assert typed["name"]["MaxLength"] == 160
    one = client.tables.get_column("account", "revenue", typed=True)
    assert one is not None
    assert one["Precision"] == 2
    money = client.tables.list_columns("account", select=["LogicalName"], filter="AttributeType eq 'Money'")
    assert "revenue" in {item["LogicalName"] for item in money}
    assert client.tables.get_column("account", "nothing") is None
    with pytest.warns(DeprecationWarning, match="odata_select"):
        assert "name" in client.query.odata_select("account")
    with pytest.warns(DeprecationWarning, match="odata_expand"):
        assert client.query.odata_expand("contact", "account") == "parentcustomerid_account"


def test_limits_of_columns_are_changed_together(client: DataverseClient) -> None:
    client.tables.create("new_Gauge", {"new_Low": "int", "new_Text": "string"})
    changed = {"new_Low": {"max_value": 3}, "new_Text": {"max_length": 4, "required": "Recommended"}}
    assert sorted(client.tables.update_columns("new_Gauge", changed)) == ["new_Low", "new_Text"]
    for values in ({"new_low": 4}, {"new_text": "12345"}):
        with pytest.raises(HttpError):
            client.records.create("new_Gauge", values)
    client.tables.delete("new_Gauge")


def test_a_relationship_with_a_cascade_is_made_and_found(client: DataverseClient) -> None:
    client.tables.create("new_Parcel", {"new_Weight": "decimal"})
    made = client.tables.create_one_to_many_relationship(
        LookupAttributeMetadata("new_SenderId", Label([LocalizedLabel("Sender", 1033)])),
        OneToManyRelationshipMetadata(
            schema_name="new_contact_new_parcel",
            referenced_entity="contact",
            referencing_entity="new_parcel",
            referenced_attribute="contactid",
            cascade_configuration=CascadeConfiguration(delete="Cascade"),
        ),
    )
    found = client.tables.get_relationship("new_contact_new_parcel")
    assert found is not None
    assert found.relationship_id == made.relationship_id
    contact = client.records.create("contact", {"lastname": "Sender"})
    parcel = client.records.create("new_Parcel", {"new_SenderId@odata.bind": f"/contacts({contact})"})
    client.records.delete("contact", contact)
    assert client.records.retrieve("new_Parcel", parcel) is None
    client.tables.delete("new_Parcel")


def test_tables_are_made_and_removed_in_a_batch(client: DataverseClient) -> None:
    batch = client.batch.new()
    batch.tables.create("new_Badge", {"new_Colour": "string"})
    assert not batch.execute().has_errors
    batch = client.batch.new()
    batch.tables.add_columns("new_Badge", {"new_Size": "int"})
    batch.tables.create_lookup_field("new_badge", "new_OwnerContactId", "contact")
    batch.tables.create_many_to_many_relationship(
        ManyToManyRelationshipMetadata("new_badge_account", "new_badge", "account")
    )
    batch.tables.get("new_Badge")
    batch.tables.list(filter="LogicalName eq 'new_badge'", select=["LogicalName"])
    batch.tables.get_relationship("new_badge_account")
    answers = batch.execute()
    assert not answers.has_errors
    client.records.create("new_Badge", {"new_size": 3})
    relationship = client.tables.get_relationship("new_badge_account")
    assert relationship is not None
    batch = client.batch.new()
    batch.tables.delete_relationship(str(relationship.relationship_id))
    batch.tables.remove_columns("new_Badge", ["new_Size"])
    assert not batch.execute().has_errors
    batch = client.batch.new()
    batch.tables.delete("new_Badge")
    assert not batch.execute().has_errors
    assert client.tables.get("new_Badge") is None


def test_a_file_column_is_refused_clearly(client: DataverseClient) -> None:
    with pytest.raises(HttpError) as failure:
        client.tables.create("new_Scan", {"new_Image": "file"})
    assert failure.value.status_code == 501
    assert "columns of types such as File" in str(failure.value)
