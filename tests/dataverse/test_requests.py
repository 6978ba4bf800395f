"""Requests are built as values, encoded in one place, and never upsert by mistake."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_server.dataverse.literals import key, query_string
from crm_server.dataverse.requests import build, next_page
from crm_tools.operations import Action, Binding, Create, Delete, Expansion, Fetch, OrderBy, Query, Update
from crm_tools.standard import standard_tables

TABLES = standard_tables()
KEY = "0a1b2c3d-0000-4000-8000-0123456789ab"


def test_a_query_asks_for_a_page_and_annotations_and_never_for_top() -> None:
    query = Query(
        "account",
        select=("accountid", "name"),
        filter="name eq 'A&B + 100% #1'",
        orderby=(OrderBy("revenue", descending=True), OrderBy("name")),
        expand=(
            Expansion("primarycontactid", "contact", ("fullname",), "_primarycontactid_value", many=False),
            Expansion(
                "contact_customer_accounts", "contact", ("fullname",), "_parentcustomerid_value", many=True
            ),
        ),
        top=7,
        count=True,
    )
    request = build(query, TABLES)
    path, _, options = request.path.partition("?")
    assert (request.method, path, request.action) == ("GET", "accounts", Action.READ)
    assert dict(parse_qsl(options, strict_parsing=True)) == {
        "$select": "accountid,name",
        "$filter": "name eq 'A&B + 100% #1'",
        "$orderby": "revenue desc,name asc",
        "$expand": "primarycontactid($select=fullname),contact_customer_accounts($select=fullname;$top=51)",
        "$count": "true",
    }
    assert request.headers == {"Prefer": 'odata.maxpagesize=7,odata.include-annotations="*"'}


def test_a_create_carries_its_own_key_and_binds_lookups_by_address() -> None:
    bindings = (
        Binding("customerid_account", "_customerid_value", "account", KEY),
        Binding("transactioncurrencyid", "_transactioncurrencyid_value", "transactioncurrency", KEY),
    )
    create = Create("opportunity", KEY, {"name": "Deal"}, bindings, returning=("opportunityid", "name"))
    request = build(create, TABLES)
    assert (request.method, request.action) == ("POST", Action.CREATE)
    assert unquote(request.path) == "opportunities?$select=opportunityid,name"
    assert request.body == {
        "opportunityid": KEY,
        "name": "Deal",
        "customerid_account@odata.bind": f"/accounts({KEY})",
        "transactioncurrencyid@odata.bind": f"/transactioncurrencies({KEY})",
    }
    assert request.headers["Prefer"].startswith("return=representation")


@pytest.mark.parametrize(("etag", "sent"), [(None, "*"), ('W/"5"', 'W/"5"')])
def test_updates_and_deletes_always_carry_if_match(etag: str | None, sent: str) -> None:
    cleared = (Binding("parentaccountid", "_parentaccountid_value", "account", None),)
    update = build(Update("account", KEY, {"name": None}, cleared, etag=etag), TABLES)
    delete = build(Delete("account", KEY, etag=etag), TABLES)
    assert update.headers == delete.headers == {"If-Match": sent}
    assert update.body == {"name": None, "parentaccountid@odata.bind": None}
    assert (update.path, delete.path) == (f"accounts({KEY})", f"accounts({KEY})")


def test_a_next_link_is_sent_back_unchanged_with_the_same_page_size() -> None:
    link = (
        "https://contoso.crm.dynamics.com/api/data/v9.2/accounts?$skiptoken=%253Ccookie%2520pagenumber%253D2"
    )
    request = next_page(link, 7)
    assert request.path == link
    assert "odata.maxpagesize=7" in request.headers["Prefer"]


def test_one_row_is_fetched_by_its_bare_key() -> None:
    assert build(Fetch("lead", KEY.upper()), TABLES).path == f"leads({KEY})"


def test_what_is_not_a_guid_cannot_become_a_key() -> None:
    with pytest.raises(ValueError, match="badly formed"):
        key("1) or (1 eq 1")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_query_option_reads_back_as_it_was(value: str) -> None:
    encoded = query_string([("$filter", value), ("$count", "true")])
    assert parse_qsl(encoded, keep_blank_values=True, strict_parsing=True) == [
        ("$filter", value),
        ("$count", "true"),
    ]
    assert encoded.isascii()
    assert not set(encoded) & set(" \"#<>\\^`{|}'")
