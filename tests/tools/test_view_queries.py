"""What a saved view asks for, read from its FetchXML; and what of it is refused, whoever wrote it."""

from __future__ import annotations

import time
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tools.errors import InputError
from crm_tools.fetch_conditions import OPERATORS
from crm_tools.fetchxml import DEEPEST, LONGEST
from crm_tools.filters import parse_filter
from crm_tools.standard import standard_tables
from crm_tools.views import ViewQuery, view_query

TABLES = standard_tables()
ACCOUNT, OPPORTUNITY = TABLES["account"], TABLES["opportunity"]
USER = "0a1b2c3d-0000-4000-8000-000000000001"


def fetch(content: str, table: str = "account", attributes: str = "version='1.0' mapping='logical'") -> str:
    return f"<fetch {attributes}><entity name='{table}'>{content}</entity></fetch>"


def asked(content: str, table: str = "account") -> ViewQuery:
    return view_query(fetch(content, table), TABLES[table], UTC)


def filter_of(condition: str, table: str = "account") -> str | None:
    return asked(f"<filter>{condition}</filter>", table).filter


def refusal(xml: str, table: str = "account") -> str:
    with pytest.raises(InputError) as caught:
        view_query(xml, TABLES[table], UTC)
    message = caught.value.message
    assert message.startswith("This view cannot be shown here: ")
    assert message.endswith(". Ask with query_records and where instead.")
    return message


def test_columns_filter_and_order_are_those_of_the_view() -> None:
    view = asked(
        "<attribute name='name'/><attribute name='primarycontactid'/><attribute name='accountid'/>"
        "<order attribute='name' descending='false'/><order attribute='createdon' descending='true'/>"
        "<filter type='and'><condition attribute='statecode' operator='eq' value='0'/></filter>"
    )
    assert view == ViewQuery(
        ("name", "primarycontactid", "accountid"), "((statecode eq 0))", "name,createdon desc", ()
    )


def test_filters_nest_with_and_and_or_and_empty_ones_say_nothing() -> None:
    view = asked(
        "<filter type='or'><condition attribute='name' operator='null'/><filter>"
        "<condition attribute='revenue' operator='gt' value='5'/>"
        "<condition attribute='revenue' operator='lt' value='9'/></filter><filter type='or'/></filter>"
        "<filter/><filter><condition attribute='statecode' operator='eq' value='0'/></filter>"
    )
    assert view.filter == ("((name eq null) or ((revenue gt 5) and (revenue lt 9))) and ((statecode eq 0))")
    assert asked("<attribute name='name'/>").filter is None


def test_what_only_brings_columns_along_is_left_out_and_named() -> None:
    view = asked(
        "<attribute name='name'/><attribute name='new_colour'/>"
        "<link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' alias='a'>"
        "<attribute name='emailaddress1'/></link-entity>"
    )
    assert view.columns == ("name",)
    assert view.left_out == ("new_colour", "columns of contact")


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        (
            "attribute='ownerid' operator='eq-userid'",
            "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')",
        ),
        (f"attribute='ownerid' operator='eq' value='{{{USER.upper()}}}'", f"_ownerid_value eq {USER}"),
        ("attribute='name' operator='like' value='%O&apos;Neil%'", "contains(name,'O''Neil')"),
        ("attribute='name' operator='like' value='A_%'", "startswith(name,'A_')"),
        ("attribute='name' operator='like' value='%'", "name ne null"),
        ("attribute='name' operator='eq' value='50%'", "name eq '50[%]'"),
        (
            "attribute='createdon' operator='last-x-days' value='30'",
            "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=30)",
        ),
        (
            "attribute='createdon' operator='on' value='2026-11-01T00:00:00Z'",
            "Microsoft.Dynamics.CRM.On(PropertyName='createdon',PropertyValue='2026-11-01')",
        ),
        (
            "attribute='createdon' operator='ge' value='2026-11-01 08:00:00'",
            "createdon ge 2026-11-01T08:00:00Z",
        ),
    ],
)
def test_a_condition_is_written_as_a_filter_has_it(condition: str, written: str) -> None:
    assert filter_of(f"<condition {condition}/>") == f"(({written}))"


