"""Reads of single rows, of their columns, and of the rows and references that they lead to."""

from tests.contract.exchange import (
    ANNOTATED,
    KEYS,
    ROOT,
    Exchange,
    Step,
    a_guid,
    absent,
    anything,
    containing,
    counting,
    error,
    matching,
)

_RETRIEVE = "power-apps/developer/data-platform/webapi/retrieve-entity-using-web-api"
_CREATE = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_SELECT = "power-apps/developer/data-platform/webapi/query/select-columns"
_JOIN = "power-apps/developer/data-platform/webapi/query/join-tables"
_KEYS = "power-apps/developer/data-platform/use-alternate-key-reference-record"
_ERRORS = "power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors"
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_TABLE_OF_LOOKUP = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_NAVIGATION = "@Microsoft.Dynamics.CRM.associatednavigationproperty"

_CONTACT = Step(
    "POST", "contacts", 204, {"contactid": "{new2}", "firstname": "Nancy", "lastname": "Anderson"}
)
_ACCOUNT = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Adventure Works",
        "numberofemployees": 25,
        "creditonhold": True,
        "address1_line1": "123 Maple St.",
        "primarycontactid@odata.bind": "/contacts({new2})",
        "Account_Tasks": [
            {"activityid": "{new3}", "subject": "Task 1", "scheduledstart": "2026-04-11T15:00:00Z"},
            {"activityid": "{new4}", "subject": "Task 2", "scheduledstart": "2026-04-13T15:00:00Z"},
        ],
    },
)
_ROWS = (_CONTACT, _ACCOUNT)
_PROJECT = Step(
    "POST",
    "new_projects",
    204,
    {"new_projectid": "{new5}", "new_name": "Launch", "new_code": "R-1", "new_rating": 7.25},
)


def _read(name, source, path, answer, *, status=200, before=_ROWS, sent=None):
    """A read of this path is answered so."""
    return Exchange(name, source, (*before, Step("GET", path, status, sent=sent or {}, json=answer)))


