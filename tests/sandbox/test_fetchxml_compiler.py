"""FetchXML against a handful of real rows: columns, links, filters, order."""

from __future__ import annotations

import pytest

from crm_sandbox.queries.fetchxml import run
from tests.sandbox.fetches import ACCOUNT, EURO, TEAM, answered, compiled, guid, names, open_store, rows


@pytest.fixture(scope="module")
def store():
    store = open_store()
    yield store
    store.close()


# Columns


def test_attributes_are_answered_under_their_names_with_the_key_and_the_version(store):
    fetch = compiled(store, ACCOUNT.format("<attribute name='name'/><attribute name='ownerid'/>"))
    assert [column.name for column in fetch.columns] == ["name", "_ownerid_value", "accountid"]
    (row,) = (row for row in run(fetch, store).rows if row[fetch.columns[0].place] == "City Power")
    owner = fetch.columns[1]
    assert (row[owner.place], row[owner.type_place]) == (TEAM, "team")
    assert row[fetch.version_place] == 1003
    assert fetch.columns[0].column is store.schema["account"].columns["name"]
    assert not any(column.is_aliased or column.is_aggregate for column in fetch.columns)


@pytest.mark.parametrize("inner", ["", "<all-attributes/>", "<all-attributes/><attribute name='name'/>"])
def test_without_attributes_every_column_is_answered(store, inner):
    fetch = compiled(store, ACCOUNT.format(inner))
    wanted = {column.wire for column in store.schema["account"].columns.values()}
    assert {column.name for column in fetch.columns} == wanted
    assert len(run(fetch, store).rows) == 5


def test_no_attrs_answers_the_key_alone(store):
    fetch = compiled(store, ACCOUNT.format("<no-attrs/>"))
    assert [column.name for column in fetch.columns] == ["accountid"]


def test_an_amount_brings_its_currency(store):
    fetch = compiled(store, ACCOUNT.format("<attribute name='revenue'/>"))
    assert [column.name for column in fetch.columns] == [
        "revenue",
        "accountid",
        "_transactioncurrencyid_value",
    ]
    assert run(fetch, store).rows[0][fetch.columns[0].currency_place] == EURO


def test_an_alias_names_the_property(store):
    fetch = compiled(store, ACCOUNT.format("<attribute name='name' alias='title'/><order attribute='name'/>"))
    assert answered(fetch, run(fetch, store).rows)[0] == {"title": "A. Datum"}
    assert fetch.columns[0].is_aliased


def test_the_number_of_children_is_a_property_of_the_row(store):
    inner = (
        "<attribute name='name'/><attribute name='accountid' rowaggregate='CountChildren' alias='children'/>"
    )
    found = {row["name"]: row["children"] for row in rows(store, ACCOUNT.format(inner))}
    assert (found["Adventure Works"], found["Contoso"], found["A. Datum"]) == (2, 1, 0)


# Links


def test_a_link_joins_and_answers_its_columns_under_its_alias(store):
    inner = """<attribute name='name'/><order attribute='name'/>
      <link-entity name='contact' from='contactid' to='primarycontactid' link-type='inner' alias='person'>
        <attribute name='fullname'/><attribute name='parentcustomerid'/>
      </link-entity>"""
    assert rows(store, ACCOUNT.format(inner))[0] == {
        "name": "Adventure Works",
        "person.fullname": "Susanna Stubberod",
        "person.parentcustomerid": guid(1),
    }
    fetch = compiled(store, ACCOUNT.format(inner))
    parent = next(column for column in fetch.columns if column.name == "person.parentcustomerid")
    assert run(fetch, store).rows[0][parent.type_place] == "account"
    assert (parent.table.name, parent.is_aliased) == ("contact", True)


