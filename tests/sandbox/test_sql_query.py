"""SQL queries answer as documented, and nothing of their text gets into the database."""

from __future__ import annotations

import pytest

from tests.sandbox.sql_queries import compiled, names, opened, selected


@pytest.fixture(scope="module")
def store():
    yield from opened()


def test_rows_come_with_their_key_and_version(store):
    query = compiled(store, "SELECT name FROM account AS a WHERE a.name LIKE 'Contoso Ltd'")
    (row,) = query.rows(store)
    assert [column.name for column in query.columns] == ["name", "accountid"]
    expected = store.rows("SELECT versionnumber, name, accountid FROM account WHERE name = 'Contoso Ltd'")[0]
    assert row[query.version_position] == expected["versionnumber"]
    assert [row[column.position] for column in query.columns] == [expected["name"], expected["accountid"]]
    assert (query.table.name, [table.name for table in query.tables]) == ("account", ["account"])


def test_column_aliases_rename_and_say_so(store):
    query = compiled(store, "SELECT a.name AS account_name, a.telephone1 AS phone FROM account AS a")
    assert [(column.name, column.renamed) for column in query.columns] == [
        ("account_name", True),
        ("phone", True),
        ("accountid", False),
    ]
    assert query.columns[0].column.name == "name"


def test_names_have_no_case(store):
    first, second = (
        selected(store, text)
        for text in (
            "select NAME from ACCOUNT a where A.Name like 'CONTOSO%'",
            "SELECT a.name FROM account AS A WHERE name LIKE 'contoso%'",
        )
    )
    assert first
    assert first == second


def rounded(row):
    return tuple(round(value, 2) if isinstance(value, float) else value for value in row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            (
                "SELECT a.name, c.fullname, c.emailaddress1 FROM account AS a "
                "INNER JOIN contact AS c ON a.accountid = c.parentcustomerid"
            ),
            (
                "SELECT a.name, c.fullname, c.emailaddress1, a.accountid FROM account a "
                "JOIN contact c ON a.accountid = c.parentcustomerid"
            ),
        ),
        (
            (
                "SELECT a.name, c.fullname FROM account AS a "
                "LEFT JOIN contact AS c ON a.accountid = c.parentcustomerid"
            ),
            (
                "SELECT a.name, c.fullname, a.accountid FROM account a "
                "LEFT JOIN contact c ON a.accountid = c.parentcustomerid"
            ),
        ),
        (
            (
                "SELECT a.name, c.fullname, o.name AS opportunity_name FROM account AS a "
                "INNER JOIN contact AS c ON a.accountid = c.parentcustomerid "
                "INNER JOIN opportunity AS o ON a.accountid = o.customerid"
            ),
            (
                "SELECT a.name, c.fullname, o.name, a.accountid FROM account a "
                "JOIN contact c ON a.accountid = c.parentcustomerid "
                "JOIN opportunity o ON a.accountid = o.customerid"
            ),
        ),
        (
            (
                "SELECT child.name AS account, parent.name AS parent_account FROM account AS child "
                "INNER JOIN account AS parent ON child.parentaccountid = parent.accountid"
            ),
            (
                "SELECT child.name, parent.name, child.accountid FROM account child "
                "JOIN account parent ON child.parentaccountid = parent.accountid"
            ),
        ),
        (
            (
                "SELECT a.name, c.fullname FROM account AS a INNER JOIN contact AS c "
                "ON a.accountid = c.parentcustomerid AND (c.fullname LIKE 'A%' OR c.emailaddress1 LIKE 'B%')"
            ),
            (
                "SELECT a.name, c.fullname, a.accountid FROM account a JOIN contact c "
                "ON a.accountid = c.parentcustomerid WHERE c.fullname LIKE 'A%' OR c.emailaddress1 LIKE 'B%'"
            ),
        ),
        (
            (
                "SELECT a.name, COUNT(*) AS contact_count FROM account AS a "
                "INNER JOIN contact AS c ON a.accountid = c.parentcustomerid GROUP BY a.name ORDER BY a.name"
            ),
            (
                "SELECT a.name, count(*) FROM account a JOIN contact c ON a.accountid = c.parentcustomerid "
                "GROUP BY a.name"
            ),
        ),
        (
            (
                "SELECT COUNT(*) AS total_accounts, SUM(revenue) AS total_revenue, "
                "AVG(revenue) AS avg_revenue, "
                "MIN(revenue) AS min_revenue, MAX(revenue) AS max_revenue FROM account"
            ),
            "SELECT count(*), sum(revenue), avg(revenue), min(revenue), max(revenue) FROM account",
        ),
        (
            "SELECT DISTINCT a.address1_city FROM account AS a",
            "SELECT DISTINCT address1_city FROM account",
        ),
    ],
)
def test_the_samples_of_the_documentation_find_what_they_should(store, text, expected):
    query = compiled(store, text)
    found = [tuple(row[column.position] for column in query.columns) for row in query.rows(store)]
    wanted = store.connection.execute(expected).fetchall()
    assert found
    # The order in which values are added up is SQLite's own, so the last digits of a sum can differ.
    assert sorted(map(rounded, found), key=repr) == sorted(map(rounded, wanted), key=repr)


