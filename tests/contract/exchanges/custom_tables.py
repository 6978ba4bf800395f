"""A table of the organization's own: alternate key, several choices, many-to-many, types of columns."""

from typing import Any

from tests.contract.exchange import (
    ANNOTATED,
    REPRESENTATION,
    Exchange,
    Step,
    a_guid,
    absent,
    anything,
    counting,
    error,
    matching,
)

_CREATE = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_READ = "power-apps/developer/data-platform/webapi/retrieve-entity-using-web-api"
_REFERENCE = "power-apps/developer/data-platform/use-alternate-key-reference-record"
_UPSERT = "power-apps/developer/data-platform/use-upsert-insert-update-record"
_CHOICES = "power-apps/developer/data-platform/multi-select-picklist"
_FILTER = "power-apps/developer/data-platform/webapi/query/filter-rows"
_ASSOCIATE = "power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api"
_DATES = "power-apps/developer/data-platform/behavior-format-date-time-attribute"
_NAVIGATION = "power-apps/developer/data-platform/webapi/web-api-navigation-properties"
_CODES = "power-apps/developer/data-platform/reference/web-service-error-codes"
_JOIN = "power-apps/developer/data-platform/webapi/query/join-tables"

_IN = "Microsoft.Dynamics.CRM.ContainValues(PropertyName='new_tags',PropertyValues={})"
_NOT_IN = "Microsoft.Dynamics.CRM.DoesNotContainValues(PropertyName='new_tags',PropertyValues={})"


def _project(number: int, **values: Any) -> Step:
    body = {"new_projectid": f"{{new{number}}}", "new_name": f"Project {number}", **values}
    return Step("POST", "new_projects", 204, body)


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


def _contact(number: int, name: str) -> Step:
    return Step("POST", "contacts", 204, {"contactid": f"{{new{number}}}", "lastname": name})


_CODED = _project(1, new_code="K-1")
_TAGGED = (_project(1, new_tags="1"), _project(2, new_tags="1,2"), _project(3, new_tags="9"), _project(4))
_LINK = Step(
    "POST", "new_projects({new1})/new_project_contact/$ref", 204, {"@odata.id": "{root}contacts({new2})"}
)

