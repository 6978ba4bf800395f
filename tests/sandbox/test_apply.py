"""``$apply`` groups and counts as the samples of Microsoft's documentation do, and refuses the rest."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sandbox.errors import ODataError
from crm_sandbox.opening import open_store
from crm_sandbox.queries.apply import compile_apply
from crm_sandbox.queries.options import Order
from crm_sandbox.queries.sql import Asker
from crm_sandbox.schema.model import ColumnType
from tests.sandbox.refusals import status_of

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def store():
    store = open_store(seed=1, now=lambda: NOW, accounts=200, path=None, tables=[])
    yield store
    store.close()


def compiled(store, text, table="account", **options):
    asker = Asker(NOW, "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")
    return compile_apply(text, store.schema[table], store.schema, asker, **options)


def applied(store, text, table="account", **options):
    """The answer as names and values, without what is null."""
    aggregation = compiled(store, text, table, **options)
    return [
        {item.name: row[item.position] for item in aggregation.properties if row[item.position] is not None}
        for row in aggregation.rows(store)
    ]


def accounts(store):
    return store.rows(
        "SELECT account.*, contact.fullname AS primary_name FROM account "
        "LEFT JOIN contact ON contact.contactid = account.primarycontactid"
    )


def test_the_sample_of_unique_statuses(store):
    assert applied(store, "groupby((statuscode))") == [{"statuscode": 1}, {"statuscode": 2}]


def test_the_sample_of_counts_by_status(store):
    counted = Counter(row["statuscode"] for row in accounts(store))
    assert applied(store, "groupby((statuscode),aggregate($count as count))") == [
        {"statuscode": code, "count": counted[code]} for code in (1, 2)
    ]


def test_the_sample_of_a_sum(store):
    total = sum(row["revenue"] or 0 for row in accounts(store))
    assert applied(store, "aggregate(revenue with sum as total)") == [{"total": pytest.approx(total)}]


def test_the_sample_of_averages_by_status(store):
    revenues = defaultdict(list)
    for row in accounts(store):
        if row["revenue"] is not None:
            revenues[row["statuscode"]].append(row["revenue"])
    answered = applied(store, "groupby((statuscode),aggregate(revenue with average as averagevalue))")
    assert answered == [
        {"statuscode": code, "averagevalue": pytest.approx(sum(values) / len(values))}
        for code, values in sorted(revenues.items())
    ]


def test_the_sample_of_a_path_is_answered_under_the_names_of_table_and_column(store):
    totals = Counter()
    for row in accounts(store):
        totals[row["primary_name"]] += row["revenue"] or 0
    answered = applied(store, "groupby((primarycontactid/fullname),aggregate(revenue with sum as total))")
    assert {row.get("contact_fullname"): row["total"] for row in answered} == pytest.approx(dict(totals))


def test_the_sample_of_a_filter_before_the_groups(store):
    names = {row["primary_name"] for row in accounts(store) if row["address1_stateorprovince"] == "WA"} - {
        None
    }
    answered = applied(store, "filter(address1_stateorprovince eq 'WA')/groupby((primarycontactid/fullname))")
    assert {row["contact_fullname"] for row in answered if row} == names


def test_the_samples_of_the_first_and_last_date(store):
    dates = [row["createdon"] for row in accounts(store)]
    assert applied(store, "aggregate(createdon with max as lastCreate)") == [{"lastCreate": max(dates)}]
    assert applied(store, "aggregate(createdon with min as firstCreate)") == [{"firstCreate": min(dates)}]


def test_the_sample_of_distinct_values_leaves_out_what_a_group_does_not_have(store):
    distinct = {(row["statecode"], row["statuscode"], row["accountcategorycode"]) for row in accounts(store)}
    answered = applied(store, "groupby((statecode,statuscode,accountcategorycode))")
    assert len(answered) == len(distinct)
    assert all(None not in row.values() for row in answered)


def test_rows_are_grouped_by_a_lookup_with_the_table_that_it_leads_to(store):
    aggregation = compiled(store, "groupby((_ownerid_value),aggregate($count as n))")
    owner, count = aggregation.properties
    assert (owner.name, owner.column.type) == ("_ownerid_value", ColumnType.OWNER)
    rows = aggregation.rows(store)
    assert {row[owner.type_position] for row in rows} == {"systemuser", "team"}
    assert sum(row[count.position] for row in rows) == 200


def test_texts_that_differ_in_case_only_are_one_group(store):
    with store.transaction():
        keys = [row["accountid"] for row in accounts(store)[:2]]
        for key, name in zip(keys, ("Same City", "SAME CITY"), strict=True):
            store.update(store.schema["account"], key, {"address1_city": name})
        answered = applied(
            store, "filter(address1_city eq 'same city')/groupby((address1_city),aggregate($count as n))"
        )
        distinct = applied(
            store,
            "filter(address1_city eq 'same city')/aggregate(address1_city with countdistinct as n)",
        )
    assert answered == [{"address1_city": "SAME CITY", "n": 2}]
    assert distinct == [{"n": 1}]


def test_the_average_of_whole_numbers_is_a_whole_number(store):
    numbers = [row["numberofemployees"] for row in accounts(store) if row["numberofemployees"] is not None]
    assert applied(store, "aggregate(numberofemployees with average as n)") == [
        {"n": sum(numbers) // len(numbers)}
    ]


def test_a_sum_of_nothing_is_zero_and_an_average_of_nothing_is_left_out(store):
    text = "filter(name eq 'none such')/aggregate(revenue with sum as s,revenue with average as a)"
    assert applied(store, text) == [{"s": 0}]


def test_groups_are_sorted_by_what_they_are_grouped_by_but_not_by_aggregates(store):
    text = "groupby((statuscode),aggregate($count as n))"
    answered = applied(store, text, orderby=[Order(("statuscode",), descending=True)])
    assert [row["statuscode"] for row in answered] == [2, 1]
    with pytest.raises(ODataError) as refused:
        compiled(store, text, orderby=[Order(("n",), descending=False)])
    assert refused.value.message == "The query node SingleValueOpenPropertyAccess is not supported."


def test_more_than_fifty_thousand_rows_are_refused_as_documented():
    store = open_store(seed=1, now=lambda: NOW, accounts=200, path=None, tables=[])
    table = store.schema["transactioncurrency"]
    store.insert(table, ({table.key: str(number), "currencyname": "x"} for number in range(50_001)))
    with pytest.raises(ODataError) as refused:
        applied(store, "aggregate($count as n)", "transactioncurrency")
    assert (refused.value.status, refused.value.code) == (400, "0x8004e023")
    assert refused.value.message == "AggregateQueryRecordLimit exceeded. Cannot perform this operation."
    few = "filter(currencyname ne 'x')/groupby((isocurrencycode))"
    answered = applied(store, few, "transactioncurrency")
    assert sorted(row["isocurrencycode"] for row in answered) == ["EUR", "GBP", "USD"]
    store.close()


def test_a_parameter_alias_stands_for_its_value(store):
    text = "filter(name eq @n)/aggregate($count as n)"
    assert applied(store, text, aliases={"@n": "'Contoso Ltd'"}) == [{"n": 1}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "groupby((createdon))",
        "groupby((nothing_such))",
        "groupby((primarycontactid/nothing_such))",
        "groupby((accountid,accountid))",
        "groupby(statuscode)",
        "groupby((rollup($all,name)))",
        "groupby((statuscode),aggregate($count as statuscode))",
        "groupby((statuscode))/filter(statuscode eq 1)",
        "filter(name eq 'x')",
        "aggregate(name with sum as total)",
        "aggregate(revenue with median as total)",
        "aggregate(revenue with count as total)",
        "aggregate(revenue with sum as a.b)",
        "aggregate(revenue with sum)",
        "aggregate($count as n);DROP TABLE account",
        "topcount(5,revenue)",
        "groupby((statuscode),aggregate(" + ",".join(f"$count as n{i}" for i in range(101)) + "))",
        "filter(" + "(" * 60 + "revenue eq 1" + ")" * 60 + ")/aggregate($count as n)",
    ],
)
def test_what_is_not_in_the_documented_subset_is_refused(store, text):
    with pytest.raises(ODataError) as refused:
        compiled(store, text)
    assert (refused.value.status, refused.value.code) == (400, "0x80060888")


@pytest.mark.parametrize(
    "text",
    [
        "groupby((" + "parentaccountid/" * 16 + "name))",
        "filter(" + "parentaccountid/" * 70 + "name eq 'x')/aggregate($count as n)",
    ],
)
def test_more_than_fifteen_joins_are_refused_as_documented(store, text):
    with pytest.raises(ODataError) as refused:
        compiled(store, text)
    assert refused.value.code == "0x8004430d"


WORDS = st.sampled_from(
    [
        "filter",
        "groupby",
        "aggregate",
        "(",
        ")",
        "((",
        "))",
        ",",
        "/",
        "$count",
        "as",
        "with",
        "sum",
        "average",
        "min",
        "max",
        "countdistinct",
        "name",
        "revenue",
        "statuscode",
        "primarycontactid",
        "fullname",
        "_ownerid_value",
        "createdon",
        "n",
        "total",
        "eq",
        "'x'",
        "1",
        "null",
        "not",
        "rollup",
        "@a",
    ]
)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(text=st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join)))
def test_any_text_is_answered_or_refused_but_never_breaks(store, text):
    assert status_of(lambda: applied(store, text)) in {200, 400, 501}