def test_a_link_without_an_alias_is_numbered_and_known_by_its_table(store):
    inner = """<attribute name='fullname'/>
      <filter><condition entityname='account' attribute='name' operator='eq' value='contoso'/></filter>
      <link-entity name='systemuser' from='systemuserid' to='ownerid' link-type='outer'/>
      <link-entity name='account' from='primarycontactid' to='contactid'><attribute name='name'/>
        </link-entity>"""
    xml = f"<fetch><entity name='contact'>{inner}</entity></fetch>"
    assert rows(store, xml) == [{"fullname": "Yvonne McKay", "account2.name": "Contoso"}]


def test_a_filter_in_an_outer_link_is_part_of_the_join_and_by_entityname_it_comes_after(store):
    link = """<link-entity name='contact' from='parentcustomerid' to='accountid' link-type='outer' alias='c'>
        <filter><condition attribute='lastname' operator='eq' value='Anderson'/></filter></link-entity>"""
    assert len(names(store, link)) == 5
    after = "<filter><condition entityname='c' attribute='contactid' operator='not-null'/></filter>"
    assert names(store, after + link) == ["Adventure Works"]
    nobody = "<filter entityname='c'><condition attribute='contactid' operator='null'/></filter>"
    assert "Adventure Works" not in names(store, nobody + link)


def test_links_lead_on_through_an_intersect_table(store):
    inner = """<attribute name='fullname'/>
      <link-entity name='teammembership' from='systemuserid' to='systemuserid' intersect='true'>
        <link-entity name='team' from='teamid' to='teamid' alias='team'><attribute name='name'/></link-entity>
      </link-entity>"""
    xml = f"<fetch top='2'><entity name='systemuser'>{inner}</entity></fetch>"
    assert rows(store, xml) == [{"fullname": "Zoe", "team.name": "Anglers"}]


def test_columns_without_a_relationship_link_by_equal_values_whatever_the_case(store):
    inner = """<attribute name='name'/><order attribute='name'/>
      <link-entity name='account' from='address1_city' to='address1_city' alias='near'>
        <filter><condition attribute='name' operator='eq' value='City Power'/></filter></link-entity>"""
    assert names(store, inner) == ["A. Datum", "City Power", "Contoso"]


@pytest.mark.parametrize(
    ("kind", "filtered", "expected"),
    [
        ("exists", "Contoso", ["Yvonne McKay"]),
        ("in", "Contoso", ["Yvonne McKay"]),
        ("exists", None, ["Susanna Stubberod", "Yvonne McKay"]),
    ],
)
def test_semi_joins_answer_a_row_once(store, kind, filtered, expected):
    condition = (
        f"<filter><condition attribute='name' operator='eq' value='{filtered}'/></filter>" if filtered else ""
    )
    link = (
        "<link-entity name='account' from='primarycontactid' to='contactid' "
        f"link-type='{kind}'>{condition}</link-entity>"
    )
    assert names(store, link, "contact", "fullname") == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("any", ["Yvonne McKay"]),
        ("not any", ["Nancy Anderson", "Sidney Sidney", "Susanna Stubberod"]),
        ("all", ["Susanna Stubberod"]),
        ("not all", ["Yvonne McKay"]),
    ],
)
def test_links_in_filters_mean_what_the_documentation_says(store, kind, expected):
    inner = f"""<filter><link-entity name='account' from='primarycontactid' to='contactid' link-type='{kind}'>
      <filter><condition attribute='name' operator='eq' value='Contoso'/></filter></link-entity></filter>"""
    assert names(store, inner, "contact", "fullname") == expected


def test_a_link_in_a_filter_is_one_of_its_conditions(store):
    inner = """<filter type='or'><condition attribute='lastname' operator='eq' value='Sidney'/>
      <link-entity name='account' from='accountid' to='parentcustomerid' link-type='any'>
        <link-entity name='account' from='accountid' to='parentaccountid' alias='up'/>
        <filter><condition entityname='up' attribute='name' operator='eq' value='Adventure Works'/></filter>
      </link-entity></filter>"""
    assert names(store, inner, "contact", "fullname") == ["Sidney Sidney", "Yvonne McKay"]
    fetch = compiled(store, f"<fetch><entity name='contact'>{inner}</entity></fetch>")
    assert [table.name for table in fetch.tables] == ["contact", "account"]


