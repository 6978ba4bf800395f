"""Queries in SQL, as far as the preview is documented."""

from typing import Any

from tests.contract.exchange import ANNOTATED, Exchange, Step, a_guid, absent, counting, matching

_SQL = "power-apps/developer/data-platform/webapi/query/sql"
_NAME = "@OData.Community.Display.V1.AttributeName"

_SETUP = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "SQL Holding",
        "account_parent_account": [
            {
                "name": "SQL Amber",
                "telephone1": "(555) 100-0006",
                "revenue": 100,
                "address1_city": "Berlin",
                "contact_customer_accounts": [
                    {"firstname": "Ann", "lastname": "Ashe"},
                    {"firstname": "Ben", "lastname": "Beck"},
                ],
            },
            {
                "name": "SQL Birch",
                "revenue": 200,
                "address1_city": "Berlin",
                "contact_customer_accounts": [{"firstname": "Cal", "lastname": "Cole"}],
            },
            {"name": "SQL 50%off", "revenue": 300, "address1_city": "Paris"},
        ],
    },
)


def _rows(names: str, column: str = "name") -> list[dict[str, Any]]:
    return [{column: f"SQL {name}"} for name in names.split()]


def _answers(name: str, query: str, value: Any) -> Exchange:
    """An exchange in which a query on accounts gives these rows."""
    return Exchange(name, _SQL, (_SETUP, Step("GET", f"accounts?sql={query}", 200, json={"value": value})))


def _finds(name: str, condition: str, names: str) -> Exchange:
    """An exchange in which a condition finds companies, sorted by name."""
    query = f"SELECT name FROM account WHERE parentaccountid = '{{new1}}' AND {condition} ORDER BY name"
    return _answers(name, query, _rows(names))


def _refuses(name: str, query: str) -> Exchange:
    """An exchange in which a query is refused."""
    return Exchange(name, _SQL, (Step("GET", f"accounts?sql={query}", 400),))


_AMBER = "SELECT name FROM account AS a WHERE a.name LIKE 'SQL Amber'"
_FROM = "FROM account AS a INNER JOIN contact AS c ON a.accountid = c.parentcustomerid"
_OURS = "WHERE a.parentaccountid = '{new1}'"