@pytest.mark.parametrize(
    ("condition", "same_as"),
    [
        ("statecode <> 1", "statecode != 1"),
        ("name > 'M' AND NOT name = 'm'", "name > 'm'"),
        ("name IN ('Contoso Ltd', N'Fabrikam, Inc.')", "name = 'contoso ltd' OR 'FABRIKAM, INC.' = name"),
        ("name NOT IN ('Contoso Ltd')", "name <> 'Contoso Ltd'"),
        ("name BETWEEN 'A' AND 'D'", "name >= 'a' AND name <= 'd'"),
        ("name NOT LIKE '%a%'", "NOT (name LIKE '%A%')"),
        ("name LIKE '[A-C]ontoso Ltd'", "name = 'Contoso Ltd'"),
        ("creditonhold = 0", "creditonhold <> 1"),
        ("revenue > 1000000.0", "1000000 < revenue"),
        ("revenue > -1", "revenue IS NOT NULL"),
        ("createdon >= '2025-06-01'", "createdon >= '2025-06-01 00:00:00'"),
        ("createdon >= '2025-06-01T02:00:00+02:00'", "createdon >= '2025-06-01T00:00:00Z'"),
        ("createdon >= DATEADD(day, -3, '2025-06-04 17:00:00')", "createdon >= '2025-06-01 17:00:00'"),
        ("createdon >= DATEADD(month, -6, '2025-08-31')", "createdon >= '2025-02-28'"),
        ("createdon >= DATEADD(year, -1, GETUTCDATE())", "createdon >= '2025-11-23 09:30:00'"),
        ("(statecode = 0 OR statecode = 1) AND telephone1 IS NOT NULL", "telephone1 IS NOT NULL"),
    ],
)
def test_two_ways_to_say_the_same_find_the_same(store, condition, same_as):
    first, second = names(store, condition), names(store, same_as)
    assert first
    assert first == second


def test_nothing_is_equal_to_null_and_unequal_leaves_out_nulls(store):
    assert names(store, "name = NULL") == []
    filled = names(store, "description IS NOT NULL")
    assert names(store, "description <> 'none such'") == filled


def test_a_guid_is_compared_in_any_form(store):
    key = store.rows("SELECT accountid FROM account WHERE name = 'Contoso Ltd'")[0]["accountid"]
    assert names(store, f"accountid = '{key.upper()}'") == ["Contoso Ltd"]
    assert names(store, f"accountid = '{{{key}}}'") == ["Contoso Ltd"]


def test_rows_are_sorted_by_columns_and_by_aliases(store):
    rows = selected(store, "SELECT address1_city, name AS n FROM account ORDER BY address1_city DESC, n")
    assert len(rows) == 200
    keys = [(row["address1_city"] or "", row["n"].casefold()) for row in rows]
    expected = sorted(keys, key=lambda key: key[1])
    assert keys == sorted(expected, key=lambda key: key[0].casefold(), reverse=True)
    counted = selected(
        store, "SELECT address1_city, COUNT(*) AS n FROM account GROUP BY address1_city ORDER BY n DESC"
    )
    assert [row["n"] for row in counted] == sorted((row["n"] for row in counted), reverse=True)


def test_pages_fit_together_and_top_and_fetch_limit_them_all(store):
    text = "SELECT name FROM account ORDER BY address1_city"
    whole = selected(store, text)
    assert [row for start in range(0, 200, 30) for row in selected(store, text, 30, start)] == whole
    top = "SELECT TOP 40 name FROM account ORDER BY address1_city"
    assert selected(store, top, 30, 0) + selected(store, top, 30, 30) == whole[:40]
    fetched = selected(store, f"{text} OFFSET 10 ROWS FETCH NEXT 5 ROWS ONLY")
    assert fetched == whole[10:15]
    assert selected(store, "SELECT TOP 0 name FROM account") == []


def test_a_polymorphic_lookup_comes_with_the_table_that_it_leads_to(store):
    query = compiled(store, "SELECT DISTINCT ownerid FROM account")
    (column,) = query.columns
    assert column.name == "_ownerid_value"
    assert {row[column.type_position] for row in query.rows(store)} == {"systemuser", "team"}