def test_the_first_match_of_a_link_answers_a_row_once_under_bare_names(store):
    inner = """<attribute name='fullname'/>
      <link-entity name='account' from='primarycontactid' to='contactid'
        link-type='matchfirstrowusingcrossapply'>
        <attribute name='name'/><filter><condition attribute='name' operator='ne' value='x'/></filter>
          </link-entity>
      <order attribute='fullname'/>"""
    assert rows(store, f"<fetch><entity name='contact'>{inner}</entity></fetch>") == [
        {"fullname": "Susanna Stubberod", "Name": "Adventure Works"},
        {"fullname": "Yvonne McKay", "Name": "Contoso"},
    ]


# Filters


def test_filters_nest(store):
    inner = """<filter type='or'>
      <filter type='and'><condition attribute='address1_city' operator='eq' value='redmond'/>
        <condition attribute='numberofemployees' operator='between'><value>2000</value><value>3000</value>
          </condition>
      </filter>
      <condition attribute='address1_city' operator='null'/></filter><filter/>"""
    assert names(store, inner) == ["City Power", "Example Account"]


def test_a_condition_takes_the_values_of_its_children(store):
    inner = (
        "<filter><condition attribute='name' operator='in' value=''><value>CONTOSO</value>"
        "<value>x</value></condition></filter>"
    )
    assert names(store, inner) == ["Contoso"]


def test_a_condition_compares_columns_of_the_row_and_of_links(store):
    same = "<filter><condition attribute='firstname' operator='eq' valueof='lastname'/></filter>"
    assert names(store, same, "contact", "fullname") == ["Sidney Sidney"]
    other = "<filter><condition attribute='firstname' operator='ne' valueof='lastname'/></filter>"
    assert len(names(store, other, "contact", "fullname")) == 3
    inner = """<filter>
      <condition attribute='numberofemployees' operator='gt' valueof='up.numberofemployees'/></filter>
      <link-entity name='account' from='accountid' to='parentaccountid' alias='up'/>"""
    assert names(store, inner) == ["A. Datum", "City Power"]


def test_conditions_know_who_asks_and_the_hierarchy(store):
    mine = "<filter><condition attribute='ownerid' operator='eq-userid'/></filter>"
    assert "City Power" not in names(store, mine)
    under = f"<filter><condition attribute='accountid' operator='under' value='{guid(1)}'/></filter>"
    assert names(store, under) == ["A. Datum", "City Power", "Contoso"]


# Order


def test_lookups_sort_by_name_and_choices_by_label_unless_raw_is_asked_for(store):
    xml = (
        "<fetch{}><entity name='account'><attribute name='name'/><order attribute='{}'/>"
        "<order attribute='name' descending='true'/></entity></fetch>"
    )
    assert rows(store, xml.format("", "ownerid"))[0] == {"name": "City Power"}
    # Accounting, Building Supply Retail, Wholesale
    assert [row["name"] for row in rows(store, xml.format("", "industrycode"))] == [
        "Example Account",
        "Contoso",
        "City Power",
        "Adventure Works",
        "A. Datum",
    ]
    assert rows(store, xml.format(" useraworderby='true'", "industrycode"))[-1] == {"name": "A. Datum"}


def test_orders_of_links_come_after_those_of_the_entity_unless_it_names_them(store):
    link = "<link-entity name='account' from='accountid' to='parentaccountid' alias='up'>{}</link-entity>"
    inside = link.format("<order attribute='name' descending='1'/>")
    assert names(store, inside) == ["A. Datum", "City Power", "Contoso"]
    first = (
        "<attribute name='name'/><order entityname='up' attribute='name' descending='true'/>"
        "<order attribute='name'/>"
    )
    found = rows(store, ACCOUNT.format(first + link.format("")))
    assert [row["name"] for row in found] == ["City Power", "A. Datum", "Contoso"]