EXCHANGES = [
    Exchange(
        "a query in SQL answers as a query in OData does",
        _SQL,
        (
            _SETUP,
            Step(
                "GET",
                f"accounts?sql={_AMBER}",
                200,
                json={"value": [{"name": "SQL Amber", "accountid": a_guid, "@odata.etag": matching('^W/"')}]},
            ),
        ),
    ),
    Exchange(
        "the context of a query in SQL names its columns",
        _SQL,
        (
            _SETUP,
            Step(
                "GET",
                f"accounts?sql={_AMBER}",
                200,
                json={"@odata.context": "{root}$metadata#accounts(name,accountid)"},
            ),
        ),
    ),
    Exchange(
        "a query in SQL has the annotations of the number of rows",
        _SQL,
        (
            _SETUP,
            Step(
                "GET",
                f"accounts?sql={_AMBER}",
                200,
                sent=ANNOTATED,
                json={
                    "@Microsoft.Dynamics.CRM.totalrecordcount": -1,
                    "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded": False,
                },
                headers={"Preference-Applied": 'odata.include-annotations="*"'},
            ),
        ),
    ),
    Exchange(
        "a column of SQL may have another name in the answer",
        _SQL,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?sql=SELECT a.name AS account_name, a.telephone1 AS phone FROM account AS a "
                "WHERE a.name = 'SQL Amber'",
                200,
                sent=ANNOTATED,
                json={
                    "value": [
                        {
                            "account_name": "SQL Amber",
                            f"account_name{_NAME}": "name",
                            "phone": "(555) 100-0006",
                            f"phone{_NAME}": "telephone1",
                            "name": absent,
                        }
                    ]
                },
            ),
        ),
    ),
    _finds("SQL compares with equality", "revenue = 200", "Birch"),
    _finds("SQL excludes with <>", "revenue <> 200", "50%off Amber"),
    _finds("SQL excludes with !=", "name != 'SQL Birch'", "50%off Amber"),
    _finds("SQL compares by order", "revenue >= 200 AND revenue < 300", "Birch"),
    _finds("SQL compares texts by order", "name > 'SQL B'", "Birch"),
    _finds(
        "SQL groups conditions with parentheses", "(name = 'SQL Amber' OR name = 'SQL Birch')", "Amber Birch"
    ),
    _finds("a percent sign in LIKE matches any characters", "name LIKE 'SQL B%25'", "Birch"),
    _finds("an underscore in LIKE matches one character", "name LIKE 'SQL _irch'", "Birch"),
    _finds("a percent sign in brackets in LIKE stands for itself", "name LIKE '%25[%25]off'", "50%off"),
    _finds("NOT LIKE leaves out what matches", "name NOT LIKE '%25irc%25'", "50%off Amber"),
    _finds("SQL takes a list with IN", "name IN ('SQL Amber', 'SQL Birch', 'None')", "Amber Birch"),
    _finds("SQL leaves out a list with NOT IN", "name NOT IN ('SQL Amber', 'SQL Birch')", "50%off"),
    _finds("SQL takes an inclusive range with BETWEEN", "revenue BETWEEN 100 AND 200", "Amber Birch"),
    _finds("IS NULL finds rows without a value in SQL", "telephone1 IS NULL", "50%off Birch"),
    _finds("IS NOT NULL finds rows with a value in SQL", "telephone1 IS NOT NULL", "Amber"),
    _finds(
        "a moment in SQL is reckoned from a constant with DATEADD",
        "createdon >= DATEADD(day, -3, '2023-01-01 17:00:00')",
        "50%off Amber Birch",
    ),
    _finds(
        "a moment in SQL is reckoned from now with GETUTCDATE",
        "createdon >= DATEADD(day, -3, GETUTCDATE())",
        "50%off Amber Birch",
    ),
    _answers(
        "SQL sorts by several columns",
        "SELECT name, address1_city FROM account WHERE parentaccountid = '{new1}' "
        "ORDER BY address1_city DESC, name ASC",
        _rows("50%off Amber Birch"),
    ),
    _answers(
        "DISTINCT gives each value once in SQL",
        f"SELECT DISTINCT a.address1_city FROM account AS a {_OURS}",
        counting(2),
    ),
    _answers(
        "an inner join in SQL gives a row for each pair",
        f"SELECT a.name, c.lastname AS contact_name {_FROM} {_OURS} ORDER BY a.name",
        [{"name": "SQL Amber"}, {"name": "SQL Amber"}, {"name": "SQL Birch", "contact_name": "Cole"}],
    ),
    _answers(
        "a left join in SQL keeps rows without a partner",
        f"SELECT a.name, c.lastname AS contact_name {_FROM.replace('INNER', 'LEFT')} {_OURS} ORDER BY a.name",
        [{"name": "SQL 50%off"}, {"name": "SQL Amber"}, {"name": "SQL Amber"}, {"name": "SQL Birch"}],
    ),
    _answers(
        "a table is joined with itself in SQL",
        "SELECT child.name AS account, parent.name AS parent_account FROM account AS child "
        "INNER JOIN account AS parent ON child.parentaccountid = parent.accountid "
        "WHERE child.name = 'SQL Birch'",
        [{"account": "SQL Birch", "parent_account": "SQL Holding"}],
    ),
    _answers(
        "a join in SQL may have a filter on the table that is joined",
        f"SELECT a.name, c.lastname AS contact_name {_FROM} AND c.lastname LIKE 'B%25' {_OURS}",
        [{"name": "SQL Amber", "contact_name": "Beck"}],
    ),
    _answers(
        "filters of a join in SQL may be alternatives in parentheses",
        f"SELECT a.name, c.lastname AS contact_name {_FROM} "
        f"AND (c.lastname LIKE 'B%25' OR c.firstname = 'Cal') {_OURS} ORDER BY a.name",
        [{"contact_name": "Beck"}, {"contact_name": "Cole"}],
    ),
    _answers(
        "SQL counts the rows of groups",
        f"SELECT a.name, COUNT(*) AS contact_count {_FROM} {_OURS} GROUP BY a.name ORDER BY a.name",
        [{"name": "SQL Amber", "contact_count": 2}, {"name": "SQL Birch", "contact_count": 1}],
    ),
    _answers(
        "SQL has several aggregates in one query",
        "SELECT COUNT(*) AS total_accounts, SUM(revenue) AS total_revenue, AVG(revenue) AS avg_revenue, "
        "MIN(revenue) AS min_revenue, MAX(revenue) AS max_revenue FROM account "
        "WHERE parentaccountid = '{new1}'",
        [
            {
                "total_accounts": 3,
                "total_revenue": 600,
                "avg_revenue": 200,
                "min_revenue": 100,
                "max_revenue": 300,
            }
        ],
    ),
    Exchange(
        "pages of SQL have a link as those of OData",
        _SQL,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?sql=SELECT name FROM account WHERE parentaccountid = '{new1}' ORDER BY name",
                200,
                sent={"Prefer": "odata.maxpagesize=2"},
                json={"value": _rows("50%off Amber")},
                capture={"next": "@odata.nextLink"},
            ),
            Step(
                "GET",
                "{next}",
                200,
                sent={"Prefer": "odata.maxpagesize=2"},
                json={"value": _rows("Birch"), "@odata.nextLink": absent},
            ),
        ),
    ),
    _refuses("SQL does not select all columns with a star", "SELECT * FROM account"),
    _refuses(
        "SQL has no HAVING",
        "SELECT address1_city, COUNT(*) AS n FROM account GROUP BY address1_city HAVING COUNT(*) > 1",
    ),
    _refuses(
        "SQL has no subqueries",
        "SELECT name FROM account WHERE accountid IN (SELECT accountid FROM account)",
    ),
    _refuses(
        "SQL has no EXISTS",
        "SELECT name FROM account AS a WHERE EXISTS (SELECT contactid FROM contact)",
    ),
    _refuses("SQL compares no literal with a literal", "SELECT name FROM account WHERE 1=1"),
    _refuses("SQL compares no column with a column", "SELECT name FROM account WHERE modifiedon > createdon"),
    _refuses("SQL reckons with no numbers", "SELECT name FROM account WHERE revenue > 500.0 %2B 125.0"),
    _refuses("SQL selects no literals", "SELECT 'abc', name FROM account"),
    _refuses("SQL groups by no function", "SELECT COUNT(*) AS n FROM account GROUP BY MONTH(createdon)"),
    _refuses(
        "a join in SQL needs an equality of columns",
        "SELECT a.name FROM account AS a INNER JOIN contact AS c ON a.accountid <> c.parentcustomerid",
    ),
    _refuses(
        "a join in SQL has no filter on another table than the one joined",
        f"SELECT a.name {_FROM} AND a.name LIKE 'A%25'",
    ),
    _refuses("SQL does not sort by an expression", "SELECT name FROM account ORDER BY LEN(name)"),
    _refuses("SQL applies no function to a column", "SELECT name FROM account WHERE LEN(name) = 5"),
    _refuses(
        "SQL has no right join",
        "SELECT c.fullname FROM account AS a RIGHT JOIN contact AS c ON a.accountid = c.parentcustomerid",
    ),
    _refuses("SQL has no cross join", "SELECT a.name FROM account AS a CROSS JOIN contact AS c"),
    _refuses("a query in SQL only reads", "DELETE FROM account"),
    _refuses("a query in SQL is one statement", "SELECT name FROM account%3B SELECT fullname FROM contact"),
]
