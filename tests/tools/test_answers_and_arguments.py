"""Rows become answers, arguments become operations, and what does not fit is said in words."""

from __future__ import annotations

from typing import Any

import pytest

from crm_tools.arguments import expansions, order_by, values_and_bindings, wire_names
from crm_tools.catalogue import catalogue
from crm_tools.choices import choice_label, choice_value
from crm_tools.description import load
from crm_tools.errors import InputError, UnknownNameError
from crm_tools.operations import Access, Action, Expansion, Fetch, OrderBy, Query
from crm_tools.shaping import MOST_RELATED, record

TABLES = load().tables
ACCOUNT, CONTACT, LEAD = TABLES["account"], TABLES["contact"], TABLES["lead"]
KEY = "0a1b2c3d-0000-4000-8000-0123456789ab"
OTHER = "0a1b2c3d-0000-4000-8000-0123456789ac"
TOOLS = {tool.name: tool for tool in catalogue()}
FORMATTED = "@OData.Community.Display.V1.FormattedValue"


def test_a_record_has_labels_names_and_no_noise() -> None:
    row = {
        "@odata.context": "x",
        "@odata.etag": 'W/"5"',
        "accountid": KEY,
        "name": "Contoso",
        "revenue": 1000.0,
        "description": None,
        "statecode": 0,
        "statecode" + FORMATTED: "Actif",
        "industrycode": 7,
        "_primarycontactid_value": OTHER,
        "_primarycontactid_value" + FORMATTED: "Ann Berg",
        "_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "contact",
        "_ownerid_value": OTHER,
        "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "systemuser",
    }
    assert record(row, ACCOUNT, TABLES) == {
        "accountid": KEY,
        "name": "Contoso",
        "revenue": 1000,
        "statecode": "Actif",
        "industrycode": "Consulting",
        "primarycontactid": {"id": OTHER, "name": "Ann Berg"},
        "ownerid": {"id": OTHER, "table": "systemuser"},
        "etag": 'W/"5"',
    }


def test_related_rows_are_shown_up_to_a_bound_that_is_said() -> None:
    many = Expansion(
        "contact_customer_accounts", "contact", ("contactid",), "_parentcustomerid_value", many=True
    )
    row = {"accountid": KEY, many.name: [{"contactid": KEY}] * (MOST_RELATED + 1)}
    shaped = record(row, ACCOUNT, TABLES, (many,))
    assert len(shaped[many.name]) == MOST_RELATED
    assert "more" in shaped[f"{many.name}_note"]
    fitting = record(
        {"accountid": KEY, many.name: [{"contactid": KEY}] * MOST_RELATED}, ACCOUNT, TABLES, (many,)
    )
    assert f"{many.name}_note" not in fitting


@pytest.mark.parametrize("given", ["Hot", "hot", " HOT ", "1", 1])
def test_a_choice_is_taken_as_label_or_number(given: object) -> None:
    column = LEAD.columns["leadqualitycode"]
    assert choice_value(given, column) == 1
    assert choice_label(1, column) == "Hot"


@pytest.mark.parametrize("given", [True, 1.0, None, [], 9, "Lukewarm"])
def test_what_is_no_choice_is_refused(given: object) -> None:
    with pytest.raises(InputError):
        choice_value(given, LEAD.columns["leadqualitycode"])


def test_columns_are_named_as_on_the_wire_or_by_the_lookup() -> None:
    assert wire_names(["name", "parentaccountid", "_parentaccountid_value"], ACCOUNT) == (
        "name",
        "_parentaccountid_value",
    )
    with pytest.raises(UnknownNameError, match="emailaddress1"):
        wire_names(["emailadress1"], ACCOUNT)


def test_sort_keys_name_what_they_disclose() -> None:
    keys, named = order_by("revenue DESC, primarycontactid/jobtitle,parentaccountid asc", ACCOUNT, TABLES)
    assert keys == (
        OrderBy("revenue", descending=True),
        OrderBy("primarycontactid/jobtitle"),
        OrderBy("_parentaccountid_value"),
    )
    # A lookup sorts by the name of the row it leads to.
    assert named == {
        "account": {"revenue", "_primarycontactid_value", "_parentaccountid_value", "name"},
        "contact": {"jobtitle"},
    }


@pytest.mark.parametrize("text", ["", "name sideways", "name,,revenue", "name; drop", "nme", "owner/name"])
def test_a_sort_order_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        order_by(text, ACCOUNT, TABLES)


def test_an_expanded_lookup_counts_as_reading_that_lookup() -> None:
    concise = {name: table.concise for name, table in TABLES.items()}
    expand = expansions(["primarycontactid", "contact_customer_accounts"], ACCOUNT, TABLES, concise)
    accesses = Fetch("account", KEY, ("accountid",), expand).accesses()
    assert accesses[0] == Access(
        Action.READ, "account", frozenset({"accountid", "_primarycontactid_value"}), rows=1
    )
    assert [access.table for access in accesses[1:]] == ["contact", "contact"]
    assert "_parentcustomerid_value" in accesses[2].reads
    assert Query("account", expand=expand).accesses()[1:] == accesses[1:]


def test_a_lookup_can_be_set_once_and_cleared() -> None:
    values, (binding,) = values_and_bindings({"parentcustomerid_account": KEY.upper()}, CONTACT)
    assert (values, binding.column, binding.key) == ({}, "_parentcustomerid_value", KEY)
    _, (cleared,) = values_and_bindings({"parentcustomerid_account": None}, CONTACT)
    assert cleared.key is None
    with pytest.raises(InputError, match="same lookup"):
        values_and_bindings({"parentcustomerid_account": KEY, "parentcustomerid_contact": KEY}, CONTACT)


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("list_accounts", {"top": 0}, "whole number from 1 to 200"),
        ("list_accounts", {"select": "name"}, "a list, each item text"),
        ("list_accounts", {"expand": ["contacts"]}, "one of primarycontactid"),
        ("list_accounts", {"format": "long"}, "one of concise, detailed"),
        ("list_accounts", {"count": "yes"}, "true or false"),
        ("create_account", {"revenue": 5}, "name of create_account is missing"),
        ("create_account", {"name": "A", "revenue": -1}, "a number from 0 to"),
        ("create_account", {"name": "A", "statecode": "Active"}, "Unknown argument of create_account"),
        ("update_account", {"accountid": KEY, "telephone1": 5}, "text or null to clear it"),
        ("update_account", {"accountid": KEY, "name": None}, "name must be text"),
        ("update_contact", {"contactid": KEY, "fullname": "A"}, "Unknown argument of update_contact"),
        ("delete_lead", {"leadid": 5}, "the id (GUID) of a row"),
    ],
)
def test_arguments_that_do_not_fit_are_told_what_fits(
    tool: str, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError) as caught:
        TOOLS[tool].checker.check(arguments)
    assert says in caught.value.message


def test_several_misfits_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        TOOLS["list_accounts"].checker.check({"top": 0, "count": "x"})
    assert "top" in caught.value.message
    assert "count" in caught.value.message


def test_numbers_are_taken_for_choices_alone() -> None:
    TOOLS["create_lead"].checker.check({"lastname": "A", "leadqualitycode": 1})
    with pytest.raises(InputError):
        TOOLS["create_lead"].checker.check({"lastname": 1})
