"""Filters: operators, texts, lookups, related rows, choices, dates and parameter aliases."""

from collections.abc import Sequence

from tests.contract.exchange import Exchange, Step, error, matching

_FILTER = "power-apps/developer/data-platform/webapi/query/filter-rows"
_WILDCARDS = "power-apps/developer/data-platform/wildcard-characters"
_LOOKUPS = "power-apps/developer/data-platform/webapi/web-api-properties"
_CHOICES = "power-apps/developer/data-platform/multi-select-picklist"
_OPTIONS = "power-apps/developer/data-platform/webapi/query/overview"

_COMPANIES = [
    {
        "accountid": "{new2}",
        "name": "Amber Tools",
        "accountnumber": "+49 123",
        "revenue": 100000,
        "numberofemployees": 10,
        "industrycode": 7,
        "creditonhold": True,
        "address1_city": "Berlin",
        "address1_county": "Berlin",
        "primarycontactid": {"contactid": "{new11}", "firstname": "Ann", "lastname": "O'Bryan"},
        "contact_customer_accounts": [
            {"lastname": "Ashe", "jobtitle": "Buyer", "numberofchildren": 2, "birthdate": "1980-05-17"},
            {"lastname": "Beck", "jobtitle": "Clerk", "numberofchildren": 0, "birthdate": "1990-05-17"},
        ],
    },
    {
        "accountid": "{new3}",
        "name": "Birch & Sons",
        "accountnumber": "A-17",
        "revenue": 250000.5,
        "numberofemployees": 200,
        "industrycode": 16,
        "creditonhold": False,
        "address1_city": "Bern",
        "address1_county": "Mitte",
        "contact_customer_accounts": [
            {
                "lastname": "Cole",
                "jobtitle": "Buyer",
                "numberofchildren": 3,
                "Contact_Tasks": [{"subject": "Call back"}],
            }
        ],
    },
    {
        "accountid": "{new4}",
        "name": "Cedar 50% Outlet",
        "accountnumber": "B#17",
        "revenue": 250000.5,
        "numberofemployees": 3000,
        "industrycode": 16,
        "creditonhold": False,
        "address1_city": "Paris",
    },
    {"accountid": "{new5}", "name": "Dogwood", "creditonhold": False},
]
_SETUP = Step(
    "POST",
    "accounts",
    204,
    {"accountid": "{new1}", "name": "Holding", "account_parent_account": _COMPANIES},
)
_COLLECTION = "accounts({new1})/account_parent_account"
_PATH = f"{_COLLECTION}?$select=name&$orderby=name&$filter="


def _finds(name: str, condition: str, initials: str, source: str = _FILTER) -> Exchange:
    """An exchange in which a condition finds the companies whose names begin with these letters."""
    rows = [{"name": matching(f"^{letter}")} for letter in initials]
    return Exchange(name, source, (_SETUP, Step("GET", _PATH + condition, 200, json={"value": rows})))


def _finds_contacts(name: str, condition: str, lastnames: Sequence[str]) -> Exchange:
    """An exchange in which a condition finds contacts of the first company."""
    path = (
        f"accounts({{new2}})/contact_customer_accounts?$select=lastname&$orderby=lastname&$filter={condition}"
    )
    rows = [{"lastname": name} for name in lastnames]
    return Exchange(name, _FILTER, (_SETUP, Step("GET", path, 200, json={"value": rows})))


def _refuses(name: str, condition: str, code: str, message: str | None = None) -> Exchange:
    """An exchange in which a condition is refused."""
    return Exchange(
        name, _FILTER, (Step("GET", f"accounts?$filter={condition}", 400, json=error(code, message)),)
    )


