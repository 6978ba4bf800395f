"""Every condition operator against real rows; the clock stands at half past nine on a Monday."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm_sandbox.errors import ODataError
from crm_sandbox.queries.operators import (
    OPERATORS,
    Takes,
    fetch_condition,
    member_condition,
    query_function,
)
from crm_sandbox.queries.sql import Asker, Source
from crm_sandbox.queries.syntax import Literal, LiteralKind, QueryFunction
from crm_sandbox.schema.loading import load_schema
from crm_sandbox.store import Store, quoted

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
TABLE = """
name = "new_visit"
label = "Visit"
plural = "Visits"
primary_column = "new_name"

[columns]
new_name = {type = "String", label = "Name", max_length = 100}
new_city = {type = "String", label = "City", max_length = 100}
new_guests = {type = "Integer", label = "Guests"}
new_price = {type = "Money", label = "Price"}
new_paid = {type = "Boolean", label = "Paid"}
new_rating = {type = "Picklist", label = "Rating", choices = [[1, "Good"], [2, "Fair"], [3, "Bad"]]}
new_topics = {type = "MultiSelectPicklist", label = "Topics", choices = [[1, "Sales"], [9, "Service"], [19, "Other"]]}
new_day = {type = "DateOnly", label = "Day"}
new_at = {type = "DateTime", label = "At"}

[columns.new_parentid]
type = "Lookup"
label = "Parent Visit"
targets = [{table = "new_visit", navigation = "new_parentid", collection = "new_visit_visits"}]

