"""FetchXML against a handful of real rows: pages, totals, distinct rows, aggregates."""

from __future__ import annotations

from urllib.parse import unquote
from xml.sax.saxutils import quoteattr

import pytest

from crm_sandbox.errors import ODataError
from crm_sandbox.queries.fetchxml import DateGrouping, formatted_group, next_cookie, run
from crm_sandbox.schema.loading import load_schema
from crm_sandbox.store import Store
from tests.sandbox.fetches import (
    ACCOUNT,
    AGGREGATE,
    ME,
    NOW,
    PAGED,
    TEAM,
    answered,
    compiled,
    element,
    guid,
    open_store,
    rows,
)


@pytest.fixture(scope="module")
def store():
    store = open_store()
    yield store
    store.close()


# Pages


@pytest.mark.parametrize(
    "order",
    [
        "",
        "<order attribute='name'/>",
        "<order attribute='address1_city' descending='true'/>",
        "<order attribute='numberofemployees'/><order attribute='name'/>",
        "<order attribute='revenue' descending='true'/>",
        "<order attribute='ownerid'/>",
        "<order attribute='industrycode' descending='true'/>",
        "<order attribute='createdon'/>",
        "<order attribute='parentaccountid'/><order attribute='accountid' descending='true'/>",
    ],
)
def test_cookies_lead_through_all_rows_in_order(store, order):
    whole = [row["name"] for row in rows(store, PAGED.replace("count='2'", "").format(1, "", order))]
    found, cookie, page = [], "", 1
    while True:
        fetch = compiled(store, PAGED.format(page, cookie, order))
        result = run(fetch, store)
        found += [row["name"] for row in answered(fetch, result.rows)]
        if not result.more:
            break
        outer = element(result.cookie)
        assert outer.attrib["pagenumber"] == str(page + 1)
        assert outer.attrib["istracking"] == "False"
        cookie = f" paging-cookie={quoteattr(unquote(unquote(outer.attrib['pagingcookie'])))}"
        page += 1
    assert (found, page, result.cookie) == (whole, 3, None)


def test_a_cookie_is_written_as_the_documentation_shows(store):
    result = run(compiled(store, PAGED.format(1, "", "<order attribute='name'/>")), store)
    assert result.cookie.startswith(
        '<cookie pagenumber="2" pagingcookie="%253ccookie%2520page%253d%25221%2522%253e%253cname'
    )
    inner = unquote(unquote(element(result.cookie).attrib["pagingcookie"]))
    assert inner == (
        '<cookie page="1"><name last="Adventure Works" first="A. Datum" />'
        f'<accountid last="{{{guid(1).upper()}}}" first="{{{guid(4).upper()}}}" /></cookie>'
    )


def test_rows_that_come_between_pages_do_not_move_the_next_page(store):
    order = "<order attribute='name'/>"
    result = run(compiled(store, PAGED.format(1, "", order)), store)
    inner = unquote(unquote(element(result.cookie).attrib["pagingcookie"]))
    store.insert(store.schema["account"], [{"accountid": guid(99), "name": "A", "versionnumber": 1}])
    # Behind the next page are those after it, and the first page is the first again.
    pages = [
        compiled(store, PAGED.format(page, f" paging-cookie={quoteattr(inner)}", order)) for page in (2, 3, 1)
    ]
    found = [[row["name"] for row in answered(fetch, run(fetch, store).rows)] for fetch in pages]
    store.delete(store.schema["account"], guid(99))
    assert found == [["City Power", "Contoso"], ["Example Account"], ["A", "A. Datum"]]


def test_pages_by_number_alone_and_rows_sorted_by_a_link_have_no_cookie(store):
    order = """<order attribute='name'/>
      <link-entity name='systemuser' from='systemuserid' to='ownerid' link-type='outer'>
        <order attribute='fullname'/></link-entity>"""
    fetch = compiled(store, PAGED.format(2, "", order))
    result = run(fetch, store)
    assert [row["name"] for row in answered(fetch, result.rows)] == ["City Power", "Contoso"]
    assert (result.more, result.cookie, fetch.cookie) == (True, None, ())
    assert next_cookie(fetch, result.rows) is None