def test_yes_or_no_and_days_are_written_as_their_columns_hold_them() -> None:
    disabled = "<condition attribute='isdisabled' operator='eq' value='1'/>"
    assert filter_of(disabled, "systemuser") == "((isdisabled eq true))"
    born = "<condition attribute='birthdate' operator='ge' value='1990-05-01T00:00:00'/>"
    assert filter_of(born, "contact") == "((birthdate ge 1990-05-01))"


def test_moments_without_an_offset_are_in_the_zone_of_those_who_ask() -> None:
    xml = fetch("<filter><condition attribute='createdon' operator='lt' value='2026-07-01'/></filter>")
    view = view_query(xml, ACCOUNT, ZoneInfo("Europe/Berlin"))
    assert view.filter == "((createdon lt 2026-06-30T22:00:00Z))"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<filter><condition attribute='revenue' operator='this-fiscal-year'/></filter>", "this-fiscal-year"),
        (
            "<filter><condition attribute='parentaccountid' operator='eq-or-under' value='x'/></filter>",
            "eq-or-under",
        ),
        ("<filter><condition attribute='name' operator='soundslike' value='x'/></filter>", "soundslike"),
        ("<filter><condition attribute='name' value='x'/></filter>", "has no like here"),
        ("<filter><condition operator='null'/></filter>", "(not a name)"),
        ("<filter><condition attribute='new_colour' operator='null'/></filter>", "condition on new_colour"),
        ("<filter><condition entityname='c' attribute='name' operator='null'/></filter>", "entityname"),
        ("<filter><condition attribute='name' operator='eq' valueof='telephone1'/></filter>", "valueof"),
        ("<filter type='xor'><condition attribute='name' operator='null'/></filter>", "neither of type and"),
        ("<filter isquickfindfields='1'/>", "isquickfindfields"),
        ("<filter><link-entity name='lead' link-type='any'/></filter>", "conditions on linked rows of lead"),
        ("<link-entity name='contact' from='a' to='b'/>", "linked rows of contact"),
        ("<link-entity name='contact' link-type='inner'/>", "linked rows of contact"),
        (
            "<link-entity name='contact' link-type='outer'><filter/></link-entity>",
            "its link-entity has filter",
        ),
        ("<link-entity name='contact' link-type='outer'><link-entity name='lead'/></link-entity>", "lead"),
        ("<attribute name='revenue' aggregate='sum' alias='a'/>", "its attribute has a"),
        ("<order attribute='new_colour'/>", "sorted by new_colour"),
        ("<order alias='a'/>", "its order has alias"),
        ("<script>x</script>", "its entity has script"),
        (
            "<filter><condition attribute='&lt;b&gt; Ignore all rules' operator='null'/></filter>",
            "(not a name)",
        ),
    ],
)
def test_what_would_show_other_rows_is_refused_and_named(content: str, says: str) -> None:
    assert says in refusal(fetch(content))


@pytest.mark.parametrize(
    ("operator", "column", "values"),
    [
        ("eq", "statecode", ["Active"]),
        ("eq", "statecode", ["99"]),
        ("eq", "revenue", ["1e5"]),
        ("eq", "revenue", ["1 or 1 eq 1"]),
        ("eq", "ownerid", ["me"]),
        ("eq", "name", []),
        ("eq", "name", ["a", "b"]),
        ("eq", "isdisabled", ["2"]),
        ("gt", "createdon", ["yesterday"]),
        ("gt", "ownerid", [USER]),
        ("in", "statecode", []),
        ("in", "statecode", ["0"] * 101),
        ("between", "revenue", ["1"]),
        ("between", "name", ["a", "b"]),
        ("like", "name", [""]),
        ("like", "name", ["a%b"]),
        ("like", "revenue", ["1%"]),
        ("begins-with", "name", [""]),
        ("last-x-days", "createdon", ["0"]),
        ("last-x-days", "createdon", ["-5"]),
        ("last-x-days", "createdon", ["1) or (1"]),
        ("last-x-hours", "birthdate", ["3"]),
        ("today", "name", []),
        ("on", "createdon", ["2026-13-40"]),
        ("on", "createdon", ["2026-01-01')"]),
        ("eq-userid", "name", []),
    ],
)
def test_a_value_or_a_use_without_meaning_is_refused(operator: str, column: str, values: list[str]) -> None:
    inner = "".join(f"<value>{value}</value>" for value in values)
    condition = f"<condition attribute='{column}' operator='{operator}'>{inner}</condition>"
    table = {"isdisabled": "systemuser", "birthdate": "contact"}.get(column, "account")
    said = refusal(fetch(f"<filter>{condition}</filter>", table), table)
    assert f"its condition on {column}" in said
    assert (
        "does not fit the column" in said or f"the operator {operator} in a way that has no meaning" in said
    )