[columns.new_unitid]
type = "Lookup"
label = "Unit"
targets = [{table = "businessunit", navigation = "new_unitid", collection = "businessunit_visits"}]
"""


def guid(number):
    return f"00000000-0000-4000-8000-{number:012}"


ME, REPORT, REPORTS_REPORT, STRANGER = guid(1), guid(2), guid(3), guid(4)
MY_TEAM, TEAM_OF_REPORT, OTHER_TEAM = guid(11), guid(12), guid(13)
MY_UNIT, UNIT_OF_ROLE, OTHER_UNIT = guid(21), guid(22), guid(23)
A, B, C, D, N = (guid(number) for number in range(101, 106))
ASKER = Asker(NOW, ME, MY_UNIT, (MY_TEAM,))

VISITS = [
    {
        "new_visitid": A,
        "new_name": "a",
        "new_city": "Redmond",
        "new_guests": 5,
        "new_price": 10.5,
        "new_paid": 1,
        "new_rating": 1,
        "new_topics": "1,9",
        "new_at": "2026-11-23T09:30:00Z",
        "new_unitid": MY_UNIT,
        "ownerid": ME,
        "ownerid.table": "systemuser",
    },
    {
        "new_visitid": B,
        "new_name": "b",
        "new_city": "REDLANDS",
        "new_guests": 10,
        "new_price": 20,
        "new_paid": 0,
        "new_rating": 2,
        "new_topics": "19",
        "new_at": "2026-11-23T23:00:00Z",
        "new_unitid": UNIT_OF_ROLE,
        "ownerid": REPORTS_REPORT,
        "ownerid.table": "systemuser",
        "new_parentid": A,
    },
    {
        "new_visitid": C,
        "new_name": "c",
        "new_city": "Desmond",
        "new_guests": 1033,
        "new_price": 30,
        "new_paid": 1,
        "new_rating": 3,
        "new_topics": "9",
        "new_at": "2026-11-24T00:00:00Z",
        "new_unitid": OTHER_UNIT,
        "ownerid": MY_TEAM,
        "ownerid.table": "team",
        "new_parentid": B,
    },
    {
        "new_visitid": D,
        "new_name": "d",
        "new_city": "100% [x]",
        "new_guests": -2,
        "new_price": 0.1,
        "new_paid": 0,
        "new_rating": 1,
        "new_topics": "1",
        "new_at": "2025-01-01T00:00:00Z",
        "ownerid": TEAM_OF_REPORT,
        "ownerid.table": "team",
    },
    {"new_visitid": N, "new_name": "n", "ownerid": STRANGER, "ownerid.table": "systemuser"},
]

# operator, column, values, rows
ROWS = [
    ("eq", "new_city", ["redMOND"], "a"),
    ("eq", "new_city", ["Red%"], ""),
    ("eq", "new_guests", ["10"], "b"),
    ("eq", "new_price", ["10.50"], "a"),
    ("eq", "new_paid", ["true"], "ac"),
    ("eq", "new_paid", ["0"], "bd"),
    ("eq", "new_rating", ["1"], "ad"),
    ("eq", "new_topics", ["9,1"], "a"),
    ("eq", "ownerid", ["{" + ME.upper() + "}"], "a"),
    ("eq", "new_at", ["2026-11-23T10:30:00+01:00"], "a"),
    ("ne", "new_city", ["Redmond"], "bcdn"),
    ("ne", "new_guests", ["5"], "bcdn"),
    ("neq", "new_rating", ["1"], "bcn"),
    ("gt", "new_guests", ["5"], "bc"),
    ("gt", "new_city", ["redlands"], "a"),
    ("ge", "new_guests", ["5"], "abc"),
    ("lt", "new_price", ["10.5"], "d"),
    ("le", "new_price", ["10.5"], "ad"),
    ("le", "new_at", ["2026-11-23"], "d"),
    ("like", "new_city", ["red%"], "ab"),
    ("like", "new_city", ["%MOND"], "ac"),
    ("like", "new_city", ["re_mond"], "a"),
    ("like", "new_city", ["[rd]e%mond"], "ac"),
    ("like", "new_city", ["%[%]%"], "d"),
    ("like", "new_city", ["redmond"], "a"),
    ("not-like", "new_city", ["red%"], "cdn"),
    ("begins-with", "new_city", ["red"], "ab"),
    ("begins-with", "new_city", ["%mon"], "ac"),
    ("not-begin-with", "new_city", ["red"], "cdn"),
    ("ends-with", "new_city", ["mond"], "ac"),
    ("not-end-with", "new_city", ["mond"], "bdn"),
    ("null", "new_city", [], "n"),
    ("not-null", "new_guests", [], "abcd"),
    ("in", "new_city", ["REDMOND", "desmond"], "ac"),
    ("in", "new_guests", ["5", "-2"], "ad"),
    ("in", "ownerid", [ME, MY_TEAM], "ac"),
    ("not-in", "new_rating", ["1", "2"], "cn"),
    ("between", "new_guests", ["5", "10"], "ab"),
    ("between", "new_at", ["2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"], "abc"),
    ("not-between", "new_guests", ["5", "10"], "cdn"),
    ("contain-values", "new_topics", ["9"], "ac"),
    ("contain-values", "new_topics", ["9", "19"], "abc"),
    ("contain-values", "new_rating", ["2", "3"], "bc"),
    ("not-contain-values", "new_topics", ["9"], "bdn"),
    ("eq-userid", "ownerid", [], "a"),
    ("ne-userid", "ownerid", [], "bcdn"),
    ("eq-userteams", "ownerid", [], "c"),
    ("eq-useroruserteams", "ownerid", [], "ac"),
    ("eq-useroruserhierarchy", "ownerid", [], "ab"),
    ("eq-useroruserhierarchyandteams", "ownerid", [], "abcd"),
    ("eq-businessid", "new_unitid", [], "a"),
    ("ne-businessid", "new_unitid", [], "bcdn"),
    ("EqualRoleBusinessId", "new_unitid", [], "b"),
    ("eq-userlanguage", "new_guests", [], "c"),
    ("above", "new_visitid", [C], "ab"),
    ("eq-or-above", "new_visitid", [C], "abc"),
    ("under", "new_visitid", [A.upper()], "bc"),
    ("under", "new_parentid", [A], "c"),
    ("eq-or-under", "new_visitid", [B], "bc"),
    ("not-under", "new_visitid", [A], "adn"),
    ("on", "new_at", ["2026-11-23"], "ab"),
    ("on", "new_at", ["2026-11-23T23:59:59-02:00"], "c"),
    ("on-or-after", "new_at", ["2026-11-24T12:00:00Z"], "c"),
    ("on-or-before", "new_at", ["2026-11-23"], "abd"),
    ("in-fiscal-period", "new_at", ["1"], "d"),
    ("in-fiscal-period", "new_at", ["4"], "abc"),
    ("in-fiscal-period", "new_at", ["5"], ""),
]

# operator, values, the moment from which on, the moment before which
SPANS = [
    ("yesterday", [], "2026-11-22T00:00:00", "2026-11-23T00:00:00"),
    ("today", [], "2026-11-23T00:00:00", "2026-11-24T00:00:00"),
    ("tomorrow", [], "2026-11-24T00:00:00", "2026-11-25T00:00:00"),
    ("last-week", [], "2026-11-15T00:00:00", "2026-11-22T00:00:00"),
    ("this-week", [], "2026-11-22T00:00:00", "2026-11-29T00:00:00"),
    ("next-week", [], "2026-11-29T00:00:00", "2026-12-06T00:00:00"),
    ("last-month", [], "2026-10-01T00:00:00", "2026-11-01T00:00:00"),
    ("this-month", [], "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
    ("next-month", [], "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
    ("last-year", [], "2025-01-01T00:00:00", "2026-01-01T00:00:00"),
    ("this-year", [], "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
    ("next-year", [], "2027-01-01T00:00:00", "2028-01-01T00:00:00"),
    ("last-fiscal-period", [], "2026-07-01T00:00:00", "2026-10-01T00:00:00"),
    ("this-fiscal-period", [], "2026-10-01T00:00:00", "2027-01-01T00:00:00"),
    ("next-fiscal-period", [], "2027-01-01T00:00:00", "2027-04-01T00:00:00"),
    ("last-fiscal-year", [], "2025-01-01T00:00:00", "2026-01-01T00:00:00"),
    ("this-fiscal-year", [], "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
    ("next-fiscal-year", [], "2027-01-01T00:00:00", "2028-01-01T00:00:00"),
    ("last-seven-days", [], "2026-11-16T00:00:00", "2026-11-23T09:30:01"),
    ("next-seven-days", [], "2026-11-23T09:30:00", "2026-12-01T00:00:00"),
    ("last-x-hours", ["2"], "2026-11-23T07:00:00", "2026-11-23T09:30:01"),
    ("next-x-hours", ["2"], "2026-11-23T09:30:00", "2026-11-23T12:00:00"),
    ("last-x-days", ["4"], "2026-11-19T00:00:00", "2026-11-23T09:30:01"),
    ("next-x-days", ["4"], "2026-11-23T09:30:00", "2026-11-28T00:00:00"),
    ("last-x-weeks", ["2"], "2026-11-09T00:00:00", "2026-11-23T09:30:01"),
    ("next-x-weeks", ["2"], "2026-11-23T09:30:00", "2026-12-08T00:00:00"),
    ("last-x-months", ["3"], "2026-08-23T00:00:00", "2026-11-23T09:30:01"),
    ("next-x-months", ["3"], "2026-11-23T09:30:00", "2027-02-24T00:00:00"),
    ("last-x-years", ["2"], "2024-11-23T00:00:00", "2026-11-23T09:30:01"),
    ("next-x-years", ["2"], "2026-11-23T09:30:00", "2028-11-24T00:00:00"),
    ("last-x-fiscal-periods", ["2"], "2026-04-01T00:00:00", "2026-11-23T09:30:01"),
    ("next-x-fiscal-periods", ["2"], "2026-11-23T09:30:00", "2027-07-01T00:00:00"),
    ("last-x-fiscal-years", ["3"], "2023-01-01T00:00:00", "2026-11-23T09:30:01"),
    ("next-x-fiscal-years", ["3"], "2026-11-23T09:30:00", "2030-01-01T00:00:00"),
    ("olderthan-x-minutes", ["30"], None, "2026-11-23T09:00:00"),
    ("olderthan-x-hours", ["3"], None, "2026-11-23T06:00:00"),
    ("olderthan-x-days", ["4"], None, "2026-11-19T00:00:00"),
    ("olderthan-x-weeks", ["2"], None, "2026-11-09T00:00:00"),
    ("olderthan-x-months", ["9"], None, "2026-02-23T00:00:00"),
    ("olderthan-x-years", ["1"], None, "2025-11-23T00:00:00"),
    ("in-fiscal-year", ["2025"], "2025-01-01T00:00:00", "2026-01-01T00:00:00"),
    ("in-fiscal-period-and-year", ["3", "2026"], "2026-07-01T00:00:00", "2026-10-01T00:00:00"),
    ("in-or-after-fiscal-period-and-year", ["2", "2027"], "2027-04-01T00:00:00", None),
    ("in-or-before-fiscal-period-and-year", ["1", "2026"], None, "2026-04-01T00:00:00"),
]
BOUNDS = {datetime.fromisoformat(bound) for *_, since, until in SPANS for bound in (since, until) if bound}
MOMENTS = sorted({moment for bound in BOUNDS for moment in (bound, bound - timedelta(seconds=1))})
FUNCTIONS = {operator.name or operator.member: operator.function for operator in OPERATORS}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "visit.toml"
    path.write_text(TABLE)
    store = Store(load_schema([path]), lambda: NOW)
    store.create_tables()
    schema = store.schema
    users = ((ME, None), (REPORT, ME), (REPORTS_REPORT, REPORT), (STRANGER, None))
    store.insert(schema["systemuser"], [{"systemuserid": key, "parentsystemuserid": up} for key, up in users])
    store.insert(schema["role"], [{"roleid": guid(31), "businessunitid": UNIT_OF_ROLE}])
    for table, columns, rows in (
        ("teammembership", ("teamid", "systemuserid"), [(MY_TEAM, ME), (TEAM_OF_REPORT, REPORT)]),
        ("systemuserroles", ("roleid", "systemuserid"), [(guid(31), ME)]),
    ):
        names = ", ".join(map(quoted, columns))
        store.connection.executemany(f"INSERT INTO {quoted(table)} ({names}) VALUES (?, ?)", rows)
    store.insert(schema["new_visit"], VISITS)
    store.insert(schema["task"], [{"activityid": str(moment), "scheduledend": stored(moment)} for moment in MOMENTS])
    store.insert(schema["task"], [{"activityid": "never"}])
    store.create_indexes()
    yield store
    store.close()


def stored(moment):
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def literal(text):
    if text.lstrip("-").isdigit():
        return Literal(LiteralKind.INTEGER, int(text))
    return Literal(LiteralKind.TEXT, text)


def operand(store, table, column):
    return Source("t", store.schema[table]).operand(column)


def names(store, table, condition, shown):
    sql = f"SELECT {shown} FROM {quoted(table)} t WHERE {condition.sql} ORDER BY 1"
    return [row[0] for row in store.connection.execute(sql, condition.values)]


def conditions(store, operator, given, values):
    """The condition in FetchXML and as a query function, as far as the operator has them."""
    if operator in {known.name for known in OPERATORS}:
        yield fetch_condition(operator, given, values, ASKER, store.schema)
    if FUNCTIONS[operator] is not None:
        call = QueryFunction(FUNCTIONS[operator], (given.column.name,), tuple(map(literal, values)))
        yield query_function(call, given, ASKER, store.schema)


@pytest.mark.parametrize(("operator", "column", "values", "expected"), ROWS)
def test_an_operator_finds_the_rows_that_it_means(store, operator, column, values, expected):
    given = operand(store, "new_visit", column)
    for condition in conditions(store, operator, given, values):
        assert "".join(names(store, "new_visit", condition, "new_name")) == expected


@pytest.mark.parametrize(("operator", "values", "since", "until"), SPANS)
def test_an_operator_on_dates_begins_and_ends_to_the_second(store, operator, values, since, until):
    given = operand(store, "task", "scheduledend")
    first = datetime.fromisoformat(since) if since else datetime.min
    end = datetime.fromisoformat(until) if until else datetime.max
    expected = [stored(moment) for moment in MOMENTS if first <= moment < end]
    assert 0 < len(expected) < len(MOMENTS)
    for condition in conditions(store, operator, given, values):
        assert names(store, "task", condition, "scheduledend") == expected


def test_no_operator_lacks_a_test():
    tested = {row[0] for row in (*ROWS, *SPANS)}
    assert tested == {operator.name or operator.member for operator in OPERATORS} - {"Contains"}


def test_the_names_of_operators_are_those_of_the_documentation():
    functions = {operator.function for operator in OPERATORS} - {None}
    assert len(functions) == 71 - 4  # the four on the beginning and the end of text are FetchXML's alone
    assert len({operator.name for operator in OPERATORS}) == len(OPERATORS) - 1


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("today", [], ["2026-11-23"]),
        ("last-x-days", ["1"], ["2026-11-22", "2026-11-23"]),
        ("last-seven-days", [], ["2026-11-16", "2026-11-22", "2026-11-23"]),
        ("next-x-days", ["1"], ["2026-11-24"]),
        ("this-week", [], ["2026-11-22", "2026-11-23", "2026-11-24"]),
        ("olderthan-x-days", ["1"], ["2026-11-15", "2026-11-16"]),
        ("on", ["2026-11-22T23:00:00Z"], ["2026-11-22"]),
        ("on-or-after", ["2026-11-24"], ["2026-11-24", "2027-01-01"]),
        ("on-or-before", ["2026-11-15"], ["2026-11-15"]),
        ("in-fiscal-period", ["1"], ["2027-01-01"]),
        ("ge", ["2026-11-24T05:00:00Z"], ["2026-11-24", "2027-01-01"]),
    ],
)
def test_a_date_without_a_time_counts_as_its_midnight(operator, values, expected):
    store = Store(load_schema(), lambda: NOW)
    store.create_tables()
    days = ("2026-11-15", "2026-11-16", "2026-11-22", "2026-11-23", "2026-11-24", "2027-01-01")
    store.insert(store.schema["contact"], [{"contactid": day, "birthdate": day} for day in days])
    given = operand(store, "contact", "birthdate")
    condition = fetch_condition(operator, given, values, ASKER, store.schema)
    assert names(store, "contact", condition, "birthdate") == expected
    store.close()


@pytest.mark.parametrize(
    ("moment", "operator", "values", "first"),
    [
        (datetime(2026, 3, 31, 12, tzinfo=UTC), "last-x-months", ["1"], "2026-02-28"),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), "last-x-years", ["1"], "2027-02-28"),
        (datetime(2026, 11, 22, 12, tzinfo=UTC), "this-week", [], "2026-11-22"),
        (datetime(2026, 11, 21, 12, tzinfo=UTC), "this-week", [], "2026-11-15"),
        (datetime(2026, 1, 1, 0, 0, tzinfo=UTC), "last-fiscal-period", [], "2025-10-01"),
        (datetime(2026, 11, 23, tzinfo=UTC), "last-x-years", ["2147483647"], "0001-01-01"),
        (datetime(2026, 11, 23, tzinfo=UTC), "last-x-weeks", ["2147483647"], "0001-01-01"),
    ],
)
def test_stretches_of_time_keep_to_the_calendar(store, moment, operator, values, first):
    asker = Asker(moment, ME, MY_UNIT)
    condition = fetch_condition(operator, operand(store, "new_visit", "new_day"), values, asker, store.schema)
    assert condition.values[0] == first


def test_a_stretch_into_the_far_future_ends_with_the_calendar(store):
    given = operand(store, "new_visit", "new_at")
    condition = fetch_condition("next-x-years", given, ["2147483647"], ASKER, store.schema)
    assert condition.values[1] == "9999-12-31T23:59:59Z"


def test_a_ring_in_a_hierarchy_ends(store):
    with pytest.raises(RuntimeError), store.transaction():
        store.update(store.schema["new_visit"], A, {"new_parentid": C})
        given = operand(store, "new_visit", "new_visitid")
        condition = fetch_condition("under", given, [A], ASKER, store.schema)
        assert names(store, "new_visit", condition, "new_name") == ["a", "b", "c"]
        raise RuntimeError


def test_a_user_without_teams_has_no_rows_of_teams(store):
    asker = Asker(NOW, ME, MY_UNIT)
    condition = fetch_condition("eq-userteams", operand(store, "new_visit", "ownerid"), [], asker, store.schema)
    assert names(store, "new_visit", condition, "new_name") == []


def test_members_of_the_enumeration_are_the_same_operators(store):
    given = operand(store, "new_visit", "new_guests")
    condition = member_condition("GreaterEqual", given, ["5"], ASKER, store.schema)
    assert names(store, "new_visit", condition, "new_name") == ["a", "b", "c"]
    condition = member_condition("NotEqual", given, ["5"], ASKER, store.schema)
    assert names(store, "new_visit", condition, "new_name") == ["b", "c", "d", "n"]
    with pytest.raises(ODataError) as refusal:
        member_condition("ChildOf", given, [], ASKER, store.schema)
    assert refusal.value.code == "0x80041120"


@pytest.mark.parametrize(
    ("function", "column", "values"),
    [
        ("LastXDay", "new_at", ("2",)),
        ("eq", "new_at", ("2",)),
        ("BeginsWith", "new_city", ("a",)),
        ("Contains", "new_city", ("a",)),
        ("LastXDays", "new_at", ()),
        ("LastXDays", "new_at", ("2", "3")),
        ("LastXDays", "new_city", ("2",)),
        ("LastXDays", "new_at", ("two",)),
        ("LastXDays", "new_at", ("0",)),
        ("LastXHours", "new_day", ("2",)),
        ("Today", "new_at", ("2",)),
        ("Between", "new_guests", ("2",)),
        ("Between", "new_guests", ("2", "x")),
        ("In", "new_guests", ()),
        ("In", "new_at", ("2026-11-23",)),
        ("On", "new_at", ("2026-02-30",)),
        ("On", "new_at", ("0000-01-01",)),
        ("InFiscalYear", "new_at", ("99999",)),
        ("InFiscalPeriod", "new_at", ("0",)),
        ("ContainValues", "new_topics", ("x",)),
        ("ContainValues", "new_city", ("1",)),
        ("EqualUserId", "new_city", ()),
        ("EqualUserLanguage", "new_price", ()),
        ("Under", "new_visitid", ("no guid",)),
        ("Under", "new_unitid", ("1",)),
        ("Under", "ownerid", ("1",)),
    ],
)
def test_a_query_function_refuses_what_it_cannot_take(store, function, column, values):
    call = QueryFunction(function, (column,), tuple(map(literal, values)))
    with pytest.raises(ODataError) as refusal:
        query_function(call, operand(store, "new_visit", column), ASKER, store.schema)
    assert (refusal.value.status, refusal.value.code) == (400, "0x80060888")
    assert function in refusal.value.message


def test_a_query_function_takes_literals_of_every_kind_but_null(store):
    given = operand(store, "new_visit", "new_paid")
    paid = QueryFunction("In", ("new_paid",), (Literal(LiteralKind.BOOLEAN, True),))
    condition = query_function(paid, given, ASKER, store.schema)
    assert names(store, "new_visit", condition, "new_name") == ["a", "c"]
    price = QueryFunction("In", ("new_price",), (Literal(LiteralKind.NUMBER, 10.5),))
    condition = query_function(price, operand(store, "new_visit", "new_price"), ASKER, store.schema)
    assert names(store, "new_visit", condition, "new_name") == ["a"]
    with pytest.raises(ODataError):
        nothing = QueryFunction("In", ("new_paid",), (Literal(LiteralKind.NULL, None),))
        query_function(nothing, given, ASKER, store.schema)


@pytest.mark.parametrize(
    ("operator", "column", "values", "code"),
    [
        ("equals", "new_city", ["a"], "0x80041120"),
        ("Equal", "new_city", ["a"], "0x80041120"),
        ("", "new_city", [], "0x80041120"),
        ("eq", "new_city", [], "0x80041106"),
        ("eq", "new_guests", [""], "0x80041106"),
        ("eq", "new_guests", ["1.5"], "0x80041106"),
        ("eq", "new_guests", ["9" * 40], "0x80041106"),
        ("eq", "new_price", ["1,5"], "0x80041106"),
        ("eq", "new_price", ["nan"], "0x80041106"),
        ("eq", "new_paid", ["yes"], "0x80041106"),
        ("eq", "ownerid", ["me"], "0x80041106"),
        ("eq", "new_topics", ["1;2"], "0x80041106"),
        ("eq", "new_at", ["yesterday"], "0x80041106"),
        ("gt", "new_rating", ["1"], "0x80041106"),
        ("like", "new_guests", ["1%"], "0x80041106"),
        ("null", "new_city", ["x"], "0x80041106"),
        ("eq", "new_guests", ["\u0665"], "0x80041106"),
    ],
)
def test_a_condition_of_a_fetch_refuses_what_it_cannot_take(store, operator, column, values, code):
    with pytest.raises(ODataError) as refusal:
        fetch_condition(operator, operand(store, "new_visit", column), values, ASKER, store.schema)
    assert (refusal.value.status, refusal.value.code) == (400, code)


def test_an_empty_value_beside_an_operator_that_takes_none_is_no_value(store):
    condition = fetch_condition("null", operand(store, "new_visit", "new_city"), [""], ASKER, store.schema)
    assert names(store, "new_visit", condition, "new_name") == ["n"]


@pytest.mark.parametrize("text", ["'; DROP TABLE new_visit; --", '" OR 1=1', "?", "\x00", "\ud800"])
def test_values_are_bound_and_never_part_of_the_statement(store, text):
    given = operand(store, "new_visit", "new_city")
    for operator in OPERATORS:
        if operator.name and operator.takes in (Takes.ONE, Takes.MANY) and given.column.type in operator.types:
            condition = fetch_condition(operator.name, given, [text], ASKER, store.schema)
            assert text not in condition.sql or text == "?"