def test_a_name_that_xml_cannot_hold_leaves_paging_to_numbers(store):
    fetch = compiled(store, PAGED.format(1, "", "<order attribute='name'/>"))
    row = ["x"] * len(run(fetch, store).rows[0])
    assert next_cookie(fetch, [row]) is not None
    row[fetch.cookie[0].place] = "bell \x07"
    assert next_cookie(fetch, [row]) is None
    row[fetch.cookie[0].place] = "\"<&'\n"
    inner = unquote(unquote(element(next_cookie(fetch, [row])).attrib["pagingcookie"]))
    assert element(inner)[0].attrib["last"] == "\"<&'\n"


def test_top_bounds_the_rows_and_nothing_follows(store):
    fetch = compiled(store, "<fetch top='2'><entity name='account'><attribute name='name'/></entity></fetch>")
    result = run(fetch, store)
    assert (len(result.rows), result.more, result.cookie, result.total) == (2, False, None, None)


def test_the_total_is_counted_where_it_is_asked_for(store):
    xml = (
        "<fetch count='1' returntotalrecordcount='true'><entity name='account'>"
        "<attribute name='name'/></entity></fetch>"
    )
    result = run(compiled(store, xml), store)
    assert (result.total, result.exceeded, len(result.rows)) == (5, False, 1)
    plain = compiled(store, ACCOUNT.format(""))
    assert run(plain, store).total is None
    assert run(plain, store, count=True).total == 5


def test_a_page_holds_5000_rows_at_most_and_the_count_stops_there():
    store = Store(load_schema(), lambda: NOW)
    store.create_tables()
    store.insert(store.schema["contact"], ({"contactid": guid(n), "lastname": "x"} for n in range(5_003)))
    fetch = compiled(
        store, "<fetch count='9000'><entity name='contact'><attribute name='lastname'/></entity></fetch>"
    )
    result = run(fetch, store, count=True)
    assert (len(result.rows), result.more, result.total, result.exceeded) == (5_000, True, 5_000, True)
    store.close()


def test_distinct_rows_have_no_key_and_differ_by_more_than_case(store):
    xml = (
        "<fetch distinct='true'><entity name='account'><attribute name='address1_city'/>"
        "<order attribute='address1_city' descending='true'/></entity></fetch>"
    )
    fetch = compiled(store, xml)
    result = run(fetch, store, count=True)
    assert [column.name for column in fetch.columns] == ["address1_city"]
    assert [row[0] and row[0].lower() for row in result.rows] == ["santa cruz", "redmond", None]
    assert (result.total, fetch.version_place, fetch.cookie) == (3, None, ())


# Aggregates


def test_aggregates_leave_null_out_except_in_the_number_of_rows(store):
    inner = "".join(
        f"<attribute name='numberofemployees' alias='{name}' aggregate='{name}'/>"
        for name in ("avg", "count", "countcolumn", "max", "min", "sum")
    )
    (row,) = rows(store, AGGREGATE.format("", inner))
    assert row == {"avg": 3725, "count": 5, "countcolumn": 4, "max": 6200, "min": 1500, "sum": 14900}


def test_aggregates_say_which_column_their_value_is_one_of(store):
    inner = """<attribute name='revenue' alias='total' aggregate='sum'/>
      <attribute name='revenue' alias='mean' aggregate='avg'/>
      <attribute name='createdon' alias='newest' aggregate='max'/>
      <attribute name='address1_city' alias='cities' aggregate='countcolumn' distinct='true'/>"""
    fetch = compiled(store, AGGREGATE.format("", inner))
    assert answered(fetch, run(fetch, store).rows) == [
        {"total": 156450.0, "mean": 39112.5, "newest": "2024-12-31T23:59:59Z", "cities": 2}
    ]
    columns = [column.column and column.column.name for column in fetch.columns]
    assert columns == ["revenue", "revenue", "createdon", None]
    assert all(column.is_aggregate and column.is_aliased for column in fetch.columns)
    assert (fetch.is_aggregate, fetch.version_place) == (True, None)