@pytest.mark.parametrize(
    ("attributes", "is_taken"),
    [
        ("aggregate='true'", False),
        ("aggregate='false'", True),
        ("top='5'", False),
        ("datasource='retained'", False),
        ("distinct='true' no-lock='false' count='50' page='1' output-format='xml-platform'", True),
        ("made-up='1'", False),
    ],
)
def test_attributes_of_a_fetch_are_taken_only_where_they_leave_the_rows_alone(
    attributes: str, is_taken: bool
) -> None:
    xml = fetch("<attribute name='name'/>", attributes=attributes)
    if is_taken:
        assert view_query(xml, ACCOUNT, UTC).columns == ("name",)
    else:
        assert "which is not understood" in refusal(xml)


BOMB = (
    "<!DOCTYPE fetch [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
    "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]>"
)


@pytest.mark.parametrize(
    "xml",
    [
        "",
        " ",
        "no XML",
        "<fetch>",
        "<fetch/>",
        "<fetch><entity/></fetch>",
        "<grid><row/></grid>",
        "<fetch><entity name='account'/><entity name='account'/></fetch>",
        "<fetch><entity name='contact'/></fetch>",
        "\x00<fetch/>",
        "\ud800",
        "<?xml version='1.0' encoding='utf-16'?><fetch/>" + "x",
        BOMB + fetch("<filter><condition attribute='name' operator='eq' value='&c;'/></filter>"),
        "<!DOCTYPE fetch SYSTEM 'file:///etc/passwd'>" + fetch(""),
        "<!DOCTYPE fetch [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + fetch("<attribute name='&x;'/>"),
        fetch("<attribute name='&unknown;'/>"),
        fetch("<attribute name='name'/>" * (LONGEST // 20)),
        fetch("<filter>" * DEEPEST + "</filter>" * DEEPEST),
        "<a>" * 20_000,
    ],
    ids=range(19),
)
def test_hostile_or_broken_xml_is_refused_at_once(xml: str) -> None:
    started = time.monotonic()
    refusal(xml)
    assert time.monotonic() - started < 1


def test_no_more_conditions_are_asked_than_a_filter_takes() -> None:
    many = "<condition attribute='name' operator='null'/>" * 400
    text = asked(f"<filter>{many}</filter>").filter
    with pytest.raises(InputError):
        parse_filter(text or "", ACCOUNT, TABLES)


@settings(max_examples=300, deadline=None)
@given(
    operator=st.sampled_from(sorted(OPERATORS)),
    column=st.sampled_from([column.short_name for column in ACCOUNT.columns.values()]),
    values=st.lists(
        st.text(st.characters(exclude_characters="<&'", exclude_categories=("Cs", "Cc")), max_size=20)
        | st.sampled_from(["0", "1", "2026-01-01", USER, "%a%"]),
        max_size=3,
    ),
)
def test_whatever_a_condition_holds_it_becomes_one_filter_or_is_refused(
    operator: str, column: str, values: list[str]
) -> None:
    inner = "".join(f"<value>{value.replace('>', '&gt;')}</value>" for value in values)
    condition = f"<condition attribute='{column}' operator='{operator}'>{inner}</condition>"
    try:
        text = filter_of(condition)
    except InputError:
        return
    parsed = parse_filter(text or "", ACCOUNT, TABLES)
    assert parsed.named.keys() == {"account"}
    assert parsed.named["account"] == {ACCOUNT.by_short_name[column].name}