EXCHANGES = [
    _finds("a number is found by eq", "numberofemployees eq 200", "B"),
    _finds("greater than leaves out the value itself and rows without one", "numberofemployees gt 200", "C"),
    _finds("greater or equal includes the value itself", "numberofemployees ge 200", "BC"),
    _finds("less or equal includes the value itself", "numberofemployees le 200", "AB"),
    _finds("an amount of money is compared as a number", "revenue eq 250000.5", "BC"),
    _finds("a two-options column is compared with true", "creditonhold eq true", "A"),
    _finds("a two-options column is compared with false", "creditonhold eq false", "BCD"),
    _finds("a choice is compared by its number", "industrycode eq 16", "BC"),
    _finds("rows that have a value are found by ne null", "revenue ne null", "ABC"),
    _finds("a column is compared with another column of its row", "address1_city eq address1_county", "A"),
    _finds("or finds rows for which either condition holds", "revenue lt 200000 or name eq 'Dogwood'", "AD"),
    _finds(
        "not in front of a group turns the whole group round",
        "not (revenue eq 100000 or numberofemployees eq 200) and revenue ne null",
        "C",
    ),
    _finds("not in front of startswith turns it round", "not startswith(name,'B')", "ACD"),
    _finds("not in front of endswith turns it round", "not endswith(name,'s') and revenue ne null", "C"),
    _finds("contains ignores case", "contains(name,'AMBER')", "A"),
    _finds("startswith ignores case", "startswith(name,'dog')", "D"),
    _finds("endswith ignores case", "endswith(name,'OUTLET')", "C"),
    _finds("greater than compares texts by their order", "name gt 'C'", "CD"),
    _finds("an ampersand in a value is percent-encoded", "name eq 'Birch %26 Sons'", "B"),
    _finds("a plus sign in a value is percent-encoded", "contains(accountnumber,'%2B49')", "A"),
    _finds("a number sign in a value is percent-encoded", "accountnumber eq 'B%2317'", "C"),
    _finds("a percent sign within brackets stands for itself", "contains(name,'[%25]')", "C", _WILDCARDS),
    _finds("brackets in a text match one of their characters", "startswith(name,'[AD]')", "AD", _WILDCARDS),
    _finds("brackets in a text match one of a range", "startswith(name,'[B-D]')", "BCD", _WILDCARDS),
    _finds("brackets with a circumflex exclude characters", "startswith(name,'[^A-C]')", "D", _WILDCARDS),
    _finds("not contains takes wildcards too", "not contains(name,'[gh]')", "AC", _WILDCARDS),
    _finds(
        "a lookup is compared through its value property", "_primarycontactid_value eq {new11}", "A", _LOOKUPS
    ),
    _finds("a lookup without a value is found by null", "_primarycontactid_value eq null", "BCD", _LOOKUPS),
    _finds("a path leads to a column of the row looked up", "primarycontactid/lastname eq 'O''Bryan'", "A"),
    _finds("a path may end in a function", "startswith(primarycontactid/firstname,'an')", "A"),
    _finds("a path may lead to the key of the row looked up", "primarycontactid/contactid eq {new11}", "A"),
    _finds(
        "a path may lead over two lookups",
        "primarycontactid/createdby/systemuserid ne null and parentaccountid/name eq 'Holding'",
        "A",
    ),
    _finds("any without a condition asks for any related row", "contact_customer_accounts/any()", "AB"),
    _finds(
        "any may use a function on a related row",
        "contact_customer_accounts/any(c:startswith(c/jobtitle,'cl'))",
        "A",
    ),
    _finds(
        "conditions within any hold for one and the same related row",
        "contact_customer_accounts/any(c:c/jobtitle eq 'Buyer' and c/numberofchildren gt 2)",
        "B",
    ),
    _finds("not in front of any finds rows without such", "not contact_customer_accounts/any()", "CD"),
    _finds(
        "all leaves out rows of which one related row is different",
        "contact_customer_accounts/all(c:c/jobtitle eq 'Buyer') and contact_customer_accounts/any()",
        "B",
    ),
    _finds(
        "any is joined with other conditions",
        "contact_customer_accounts/any(c:c/jobtitle eq 'Buyer') and endswith(name,'Tools')",
        "A",
    ),
    _finds(
        "lambdas may be nested",
        "contact_customer_accounts/any(c:c/jobtitle eq 'Buyer' and "
        "c/Contact_Tasks/any(t:t/subject eq 'Call back'))",
        "B",
    ),
    _finds("an alias stands for a number", "numberofemployees eq @n&@n=200", "B", _OPTIONS),
    _finds(
        "one alias may be used several times",
        "contains(name,@t) or contains(address1_city,@t)&@t='paris'",
        "C",
        _OPTIONS,
    ),
    _finds_contacts("a date is compared with a date", "birthdate eq 1980-05-17", ["Ashe"]),
    _finds_contacts("dates are compared by their order", "birthdate gt 1985-01-01", ["Beck"]),
    _finds("an alias without a value is null", "numberofemployees eq @none", "D", _OPTIONS),
    Exchange(
        "an alias stands for a column, in the order too",
        _OPTIONS,
        (
            _SETUP,
            Step(
                "GET",
                f"{_COLLECTION}?$select=name&$orderby=@p1 asc,@p2 desc&$filter=@p1 ne null"
                "&@p1=revenue&@p2=name",
                200,
                json={"value": [{"name": matching(f"^{letter}")} for letter in "ACB"]},
            ),
        ),
    ),
    _finds_contacts(
        "a moment is compared without quotes", "createdon ge 2000-01-01T00:00:00Z", ["Ashe", "Beck"]
    ),
    _refuses("a filter with an unknown column is refused", "nme eq 'x'", "0x80060888", "nme"),
    _refuses("a name of a column in capital letters is unknown", "Name eq 'x'", "0x80060888", "Name"),
    Exchange(
        "a single quote that is not doubled leaves a literal unterminated",
        _FILTER,
        (
            Step(
                "GET",
                "contacts?$select=fullname&$filter=lastname eq 'O'Bryan'",
                400,
                json={"error": {"message": matching("unterminated literal at position 21 in")}},
            ),
        ),
    ),
    Exchange(
        "an apostrophe within single quotes in a list is no valid JSON",
        _FILTER,
        (
            Step(
                "GET",
                "contacts?$select=fullname&$filter=Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)"
                "&@p1='lastname'&@p2=['OBrian','O'Brian']",
                400,
                json={"error": {"message": matching("Invalid JSON. A comma character ',' was expected")}},
            ),
        ),
    ),
]
