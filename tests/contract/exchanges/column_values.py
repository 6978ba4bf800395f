"""What columns take, refuse and answer; alternate keys; several choices in one column."""

from tests.contract.exchange import (
    REPRESENTATION,
    Exchange,
    Step,
    anything,
    error,
    matching,
)

_CREATE = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_TYPES = "power-apps/maker/data-platform/types-of-fields"
_ERRORS = "power-apps/developer/data-platform/reference/web-service-error-codes"
_KEYS = "power-apps/developer/data-platform/use-alternate-key-reference-record"
_CHOICES = "power-apps/developer/data-platform/multi-select-picklist"


_CONTACT = Step("POST", "contacts", 204, {"contactid": "{new2}", "lastname": "Party"})
_PROJECT = Step(
    "POST",
    "new_projects",
    204,
    {"new_projectid": "{new3}", "new_name": "Launch", "new_code": "L-1", "new_tags": "1,9"},
)


def _refused(name, source, entity_set, body, code, status=400):
    return Exchange(name, source, (Step("POST", entity_set, status, body, json=error(code)),))


EXCHANGES = [
    _refused(
        "a lookup to a row that does not exist is refused",
        _CREATE,
        "accounts",
        {"name": "x", "primarycontactid@odata.bind": "/contacts({new9})"},
        "0x80040217",
        404,
    ),
    _refused(
        "a text longer than its column is refused", _ERRORS, "accounts", {"name": "x" * 161}, "0x80044331"
    ),
    _refused(
        "a choice outside of the list is refused",
        _ERRORS,
        "accounts",
        {"name": "x", "industrycode": 999},
        "0x8004431a",
    ),
    _refused(
        "a whole number outside of its range is refused",
        _ERRORS,
        "accounts",
        {"name": "x", "numberofemployees": -1},
        "0x8004432f",
    ),
    _refused(
        "an amount outside of its range is refused",
        _ERRORS,
        "accounts",
        {"name": "x", "revenue": -1},
        "0x80044330",
    ),
    _refused(
        "a text for a number is refused",
        _ERRORS,
        "accounts",
        {"name": "x", "numberofemployees": "5"},
        "0x80048d19",
    ),
    _refused("a number for a text is refused", _ERRORS, "accounts", {"name": 5}, "0x80048d19"),
    _refused(
        "a date that is none is refused",
        _ERRORS,
        "contacts",
        {"lastname": "x", "birthdate": "1980-02-30"},
        "0x80048d19",
    ),
    Exchange(
        "a body that is not JSON is refused",
        "power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors",
        (
            Step(
                "POST",
                "accounts",
                400,
                '{"name": ',
                {"Content-Type": "application/json"},
                json=error("0x80048d19"),
            ),
        ),
    ),
    Exchange(
        "a column that cannot be set is left as it is",
        _CREATE,
        (
            Step(
                "POST",
                "contacts?$select=fullname,lastname",
                201,
                {"lastname": "Real", "fullname": "Pretended", "createdon": "2001-01-01T00:00:00Z"},
                REPRESENTATION,
                json={"fullname": "Real", "lastname": "Real"},
            ),
        ),
    ),
    Exchange(
        "a column that must have a value in forms may be left out",
        _CREATE,
        (Step("POST", "accounts", 204, {"telephone1": "555-0100"}),),
    ),
    Exchange(
        "a row has the currency of the organisation and amounts in it",
        "power-apps/developer/data-platform/transaction-currency-currency-entity",
        (
            Step(
                "POST",
                "accounts?$select=revenue,revenue_base,exchangerate,_transactioncurrencyid_value",
                201,
                {"name": "x", "revenue": 100},
                REPRESENTATION,
                json={
                    "revenue": 100,
                    "revenue_base": 100,
                    "exchangerate": 1,
                    "_transactioncurrencyid_value": anything,
                },
            ),
        ),
    ),
    Exchange(
        "an import can say when a row was created",
        "power-apps/developer/data-platform/reference/entities/account",
        (
            Step(
                "POST",
                "accounts?$select=createdon",
                201,
                {"name": "Old", "overriddencreatedon": "2019-04-01T00:00:00Z"},
                REPRESENTATION,
                json={"createdon": matching("^2019-04-01")},
            ),
        ),
    ),
    Exchange(
        "choices of several values are a text of numbers with commas",
        _CHOICES,
        (
            _PROJECT,
            Step("GET", "new_projects({new3})?$select=new_tags", 200, json={"new_tags": "1,9"}),
        ),
    ),
    Exchange(
        "rows are found by one of several chosen values",
        _CHOICES,
        (
            _PROJECT,
            Step(
                "GET",
                "new_projects?$select=new_name&$filter=Microsoft.Dynamics.CRM.ContainValues(PropertyName='new_tags',PropertyValues=['9'])",
                200,
                json={"value": [{"new_name": "Launch"}]},
            ),
            Step(
                "GET",
                "new_projects?$select=new_name&$filter=Microsoft.Dynamics.CRM.DoesNotContainValues(PropertyName='new_tags',PropertyValues=['9'])",
                200,
                json={"value": []},
            ),
        ),
    ),
    Exchange(
        "a row is read by its alternate key",
        _KEYS,
        (
            _PROJECT,
            Step("GET", "new_projects(new_code='L-1')?$select=new_name", 200, json={"new_name": "Launch"}),
            Step("GET", "new_projects(new_code='none')", 404, json=error("0x80060891")),
        ),
    ),
    Exchange(
        "a lookup is bound to a row by its alternate key",
        _KEYS,
        (
            _PROJECT,
            _CONTACT,
            Step(
                "POST",
                "contacts({new2})/new_project_contact/$ref",
                204,
                {"@odata.id": "{root}new_projects(new_code='L-1')"},
            ),
            Step(
                "GET",
                "contacts({new2})/new_project_contact?$select=new_name",
                200,
                json={"value": [{"new_name": "Launch"}]},
            ),
        ),
    ),
    Exchange(
        "two rows with the same alternate key are refused",
        _KEYS,
        (_PROJECT, Step("POST", "new_projects", 412, {"new_code": "L-1"}, json=error("0x80060892"))),
    ),
    Exchange(
        "a row is deleted by its alternate key",
        _KEYS,
        (
            _PROJECT,
            Step("DELETE", "new_projects(new_code='L-1')", 204),
            Step("GET", "new_projects({new3})", 404),
        ),
    ),
    Exchange(
        "a date without a time is written as a date",
        _TYPES,
        (
            Step(
                "POST",
                "new_projects?$select=new_kickoff",
                201,
                {"new_name": "x", "new_kickoff": "2027-02-28"},
                REPRESENTATION,
                json={"new_kickoff": "2027-02-28"},
            ),
        ),
    ),
    Exchange(
        "a time is answered in UTC",
        _TYPES,
        (
            Step(
                "POST",
                "tasks?$select=scheduledend",
                201,
                {"subject": "x", "scheduledend": "2027-01-31T10:00:00+02:00"},
                REPRESENTATION,
                json={"scheduledend": "2027-01-31T08:00:00Z"},
            ),
        ),
    ),
    Exchange(
        "a Boolean has its default value",
        _TYPES,
        (
            Step(
                "POST",
                "new_projects?$select=new_isbillable",
                201,
                {"new_name": "x"},
                REPRESENTATION,
                json={"new_isbillable": False},
            ),
        ),
    ),
]
