"""Filters: what is understood, how it is written anew, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tools.description import load
from crm_tools.errors import FilterSyntaxError, InputError, UnknownNameError
from crm_tools.filters import DEEPEST_NESTING, LONGEST_FILTER, MOST_CONDITIONS, parse_filter

TABLES = load().tables
ACCOUNT = TABLES["account"]
GUID = "0a1b2c3d-0000-4000-8000-0123456789ab"


def written(text: str, table: str = "account") -> str:
    return parse_filter(text, TABLES[table], TABLES).text


def named(text: str, table: str = "account") -> dict[str, set[str]]:
    found = parse_filter(text, TABLES[table], TABLES).named
    return {name: set(columns) for name, columns in found.items()}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("name eq 'Contoso'", "name eq 'Contoso'"),
        ("  name eq 'a'  ", "name eq 'a'"),
        ("name eq 'O''Neil'", "name eq 'O''Neil'"),
        ("revenue gt 5.5 and revenue le 10", "revenue gt 5.5 and revenue le 10"),
        ("name eq 'a' or name eq 'b' and revenue gt 1", "name eq 'a' or (name eq 'b' and revenue gt 1)"),
        ("not contains(name,'x')", "not (contains(name,'x'))"),
        ("name eq null", "name eq null"),
        ("name in ('a')", "name in ('a')"),
        ("name in ('a', 'b')", "name in ('a','b')"),
        ("name eq address1_city", "name eq address1_city"),
        ("statecode eq 'active'", "statecode eq 0"),
        ("statecode eq 1", "statecode eq 1"),
        ("industrycode in ('Consulting','Accounting')", "industrycode in (7,1)"),
        (f"parentaccountid eq '{GUID}'", f"_parentaccountid_value eq {GUID}"),
        (f"_parentaccountid_value eq {GUID.upper()}", f"_parentaccountid_value eq {GUID}"),
        ("primarycontactid/fullname eq 'x'", "primarycontactid/fullname eq 'x'"),
        ("createdon ge '2026-01-31'", "createdon ge 2026-01-31"),
        ("createdon lt 2026-01-31T10:00:00Z", "createdon lt 2026-01-31T10:00:00Z"),
        ("contact_customer_accounts/any(c:c/lastname eq 'x')",) * 2,
        ("Microsoft.Dynamics.CRM.Today(PropertyName='createdon')",) * 2,
        ("Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=7)",) * 2,
    ],
)
def test_a_filter_is_understood_and_written_anew(given: str, sent: str) -> None:
    assert written(given) == sent


def test_a_filter_names_every_column_of_every_table_it_touches() -> None:
    text = "primarycontactid/fullname eq 'x' and opportunity_customer_accounts/any(o:o/estimatedvalue gt 5)"
    assert named(text) == {
        "account": {"_primarycontactid_value"},
        "contact": {"fullname"},
        "opportunity": {"_customerid_value", "estimatedvalue"},
    }


@pytest.mark.parametrize(
    ("text", "position", "hint"),
    [
        ('name eq "x"', 8, "single quotes"),
        ("name = 'x'", 4, "Operators are words"),
        ("name eq 'abc", 8, "quote is not closed"),
        ("name eq 'a' and", 11, ""),
        ("", 0, ""),
        ("contains(name 'x')", 14, ""),
        ("   name eq", 7, ""),
    ],
)
def test_a_malformed_filter_says_where_and_shows_one_that_is_right(
    text: str, position: int, hint: str
) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        written(text)
    assert caught.value.position == position
    assert hint in caught.value.message
    example = caught.value.message.partition("Example that is right: ")[2]
    assert written(example) == example


@pytest.mark.parametrize(
    ("text", "closest"),
    [
        ("nme eq 'x'", "name"),
        ("Name eq 'x'", "name"),
        ("contains(adress1_city,'x')", "address1_city"),
        ("statecode eq 'Actve'", "Active"),
        ("primarycontact/fullname eq 'x'", "primarycontactid"),
        ("primarycontactid/fullnam eq 'x'", "fullname"),
        ("contact_customer_account/any(c:c/lastname eq 'x')", "contact_customer_accounts"),
        ("Microsoft.Dynamics.CRM.LastXDay(PropertyName='createdon',PropertyValue=1)", "LastXDays"),
        ("contain(name,'x')", "contains"),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest(text: str, closest: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        written(text)
    assert closest in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "revenue gt 'many'",
        "name gt 5",
        "parentaccountid eq 'Contoso'",
        "createdon gt 5",
        "createdon gt '2026-13-01'",
        "contains(revenue,'5')",
        "revenue add 1 gt 5",
        "not name eq 'x'",
        "name",
        "length(name) gt 5",
        "name eq tolower('X')",
        "c/lastname eq 'x'",
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(text: str) -> None:
    with pytest.raises(InputError):
        written(text)


def test_hostile_sizes_are_refused_and_do_not_exhaust_the_stack() -> None:
    for text in (
        "(" * (DEEPEST_NESTING + 1) + "revenue eq 1" + ")" * (DEEPEST_NESTING + 1),
        " or ".join(["revenue eq 1"] * (MOST_CONDITIONS + 1)),
        "name eq '" + "a" * LONGEST_FILTER + "'",
    ):
        with pytest.raises(FilterSyntaxError):
            written(text)


@given(st.text(max_size=200))
def test_any_text_is_either_understood_or_refused_with_our_error(text: str) -> None:
    try:
        again = written(text)
    except InputError:
        return
    assert written(again) == again


def conditions() -> st.SearchStrategy[str]:
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(
        lambda text: text.replace("'", "''")
    )
    simple = st.one_of(
        st.builds("name {} '{}'".format, st.sampled_from(["eq", "ne", "gt", "le"]), texts),
        st.builds("revenue {} {}".format, st.sampled_from(["lt", "ge"]), st.integers(-9, 10**9)),
        st.builds("contains(address1_city,'{}')".format, texts),
        st.builds("statecode eq {}".format, st.sampled_from(["0", "'Inactive'", "null"])),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.builds("({}) and ({})".format, inner, inner),
            st.builds("({}) or ({})".format, inner, inner),
            st.builds("not ({})".format, inner),
        ),
        max_leaves=8,
    )


@given(conditions())
def test_what_is_written_anew_reads_as_the_same_filter(text: str) -> None:
    once = parse_filter(text, ACCOUNT, TABLES)
    again = parse_filter(once.text, ACCOUNT, TABLES)
    assert again == once


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_literal_cannot_break_out_of_its_quotes(value: str) -> None:
    quoted = value.replace("'", "''")
    assert written(f"name eq '{quoted}'") == f"name eq '{quoted}'"