def test_groups_come_in_the_order_of_an_alias(store):
    inner = """<attribute name='numberofemployees' alias='total' aggregate='sum'/>
      <attribute name='name' alias='n' aggregate='count'/>
      <attribute name='address1_city' alias='city' groupby='true'/><order alias='{}' descending='{}'/>"""
    found = rows(store, AGGREGATE.format("", inner.format("city", "false")))
    assert [(row["city"] and row["city"].lower(), row["n"], row["total"]) for row in found] == [
        (None, 1, 0),
        ("redmond", 3, 10600),
        ("santa cruz", 1, 4300),
    ]
    assert rows(store, AGGREGATE.format("", inner.format("total", "true")))[0]["n"] == 3


def test_rows_are_grouped_by_lookups_of_links_too(store):
    inner = """<attribute name='accountid' alias='n' aggregate='count'/>
      <attribute name='ownerid' alias='owner' groupby='true'/><order alias='owner'/>
      <link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' alias='c'>
        <attribute name='lastname' alias='who' groupby='true'/></link-entity>"""
    fetch = compiled(store, AGGREGATE.format("", inner))
    result = run(fetch, store, count=True)
    found = answered(fetch, result.rows)
    assert [(row["owner"], row["n"], row["who"]) for row in found] == [
        (TEAM, 1, "McKay"),
        (ME, 2, None),
        (ME, 1, "McKay"),
        (ME, 1, "Stubberod"),
    ]
    owner = next(column for column in fetch.columns if column.name == "owner")
    assert (result.rows[0][owner.type_place], result.total) == ("team", 4)


def test_dates_are_grouped_by_their_parts(store):
    parts = ["day", "week", "month", "quarter", "year", "fiscal-period", "fiscal-year"]
    inner = "<attribute name='accountid' alias='n' aggregate='count'/>" + "".join(
        f"<attribute name='createdon' alias='p{place}' groupby='true' dategrouping='{part}'/>"
        for place, part in enumerate(parts)
    )
    found = rows(store, AGGREGATE.format("", inner + "<order alias='p4'/><order alias='p2'/>"))
    assert [[row[f"p{place}"] for place in range(7)] + [row["n"]] for row in found] == [
        [25, 12, 3, 1, 2023, 202301, 2023, 2],
        [27, 35, 8, 3, 2023, 202303, 2023, 1],
        [1, 1, 1, 1, 2024, 202401, 2024, 1],
        [31, 53, 12, 4, 2024, 202404, 2024, 1],
    ]
    assert formatted_group(DateGrouping.FISCAL_PERIOD, 202301) == "Quarter 1 FY2023"
    assert formatted_group(DateGrouping.FISCAL_YEAR, 2023) == "FY2023"
    assert formatted_group(DateGrouping.YEAR, 2023) == "2,023"


def test_more_rows_than_can_be_aggregated_are_refused(store):
    inner = "<attribute name='name' alias='n' aggregate='count'/>"
    assert run(compiled(store, AGGREGATE.format(" aggregatelimit='5'", inner)), store).rows == [(5,)]
    with pytest.raises(ODataError) as refusal:
        run(compiled(store, AGGREGATE.format(" aggregatelimit='4'", inner)), store)
    assert (refusal.value.status, refusal.value.code) == (400, "0x8004e023")
    assert compiled(store, AGGREGATE.format(" aggregatelimit='90000'", inner)).aggregate_limit == 50_000


def test_an_aggregate_of_no_rows_is_one_row_and_groups_of_none_are_none(store):
    nothing = "<filter><condition attribute='name' operator='eq' value='x'/></filter>"
    count = "<attribute name='name' alias='n' aggregate='count'/>"
    assert rows(store, AGGREGATE.format("", count + nothing)) == [{"n": 0}]
    group = "<attribute name='name' alias='g' groupby='true'/>"
    assert rows(store, AGGREGATE.format("", count + group + nothing)) == []
