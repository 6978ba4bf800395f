"""Microsoft's SDK reads and writes records, alone, many at once and in batches."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import DataverseError, HttpError
from PowerPlatform.Dataverse.models import UpsertItem
from PowerPlatform.Dataverse.models.filters import col, raw
from PowerPlatform.Dataverse.models.query_builder import ExpandOption


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
    rows = client.query.sql("SELECT TOP 3 name, revenue FROM account WHERE revenue > 1000 ORDER BY name")
    assert len(rows) == 3
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


def test_every_kind_of_filter_finds_what_it_says(client: DataverseClient) -> None:
    values = [
        {"name": f"Filter {number}", "numberofemployees": number, "address1_city": city}
        for number, city in enumerate(["Oslo", "Bergen", "Bodø", None], 1)
    ]
    client.records.create("account", values)
    base = col("name").startswith("Filter ")
    found = {
        "null": col("address1_city").is_null(),
        "not null": col("address1_city").is_not_null(),
        "in": col("address1_city").in_(["Oslo", "Bodø"]),
        "not in": col("numberofemployees").not_in([1, 2]),
        "not between": col("numberofemployees").not_between(2, 3),
        "ends": col("name").endswith("4"),
        "contains": col("address1_city").contains("ER"),
        "not like": col("name").not_like("%1"),
        "more": col("numberofemployees") > 2,
        "either": (col("numberofemployees") <= 1) | (col("address1_city") == "bergen"),
    }
    expected = {
        "null": [4],
        "not null": [1, 2, 3],
        "in": [1, 3],
        "not in": [3, 4],
        "not between": [1, 4],
        "ends": [4],
        "contains": [2],
        "not like": [2, 3, 4],
        "more": [3, 4],
        "either": [1, 2],
    }
    for name, condition in found.items():
        query = client.query.builder("account").select("numberofemployees").where(base & condition)
        rows = query.order_by("numberofemployees").execute()
        assert [row["numberofemployees"] for row in rows] == expected[name], name


def test_expansions_are_nested_and_pages_become_data_frames(client: DataverseClient) -> None:
    account = new_account(client)
    for name in ("Berg", "Aas", "Dahl"):
        bind = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
        client.records.create("contact", {"lastname": name, **bind})
    contacts = ExpandOption("contact_customer_accounts").select("lastname").filter("lastname ne 'Dahl'")
    query = client.query.builder("account").select("name").where(col("accountid") == UUID(account))
    (row,) = query.expand(contacts.order_by("lastname")).execute()
    assert [item["lastname"] for item in row["contact_customer_accounts"]] == ["Aas", "Berg"]
    pages = client.query.builder("account").select("name").page_size(80).count().execute_pages()
    assert len(list(pages)) > 1
    frame = client.query.builder("contact").select("lastname").order_by("lastname").top(60)
    assert len(frame.execute().to_dataframe()) == 60


def test_a_batch_upserts_reads_and_takes_data_frames(client: DataverseClient) -> None:
    import pandas as pd

    account = new_account(client, telephone1="1")
    batch = client.batch.new()
    batch.records.upsert("new_project", [UpsertItem({"new_code": "B-1"}, {"new_name": "By batch"})])
    batch.records.upsert(
        "new_project", [UpsertItem({"new_code": f"B-{n}"}, {"new_name": "Many"}) for n in (1, 2)]
    )
    batch.records.update("account", [account], {"telephone1": "2"})
    batch.records.retrieve("account", account, select=["telephone1"])
    batch.dataframe.create("lead", pd.DataFrame([{"lastname": "Batch frame"}]))
    answers = batch.execute()
    assert not answers.has_errors
    read = [item.data for item in answers.responses if item.data and "telephone1" in item.data]
    assert [row["telephone1"] for row in read] == ["2"]
    assert len(list(client.records.list("new_project", filter="startswith(new_code,'B-')"))) == 2
    removed = client.batch.new()
    removed.records.delete("account", account)
    assert not removed.execute().has_errors
    assert client.records.retrieve("account", account) is None


def test_a_changeset_that_fails_leaves_nothing(client: DataverseClient) -> None:
    batch = client.batch.new()
    with batch.changeset() as changes:
        changes.records.create("account", {"name": "Half done"})
        changes.records.update("account", str(uuid4()), {"name": "x"})
    assert batch.execute().has_errors
    assert not list(client.records.list("account", filter="name eq 'Half done'"))


def test_a_duplicate_and_a_wrong_value_are_errors_of_the_sdk(client: DataverseClient) -> None:
    key = new_account(client)
    for values, status in (({"accountid": key}, 412), ({"name": "x" * 161}, 400), ({"nothing": 1}, 400)):
        with pytest.raises(HttpError) as failure:
            client.records.create("account", {"name": "Again", **values})
        assert failure.value.status_code == status