EXCHANGES = [
    Exchange(
        "a row is updated by its alternate key with the condition that it exists",
        _REFERENCE,
        (
            _CODED,
            Step("PATCH", "new_projects(new_code='K-1')", 204, {"new_progress": 5}, {"If-Match": "*"}),
            _row("new_projects({new1})?$select=new_progress", new_progress=5),
        ),
    ),
    Exchange(
        "a single column of a row is read and set by its alternate key",
        _REFERENCE,
        (
            _CODED,
            Step("PUT", "new_projects(new_code='K-1')/new_name", 204, {"value": "Renamed"}),
            _row("new_projects(new_code='K-1')/new_name", value="Renamed"),
        ),
    ),
    Exchange(
        "an apostrophe in an alternate key is doubled",
        _REFERENCE,
        (
            _project(1, new_code="O'Neil"),
            _row("new_projects(new_code='O''Neil')?$select=new_name", new_projectid="{new1}"),
        ),
    ),
    Exchange(
        "a row with an unknown alternate key is not found",
        _READ,
        (Step("GET", "new_projects(new_code='none')", 404, json={"error": {"code": anything}}),),
    ),
    Exchange(
        "a column without a key does not reference a row",
        _REFERENCE,
        (
            _CODED,
            Step(
                "GET",
                "new_projects(new_name='Project 1')",
                400,
                json={
                    "error": {
                        "message": matching(
                            "The key in the request URI is not valid for resource "
                            "'Microsoft.Dynamics.CRM.new_project'"
                        )
                    }
                },
            ),
        ),
    ),
    Exchange(
        "rows without a value of the alternate key are no duplicates",
        "power-apps/developer/data-platform/define-alternate-keys-entity",
        (_project(1), _project(2), _row("new_projects?$select=new_name", value=counting(2))),
    ),
    Exchange(
        "an update that would double an alternate key is refused",
        _CODES,
        (
            _CODED,
            _project(2, new_code="K-2"),
            Step("PATCH", "new_projects({new2})", 412, {"new_code": "K-1"}, json=error("0x80060892")),
            _row("new_projects({new2})?$select=new_code", new_code="K-2"),
        ),
    ),
    Exchange(
        "an upsert by alternate key answers 201 for a row that it created",
        _UPSERT,
        (
            Step(
                "PATCH",
                "new_projects(new_code='U-1')?$select=new_code,new_name",
                201,
                {"new_name": "Made"},
                REPRESENTATION,
                json={"new_code": "U-1", "new_name": "Made", "new_projectid": a_guid},
            ),
        ),
    ),
    Exchange(
        "an upsert by alternate key answers 200 for a row that it updated",
        _UPSERT,
        (
            _CODED,
            Step(
                "PATCH",
                "new_projects(new_code='K-1')?$select=new_code,new_name",
                200,
                {"new_name": "Again"},
                REPRESENTATION,
                json={"new_code": "K-1", "new_name": "Again", "new_projectid": "{new1}"},
            ),
        ),
    ),
    Exchange(
        "a row is linked to others by alternate key when it is created",
        _REFERENCE,
        (
            _CODED,
            Step(
                "POST",
                "accounts",
                204,
                {
                    "accountid": "{new2}",
                    "name": "A",
                    "new_account_new_project@odata.bind": ["new_projects(new_code='K-1')"],
                },
            ),
            _row("new_projects({new1})?$select=_new_accountid_value", _new_accountid_value="{new2}"),
        ),
    ),
    Exchange(
        "a single choice among several is a text too",
        _CHOICES,
        (_project(1, new_tags="2"), _row("new_projects({new1})?$select=new_tags", new_tags="2")),
    ),
    Exchange(
        "several choices are replaced as a whole and emptied by null",
        _CHOICES,
        (
            _project(1, new_tags="1,2"),
            Step("PATCH", "new_projects({new1})", 204, {"new_tags": "9"}),
            _row("new_projects({new1})?$select=new_tags", new_tags="9"),
            Step("PATCH", "new_projects({new1})", 204, {"new_tags": None}),
            _row("new_projects({new1})?$select=new_tags", new_tags=None),
        ),
    ),
    Exchange(
        "rows are found that contain any of several choices",
        _CHOICES,
        (
            *_TAGGED,
            _row(
                f"new_projects?$select=new_name&$orderby=new_name&$filter={_IN}".format("['2','9']"),
                value=[{"new_name": "Project 2"}, {"new_name": "Project 3"}],
            ),
        ),
    ),
    Exchange(
        "rows are found that do not contain a choice",
        _CHOICES,
        (
            *_TAGGED,
            _row(
                f"new_projects?$select=new_name&$filter=new_tags ne null and {_NOT_IN}".format("['1']"),
                value=[{"new_name": "Project 3"}],
            ),
        ),
    ),
    Exchange(
        "rows without a choice are found by null",
        _FILTER,
        (
            *_TAGGED,
            _row("new_projects?$select=new_name&$filter=new_tags eq null", value=[{"new_name": "Project 4"}]),
        ),
    ),
    Exchange(
        "a contact is linked with a project and expanded from it",
        _ASSOCIATE,
        (
            _project(1),
            _contact(2, "Linked"),
            _LINK,
            _row(
                "new_projects({new1})?$select=new_name&$expand=new_project_contact($select=lastname)",
                new_project_contact=[{"lastname": "Linked", "contactid": "{new2}"}],
            ),
        ),
    ),
    Exchange(
        "projects are found by a linked contact",
        _FILTER,
        (
            _project(1),
            _project(3),
            _contact(2, "Linked"),
            _LINK,
            _row(
                "new_projects?$select=new_name&$filter=new_project_contact/any(c:c/lastname eq 'Linked')",
                value=[{"new_name": "Project 1"}],
            ),
        ),
    ),
    Exchange(
        "a project is created with new contacts on the other side of a many-to-many relationship",
        _CREATE,
        (
            _project(1, new_project_contact=[{"lastname": "One"}, {"lastname": "Two"}]),
            _row(
                "new_projects({new1})/new_project_contact?$select=lastname&$orderby=lastname",
                value=[{"lastname": "One"}, {"lastname": "Two"}],
            ),
        ),
    ),
    Exchange(
        "the name of a custom navigation property has the case of its schema",
        _NAVIGATION,
        (
            Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "A"}),
            _project(1, **{"new_AccountId@odata.bind": "accounts({new2})"}),
            _row(
                "new_projects({new1})?$select=_new_accountid_value&$expand=new_AccountId($select=name)",
                _new_accountid_value="{new2}",
                new_AccountId={"name": "A"},
            ),
            Step(
                "PATCH",
                "new_projects({new1})",
                400,
                {"new_accountid@odata.bind": "accounts({new2})"},
                json=error("0x80048d19"),
            ),
        ),
    ),
    Exchange(
        "a date without a time takes no time",
        _DATES,
        (
            _project(1, new_kickoff="2027-02-28"),
            _row("new_projects({new1})?$select=new_kickoff", new_kickoff="2027-02-28"),
            Step("PATCH", "new_projects({new1})", 400, {"new_kickoff": "2027-02-30"}),
        ),
    ),
    Exchange(
        "a decimal and an amount keep their digits",
        _CREATE,
        (
            _project(1, new_rating=7.25, new_budget=1234.5),
            _row("new_projects({new1})?$select=new_rating,new_budget", new_rating=7.25, new_budget=1234.5),
        ),
    ),
    Exchange(
        "a decimal outside of its range is refused",
        _CODES,
        (
            Step(
                "POST",
                "new_projects",
                400,
                {"new_name": "x", "new_rating": 11},
                json={"error": {"code": anything}},
            ),
        ),
    ),
    Exchange(
        "the labels of columns of a custom table come with annotations",
        _READ,
        (
            _project(1, new_tags="1,9", new_isbillable=True),
            Step(
                "GET",
                "new_projects({new1})?$select=new_tags,new_isbillable,statecode",
                200,
                sent=ANNOTATED,
                json={
                    "new_tags@OData.Community.Display.V1.FormattedValue": "Urgent; Strategic",
                    "new_isbillable@OData.Community.Display.V1.FormattedValue": "Yes",
                    "statecode@OData.Community.Display.V1.FormattedValue": "Active",
                },
            ),
        ),
    ),
    Exchange(
        "projects are expanded from their account",
        _JOIN,
        (
            Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "A"}),
            _project(1, **{"new_AccountId@odata.bind": "accounts({new2})"}),
            _row(
                "accounts({new2})?$select=name&$expand=new_account_new_project($select=new_name)",
                new_account_new_project=[{"new_name": "Project 1", "new_code": absent}],
            ),
        ),
    ),
]
