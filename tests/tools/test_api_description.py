"""The API description is valid and says what the product is asked to wrap."""

from __future__ import annotations

import pytest
from openapi_spec_validator import validate

from crm_tools.catalogue import catalogue
from crm_tools.description import document, load
from crm_tools.tables import ColumnType

OPERATIONS = """
listAccounts       GET    /accounts                       list_accounts
createAccount      POST   /accounts                       create_account
getAccount         GET    /accounts({accountid})          get_account
updateAccount      PATCH  /accounts({accountid})          update_account
deleteAccount      DELETE /accounts({accountid})          delete_account
listContacts       GET    /contacts                       list_contacts
createContact      POST   /contacts                       create_contact
getContact         GET    /contacts({contactid})          get_contact
updateContact      PATCH  /contacts({contactid})          update_contact
deleteContact      DELETE /contacts({contactid})          delete_contact
listOpportunities  GET    /opportunities                  list_opportunities
createOpportunity  POST   /opportunities                  create_opportunity
getOpportunity     GET    /opportunities({opportunityid}) get_opportunity
updateOpportunity  PATCH  /opportunities({opportunityid}) update_opportunity
deleteOpportunity  DELETE /opportunities({opportunityid}) delete_opportunity
listLeads          GET    /leads                          list_leads
createLead         POST   /leads                          create_lead
getLead            GET    /leads({leadid})                get_lead
updateLead         PATCH  /leads({leadid})                update_lead
deleteLead         DELETE /leads({leadid})                delete_lead
"""

COLUMNS = {
    "account": "accountid name accountnumber revenue numberofemployees telephone1 emailaddress1 websiteurl "
    "address1_city address1_stateorprovince address1_country industrycode statecode",
    "contact": "contactid firstname lastname fullname emailaddress1 telephone1 jobtitle address1_city "
    "address1_stateorprovince statecode",
    "opportunity": "opportunityid name estimatedvalue estimatedclosedate stepname description statecode "
    "statuscode",
    "lead": "leadid firstname lastname fullname emailaddress1 companyname jobtitle telephone1 subject "
    "statecode statuscode",
}

LENGTHS = [
    ("account", "name", 160),
    ("account", "accountnumber", 20),
    ("account", "websiteurl", 200),
    ("account", "address1_line1", 250),
    ("account", "description", 2000),
    ("contact", "fullname", 160),
    ("contact", "mobilephone", 50),
    ("contact", "jobtitle", 100),
    ("lead", "subject", 300),
    ("lead", "mobilephone", 20),
    ("opportunity", "name", 300),
    ("opportunity", "stepname", 200),
]


def test_the_description_is_valid_openapi_3_1() -> None:
    doc = document()
    validate(doc)
    assert doc["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "row", [line.split() for line in OPERATIONS.strip().splitlines()], ids=lambda row: row[0]
)
def test_each_operation_is_described_and_is_a_tool(row: list[str]) -> None:
    operation_id, method, path, tool_name = row
    operation = load().operations[operation_id]
    tool = next(tool for tool in catalogue() if tool.operation.operation_id == operation_id)
    assert (operation.method, operation.path, tool.name) == (method, path, tool_name)


def test_there_are_no_other_operations_or_tools() -> None:
    asked = {line.split()[0] for line in OPERATIONS.strip().splitlines()}
    assert set(load().operations) == asked
    assert {tool.operation.operation_id for tool in catalogue()} == asked
    assert len(catalogue()) == len(asked)


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_that_is_asked_for_is_described(table: str) -> None:
    assert set(COLUMNS[table].split()) <= set(load().tables[table].columns)


@pytest.mark.parametrize(("table", "column", "length"), LENGTHS)
def test_lengths_are_those_of_dataverse(table: str, column: str, length: int) -> None:
    assert load().tables[table].columns[column].max_length == length


def test_list_operations_take_the_query_options_and_get_the_two_that_fit() -> None:
    doc = document()

    def options(path: str, method: str) -> set[str]:
        names = [item["$ref"].rpartition("/")[2] for item in doc["paths"][path][method]["parameters"]]
        return {doc["components"]["parameters"][name]["name"] for name in names}

    assert options("/accounts", "get") == {"$select", "$filter", "$top", "$orderby", "$expand", "$count"}
    assert options("/accounts({accountid})", "get") == {"$select", "$expand"}


def test_sign_in_is_the_authorization_code_flow_with_the_default_scope() -> None:
    doc = document()
    scheme = doc["components"]["securitySchemes"]["entraId"]
    assert scheme["type"] == "oauth2"
    assert list(scheme["flows"]) == ["authorizationCode"]
    assert list(scheme["flows"]["authorizationCode"]["scopes"]) == ["{org}/.default"]


def test_computed_names_cannot_be_set_and_keys_only_on_create() -> None:
    tables = load().tables
    assert not tables["contact"].columns["fullname"].on_create
    assert not tables["lead"].columns["fullname"].on_update
    assert tables["account"].columns["accountid"].on_create
    assert not tables["account"].columns["accountid"].on_update


def test_states_cannot_be_set_on_create() -> None:
    for table in load().tables.values():
        assert not table.columns["statecode"].on_create
        assert table.columns["statecode"].on_update


def test_choices_have_labels_and_status_reasons_their_state() -> None:
    tables = load().tables
    industry = tables["account"].columns["industrycode"]
    assert len(industry.choices) == 33
    assert industry.choices[6].label == "Consulting"
    lead_status = tables["lead"].columns["statuscode"]
    assert {choice.label: choice.state for choice in lead_status.choices} == {
        "New": 0,
        "Contacted": 0,
        "Qualified": 1,
        "Lost": 2,
        "Cannot Contact": 2,
        "No Longer Interested": 2,
        "Canceled": 2,
    }


def test_the_estimated_close_date_is_a_date_without_a_time() -> None:
    assert load().tables["opportunity"].columns["estimatedclosedate"].type is ColumnType.DATE_ONLY


def test_every_relationship_leads_back_through_a_lookup_of_the_related_table() -> None:
    tables = load().tables
    for table in tables.values():
        for relationship in table.relationships.values():
            assert tables[relationship.table].navigations[relationship.lookup].table == table.name
