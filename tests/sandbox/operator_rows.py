"""The rows that condition operators are tried on, and which of them each operator finds.

The clock stands at half past nine on a Monday.
"""

from __future__ import annotations

from datetime import UTC, datetime

from crm_sandbox.queries.sql import Asker

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
new_topics = {type = "MultiSelectPicklist", label = "Topics", choices = [[1, "One"], [9, "Two"],
  [19, "Three"]]}
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