EXCHANGES = [
    _read(
        "a row is read by its key with the selected columns alone",
        _RETRIEVE,
        "accounts({new1})?$select=name,numberofemployees",
        {
            "@odata.context": "{root}$metadata#accounts(name,numberofemployees)/$entity",
            "@odata.etag": matching(r'^W/"\d+"$'),
            "name": "Adventure Works",
            "numberofemployees": 25,
            "accountid": "{new1}",
            "creditonhold": absent,
        },
    ),
    _read(
        "a row is read by its key with the name of the key",
        _KEYS,
        "accounts(accountid={new1})?$select=name",
        {"name": "Adventure Works"},
    ),
    _read(
        "a row that is read by its alternate key shows its primary key",
        _RETRIEVE,
        "new_projects(new_code='R-1')?$select=new_rating",
        {"new_projectid": "{new5}", "new_rating": 7.25},
        before=(_PROJECT,),
    ),
    _read(
        "a column that is no key cannot name a row",
        _KEYS,
        "accounts(telephone1='1')",
        {
            "error": {
                "code": anything,
                "message": matching(
                    "^The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.account'"
                ),
            }
        },
        status=400,
    ),
    Exchange(
        "a user is not named by the name of the key of users",
        _KEYS,
        (
            Step("GET", "WhoAmI", 200, capture={"me": "UserId"}),
            Step("GET", "systemusers(systemuserid={me})?$select=fullname", 400),
        ),
    ),
    _read(
        "the key of the row behind a lookup is read alone",
        _RETRIEVE,
        "accounts({new1})/_primarycontactid_value",
        {"value": "{new2}"},
    ),
    _read(
        "a column of a row is an object with a value",
        _RETRIEVE,
        "accounts({new1})/name",
        {"@odata.context": "{root}$metadata#accounts({new1})/name", "value": "Adventure Works"},
    ),
    _read(
        "a number is read alone as a number",
        _RETRIEVE,
        "accounts({new1})/numberofemployees",
        {"value": 25},
    ),
    Exchange(
        "a raw number is read as text",
        _RETRIEVE,
        (*_ROWS, Step("GET", "accounts({new1})/numberofemployees/$value", 200, text="25")),
    ),
    _read(
        "the row behind a lookup is read with the selected columns",
        _RETRIEVE,
        "accounts({new1})/primarycontactid?$select=fullname",
        {
            "@odata.context": "{root}$metadata#contacts(fullname)/$entity",
            "@odata.etag": matching(r'^W/"\d+"$'),
            "fullname": "Nancy Anderson",
            "contactid": "{new2}",
        },
    ),
    Exchange(
        "a lookup that leads nowhere has no content",
        _ERRORS,
        (
            Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Alone"}),
            Step("GET", "accounts({new1})/primarycontactid", 204, text=""),
        ),
    ),
    _read(
        "the rows of a collection are read as a set",
        _RETRIEVE,
        "accounts({new1})/Account_Tasks?$select=subject&$orderby=subject desc",
        {"value": [{"subject": "Task 2", "activityid": "{new4}"}, {"subject": "Task 1"}]},
    ),
    _read(
        "one row of a collection is read by its key",
        _RETRIEVE,
        "accounts({new1})/Account_Tasks({new3})?$select=subject",
        {"subject": "Task 1", "activityid": "{new3}"},
    ),
    _read(
        "the references of a collection are the addresses of its rows",
        _RETRIEVE,
        "accounts({new1})/Account_Tasks/$ref",
        {
            "@odata.context": "{root}$metadata#Collection($ref)",
            "value": containing(*({"@odata.id": f"{ROOT}tasks({KEYS[name]})"} for name in ("new3", "new4"))),
        },
    ),
    Exchange(
        "the rows of a collection are counted in a text that begins with a byte order mark",
        _RETRIEVE,
        (*_ROWS, Step("GET", "accounts({new1})/Account_Tasks/$count", 200, text=matching("^\ufeff2$"))),
    ),
    _read(
        "a lookup is expanded with the key and version of the other row",
        _RETRIEVE,
        "accounts({new1})?$select=name&$expand=primarycontactid($select=contactid,fullname)",
        {
            "name": "Adventure Works",
            "accountid": "{new1}",
            "primarycontactid": {"contactid": "{new2}", "fullname": "Nancy Anderson", "lastname": absent},
        },
    ),
    _read(
        "an expand without a selection answers every column of the other row",
        _RETRIEVE,
        "accounts({new1})?$select=name&$expand=primarycontactid",
        {"primarycontactid": {"contactid": "{new2}", "lastname": "Anderson", "jobtitle": None}},
    ),
    _read(
        "a lookup of one row is expanded to a reference",
        _JOIN,
        "accounts({new1})?$select=name&$expand=primarycontactid/$ref",
        {
            "_primarycontactid_value": "{new2}",
            "primarycontactid": {"@odata.id": "{root}contacts({new2})"},
        },
    ),
    _read(
        "only lookups are expanded to references",
        _JOIN,
        "accounts({new1})?$select=name&$expand=Account_Tasks/$ref",
        error("0x80060888", "Expand with \\$ref is only supported on lookup type navigation property"),
        status=400,
    ),
    _read(
        "a lookup and a collection are expanded together",
        _RETRIEVE,
        "accounts({new1})?$select=name&$expand=primarycontactid($select=fullname),Account_Tasks($select=subject,scheduledstart)",
        {
            "primarycontactid": {"fullname": "Nancy Anderson"},
            "Account_Tasks": containing(
                {"subject": "Task 1", "scheduledstart": "2026-04-11T15:00:00Z", "activityid": a_guid}
            ),
        },
    ),
    _read(
        "the context of an answer names what was selected and expanded",
        _CREATE,
        "tasks({new3})?$select=subject&$expand=regardingobjectid_account_task($select=name)",
        {"@odata.context": "{root}$metadata#tasks(subject,regardingobjectid_account_task(name))/$entity"},
    ),
    _read(
        "an expanded collection is filtered",
        _JOIN,
        "accounts({new1})?$select=name&$expand=Account_Tasks($filter=endswith(subject,'1');$select=subject)",
        {"Account_Tasks": [{"subject": "Task 1"}]},
    ),
    _read(
        "an expanded collection is ordered and cut",
        _JOIN,
        "accounts({new1})?$select=name&$expand=Account_Tasks($orderby=subject desc;$top=1;$select=subject)",
        {"Account_Tasks": [{"subject": "Task 2"}]},
    ),
    _read(
        "an expand goes on through the lookups of the other row",
        _JOIN,
        "tasks({new3})?$select=subject&$expand=regardingobjectid_account_task($select=name;$expand=primarycontactid($select=fullname))",
        {
            "regardingobjectid_account_task": {
                "name": "Adventure Works",
                "primarycontactid": {"fullname": "Nancy Anderson", "contactid": "{new2}"},
            }
        },
    ),
    _read(
        "an expanded user shows the same key twice, as user and as owner",
        _JOIN,
        "accounts({new1})?$select=name&$expand=createdby($select=fullname)",
        {"createdby": {"systemuserid": a_guid, "ownerid": a_guid}},
    ),
    _read(
        "an empty lookup is expanded to null",
        _JOIN,
        "accounts({new1})?$select=name&$expand=parentaccountid($select=name)",
        {"parentaccountid": None},
    ),
    _read(
        "an empty collection is expanded to an empty list",
        _JOIN,
        "contacts({new2})?$select=lastname&$expand=Contact_Tasks($select=subject)",
        {"Contact_Tasks": counting(0)},
    ),
    _read(
        "the owner of a row tells by annotations that it is a user",
        _SELECT,
        "accounts({new1})?$select=name,_ownerid_value",
        {
            "_ownerid_value": a_guid,
            f"_ownerid_value{_TABLE_OF_LOOKUP}": "systemuser",
            f"_ownerid_value{_NAVIGATION}": "ownerid",
            f"_ownerid_value{_FORMATTED}": absent,
        },
        sent={
            "Prefer": "odata.include-annotations="
            '"Microsoft.Dynamics.CRM.associatednavigationproperty,Microsoft.Dynamics.CRM.lookuplogicalname"'
        },
    ),
    _read(
        "a lookup is formatted as the name of the row that it leads to",
        _SELECT,
        "accounts({new1})?$select=_primarycontactid_value",
        {
            "_primarycontactid_value": "{new2}",
            f"_primarycontactid_value{_FORMATTED}": "Nancy Anderson",
            f"_primarycontactid_value{_TABLE_OF_LOOKUP}": "contact",
        },
        sent=ANNOTATED,
    ),
    _read(
        "an empty lookup has no annotations",
        _SELECT,
        "accounts({new1})?$select=_parentaccountid_value",
        {
            "_parentaccountid_value": None,
            f"_parentaccountid_value{_FORMATTED}": absent,
            f"_parentaccountid_value{_TABLE_OF_LOOKUP}": absent,
        },
        sent=ANNOTATED,
    ),
    _read(
        "annotations come with the rows of an expand too",
        _SELECT,
        "tasks({new3})?$select=subject&$expand=regardingobjectid_account_task($select=creditonhold)",
        {"regardingobjectid_account_task": {"creditonhold": True, f"creditonhold{_FORMATTED}": "Yes"}},
        sent=ANNOTATED,
    ),
    _read(
        "a row that does not exist is not found",
        _ERRORS,
        "accounts({new9})?$select=name",
        error("0x80040217"),
        status=404,
    ),
    _read(
        "a column of a row that does not exist is not found",
        _ERRORS,
        "accounts({new9})/name",
        error("0x80040217"),
        status=404,
    ),
    _read(
        "a set of another name is not found",
        _ERRORS,
        "account({new1})",
        error("0x80060888", "Resource not found for the segment 'account'"),
        status=404,
    ),
    _read(
        "a column that a table does not have cannot be read from a row",
        _SELECT,
        "accounts({new1})?$select=name,Account_Tasks_x",
        error("0x80060888", "Could not find a property named 'Account_Tasks_x'"),
        status=400,
    ),
    _read(
        "a navigation property that does not exist cannot be expanded",
        _JOIN,
        "accounts({new1})?$expand=contacts",
        error("0x80060888", "contacts"),
        status=400,
    ),
    _read(
        "a read with the recommended headers is answered with the row",
        _ERRORS,
        "accounts({new1})?$select=name",
        {"name": "Adventure Works"},
        sent={"If-None-Match": "null", "OData-Version": "4.0", "OData-MaxVersion": "4.0"},
    ),
]
