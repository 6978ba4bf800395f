"""What the sample of queries shows: nine contacts of one account, filtered, sorted, paged and expanded."""

from collections.abc import Sequence

from tests.contract.exchange import ANNOTATED, Exchange, Step, absent, anything, counting, error, matching

_SAMPLE = "power-apps/developer/data-platform/webapi/web-api-query-data-sample"
_FILTER = "power-apps/developer/data-platform/webapi/query/filter-rows"
_ORDER = "power-apps/developer/data-platform/webapi/query/order-rows"
_PAGE = "power-apps/developer/data-platform/webapi/query/page-results"
_JOIN = "power-apps/developer/data-platform/webapi/query/join-tables"
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"

_PEOPLE = [
    ("Yvonne", "McKay", "Coffee Master", 45000),
    ("Susanna", "Stubberod", "Coffee Master", 52000),
    ("Nancy", "Anderson", "Coffee Master", 25500),
    ("Maria", "Cambell", "Accounts Manager", 31000),
    ("Nancy", "Achyuta", "Clerk", 60000),
    ("Jim", "Glynn", "Senior Management", 50000),
    ("Robert", "Lyon", "Clerk", 55000),
    ("Paul", "Cannon", "Ninja", 95000),
    ("Rene", "Valdes", "Data Analyst I", None),
]
SETUP = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Contoso, Ltd. (sample)",
        "contact_customer_accounts": [
            {"firstname": first, "lastname": last, "jobtitle": title, "annualincome": income}
            for first, last, title, income in _PEOPLE
        ],
        "primarycontactid": {
            "firstname": "Patrick",
            "lastname": "Steiner",
            "Contact_Tasks": [{"subject": "Task 1"}, {"subject": "Task 2"}],
        },
    },
)
_CONTACTS = "accounts({new1})/contact_customer_accounts"


def _names(lastnames: Sequence[str]) -> dict:
    return {"value": [{"lastname": name} for name in lastnames]}


def _finds(name: str, condition: str, lastnames: Sequence[str], source: str = _FILTER) -> Exchange:
    """An exchange in which a filter finds those contacts of the account, sorted by last name."""
    path = f"{_CONTACTS}?$select=lastname&$filter={condition}&$orderby=lastname"
    return Exchange(name, source, (SETUP, Step("GET", path, 200, json=_names(lastnames))))


def _sorts(name: str, order: str, lastnames: Sequence[str]) -> Exchange:
    """An exchange in which the first three contacts of an order are these."""
    path = f"{_CONTACTS}?$select=lastname&$orderby={order}&$top=3"
    return Exchange(name, _ORDER, (SETUP, Step("GET", path, 200, json=_names(lastnames))))


EXCHANGES = [
    _finds("contains finds a part of a text", "contains(jobtitle,'manage')", ["Cambell", "Glynn"]),
    _finds("startswith finds the beginning of a text", "startswith(lastname,'Ca')", ["Cambell", "Cannon"]),
    _finds("endswith finds the end of a text", "endswith(lastname,'on')", ["Anderson", "Cannon", "Lyon"]),
    _finds(
        "comparisons of text ignore case", "jobtitle eq 'coffee MASTER'", ["Anderson", "McKay", "Stubberod"]
    ),
    _finds("less than leaves out rows without a value", "annualincome lt 40000", ["Anderson", "Cambell"]),
    _finds(
        "not equal finds rows without a value too",
        "annualincome ne 45000 and annualincome ne 60000 and startswith(lastname,'V')",
        ["Valdes"],
    ),
    _finds("null is found by eq", "annualincome eq null", ["Valdes"]),
    _finds(
        "and binds stronger than or",
        "jobtitle eq 'Ninja' or jobtitle eq 'Clerk' and annualincome gt 55000",
        ["Achyuta", "Cannon"],
    ),
    _finds(
        "parentheses group conditions",
        "(jobtitle eq 'Ninja' or jobtitle eq 'Clerk') and annualincome gt 55000",
        ["Achyuta", "Cannon"],
    ),
    _finds(
        "not turns a function round", "not contains(jobtitle,'c') and annualincome gt 0", ["Cannon", "Glynn"]
    ),
    _finds(
        "a range is said with ge and le",
        "annualincome ge 50000 and annualincome le 55000",
        ["Glynn", "Lyon", "Stubberod"],
    ),
    _finds(
        "two columns are compared with each other",
        "firstname gt lastname",
        ["Achyuta", "Anderson", "Cambell", "Cannon", "Glynn", "Lyon", "McKay", "Stubberod"],
    ),
    _finds(
        "a percent sign in a text is a wildcard",
        "contains(jobtitle,'C%25M')",
        ["Anderson", "Cambell", "McKay", "Stubberod"],
    ),
    _finds(
        "an underscore in a text stands for one character", "startswith(lastname,'_c')", ["Achyuta", "McKay"]
    ),
    _finds(
        "a column of a related row is compared through its path",
        "parentcustomerid_account/name eq 'Contoso, Ltd. (sample)' and jobtitle eq 'Ninja'",
        ["Cannon"],
    ),
    _finds(
        "the function In takes a list of values",
        "Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['Lyon','Glynn'])",
        ["Glynn", "Lyon"],
    ),
    _finds(
        "the function Between takes the ends of a range",
        'Microsoft.Dynamics.CRM.Between(PropertyName=\'annualincome\',PropertyValues=["50000","55000"])',
        ["Glynn", "Lyon", "Stubberod"],
    ),
    _finds(
        "a value of a filter can be a parameter alias", "jobtitle eq @p1&@p1='Ninja'", ["Cannon"], _SAMPLE
    ),
    _sorts(
        "rows are sorted upwards unless told otherwise", "annualincome", ["Valdes", "Anderson", "Cambell"]
    ),
    _sorts("rows are sorted downwards by desc", "annualincome desc", ["Cannon", "Achyuta", "Lyon"]),
    _sorts(
        "rows are sorted by several columns", "jobtitle asc,annualincome desc", ["Cambell", "Achyuta", "Lyon"]
    ),
    Exchange(
        "an apostrophe in a value is doubled",
        _FILTER,
        (
            Step("POST", "accounts", 204, {"name": "O'Brian Sample"}),
            Step(
                "GET",
                "accounts?$select=name&$filter=name eq 'O''Brian Sample'",
                200,
                json={"value": [{"name": "O'Brian Sample"}]},
            ),
            Step(
                "GET", "accounts?$select=name&$filter=name eq 'O'Brian Sample'", 400, json=error("0x80060888")
            ),
        ),
    ),
    Exchange(
        "top limits the number of rows",
        _PAGE,
        (
            SETUP,
            Step(
                "GET",
                f"{_CONTACTS}?$select=lastname&$top=5",
                200,
                json={"value": counting(5), "@odata.nextLink": absent},
            ),
        ),
    ),
    Exchange(
        "skip is not supported",
        _PAGE,
        (
            Step(
                "GET",
                "contacts?$skip=5",
                400,
                json=error("0x80060888", "Skip Clause is not supported in CRM"),
            ),
        ),
    ),
    Exchange(
        "a page leads to the next one",
        _PAGE,
        (
            SETUP,
            Step(
                "GET",
                f"{_CONTACTS}?$select=lastname&$orderby=lastname",
                200,
                sent={"Prefer": "odata.maxpagesize=6"},
                json={"value": counting(6), "@odata.nextLink": matching(r"\$skiptoken=")},
                headers={"Preference-Applied": "odata.maxpagesize=6"},
                capture={"next": "@odata.nextLink"},
            ),
            Step(
                "GET",
                "{next}",
                200,
                sent={"Prefer": "odata.maxpagesize=6"},
                json={"value": counting(3), "@odata.nextLink": absent},
            ),
        ),
    ),
    Exchange(
        "the count of all rows comes with the first page",
        _PAGE,
        (
            SETUP,
            Step(
                "GET",
                f"{_CONTACTS}?$select=lastname&$count=true",
                200,
                sent={"Prefer": "odata.maxpagesize=2"},
                json={"@odata.count": 9, "value": counting(2)},
            ),
        ),
    ),
    Exchange(
        "the number of related rows is a plain number",
        "power-apps/developer/data-platform/webapi/query/count-rows",
        (SETUP, Step("GET", f"{_CONTACTS}/$count", 200, text=matching("9$"))),
    ),
    Exchange(
        "top is ignored when a page size is asked for",
        _PAGE,
        (
            SETUP,
            Step(
                "GET",
                f"{_CONTACTS}?$select=lastname&$top=1",
                200,
                sent={"Prefer": "odata.maxpagesize=4"},
                json={"value": counting(4)},
            ),
        ),
    ),
    Exchange(
        "a single-valued navigation property is expanded",
        _JOIN,
        (
            SETUP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=primarycontactid($select=fullname)",
                200,
                json={"primarycontactid": {"fullname": "Patrick Steiner", "jobtitle": absent}},
            ),
        ),
    ),
    Exchange(
        "a navigation property that leads nowhere expands to null",
        _JOIN,
        (
            SETUP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=parentaccountid($select=name)",
                200,
                json={"parentaccountid": None},
            ),
        ),
    ),
    Exchange(
        "an expanded collection is filtered, sorted and cut",
        _JOIN,
        (
            SETUP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=contact_customer_accounts("
                "$select=lastname;$filter=annualincome gt 50000;$orderby=lastname desc;$top=2)",
                200,
                json={"contact_customer_accounts": [{"lastname": "Stubberod"}, {"lastname": "Lyon"}]},
            ),
        ),
    ),
    Exchange(
        "several navigation properties are expanded, also one inside another",
        _JOIN,
        (
            SETUP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=contact_customer_accounts($select=lastname),"
                "primarycontactid($select=lastname;$expand=Contact_Tasks($select=subject))",
                200,
                json={
                    "contact_customer_accounts": counting(9),
                    "primarycontactid": {"lastname": "Steiner", "Contact_Tasks": counting(2)},
                },
            ),
        ),
    ),
    Exchange(
        "rows are found by what any of their related rows has",
        _FILTER,
        (
            SETUP,
            Step(
                "GET",
                "accounts?$select=name&$filter=contact_customer_accounts/any(c:c/jobtitle eq 'Ninja')",
                200,
                json={"value": [{"name": "Contoso, Ltd. (sample)"}]},
            ),
        ),
    ),
    Exchange(
        "rows are found by what all of their related rows have",
        _FILTER,
        (
            SETUP,
            Step(
                "GET",
                "accounts?$select=name&$filter=accountid eq {new1}"
                " and contact_customer_accounts/all(c:c/jobtitle ne 'Ninja')",
                200,
                json={"value": []},
            ),
        ),
    ),
    Exchange(
        "formatted values of money come in the caller's format",
        _SAMPLE,
        (
            SETUP,
            Step(
                "GET",
                f"{_CONTACTS}?$select=lastname,annualincome&$filter=lastname eq 'Cannon'",
                200,
                sent=ANNOTATED,
                json={"value": [{"annualincome": 95000, f"annualincome{_FORMATTED}": "$95,000.00"}]},
            ),
        ),
    ),
    Exchange(
        "a list of one table tells how it is read again",
        _SAMPLE,
        (
            SETUP,
            Step(
                "GET",
                "accounts?$select=name&$filter=accountid eq {new1}",
                200,
                json={
                    "@odata.context": "{root}$metadata#accounts(name)",
                    "value": [{"name": anything, "accountid": "{new1}", "@odata.etag": anything}],
                },
            ),
        ),
    ),
]
