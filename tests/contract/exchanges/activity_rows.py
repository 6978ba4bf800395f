"""Activities of each kind: their parties, times, states, what they regard; notes."""

from typing import Any

from tests.contract.exchange import (
    ANNOTATED,
    REPRESENTATION,
    Exchange,
    Step,
    anything,
    counting,
    error,
    matching,
)

_CREATE = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_PARTIES = "power-apps/developer/data-platform/activityparty-entity"
_ACTIVITIES = "power-apps/developer/data-platform/activity-entities"
_LOOKUPS = "power-apps/developer/data-platform/webapi/web-api-navigation-properties"
_NOTES = "power-apps/developer/data-platform/annotation-note-entity"
_ENTITIES = "power-apps/developer/data-platform/reference/entities/"
_TYPES = "power-apps/developer/data-platform/webapi/reference/"

_ACCOUNT = Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Regarded"})
_CONTACT = Step("POST", "contacts", 204, {"contactid": "{new2}", "firstname": "Ann", "lastname": "Lee"})
_ME = Step("GET", "WhoAmI", 200, capture={"me": "UserId"})
_ON_ACCOUNT = "accounts({new1})"
_LABEL = "OData.Community.Display.V1.FormattedValue"


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


def _activity(kind: str, **values: Any) -> Step:
    return Step("POST", f"{kind}s", 204, {"activityid": "{new4}", "subject": "Subject", **values})


def _party(mask: int, table: str, where: str) -> dict[str, Any]:
    return {"participationtypemask": mask, f"partyid_{table}@odata.bind": where}


EXCHANGES = [
    Exchange(
        "an appointment has an organizer and attendees of two kinds",
        _PARTIES,
        (
            _ME,
            _ACCOUNT,
            _CONTACT,
            _activity(
                "appointment",
                scheduledstart="2026-11-24T09:00:00Z",
                scheduledend="2026-11-24T10:00:00Z",
                appointment_activity_parties=[
                    _party(7, "systemuser", "/systemusers({me})"),
                    _party(5, "contact", "/contacts({new2})"),
                    _party(6, "account", "/accounts({new1})"),
                ],
            ),
            _row(
                "activityparties?$select=participationtypemask,_partyid_value&$orderby=participationtypemask"
                "&$filter=_activityid_value eq {new4} and participationtypemask le 7",
                value=[
                    {"participationtypemask": 5, "_partyid_value": "{new2}"},
                    {"participationtypemask": 6, "_partyid_value": "{new1}"},
                    {"participationtypemask": 7, "_partyid_value": "{me}"},
                ],
            ),
        ),
    ),
    Exchange(
        "a phone call goes from a user to a contact",
        _PARTIES,
        (
            _ME,
            _CONTACT,
            _activity(
                "phonecall",
                phonenumber="555-0100",
                directioncode=True,
                phonecall_activity_parties=[
                    _party(1, "systemuser", "/systemusers({me})"),
                    _party(2, "contact", "/contacts({new2})"),
                ],
            ),
            _row(
                "phonecalls({new4})?$select=phonenumber,directioncode",
                phonenumber="555-0100",
                directioncode=True,
            ),
            _row(
                "activityparties?$select=_partyid_value"
                "&$filter=_activityid_value eq {new4} and participationtypemask eq 2",
                value=[{"_partyid_value": "{new2}"}],
            ),
        ),
    ),
    Exchange(
        "the party of an activity tells its table and its part by annotations",
        _PARTIES,
        (
            _CONTACT,
            _activity("phonecall", phonecall_activity_parties=[_party(2, "contact", "/contacts({new2})")]),
            Step(
                "GET",
                "activityparties?$select=participationtypemask,_partyid_value"
                "&$filter=_activityid_value eq {new4} and participationtypemask eq 2",
                200,
                sent=ANNOTATED,
                json={
                    "value": [
                        {
                            f"_partyid_value@{_LABEL}": "Ann Lee",
                            "_partyid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "contact",
                            f"participationtypemask@{_LABEL}": anything,
                        }
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "parties are not created without their activity",
        _TYPES + "activityparty",
        (
            _CONTACT,
            Step(
                "POST",
                "activityparties",
                400,
                {"participationtypemask": 2, "partyid_contact@odata.bind": "/contacts({new2})"},
                json={"error": {"code": anything}},
            ),
        ),
    ),
    Exchange(
        "parties go with their activity",
        _ACTIVITIES,
        (
            _CONTACT,
            _activity("phonecall", phonecall_activity_parties=[_party(2, "contact", "/contacts({new2})")]),
            Step("DELETE", "phonecalls({new4})", 204),
            _row("activityparties?$filter=_activityid_value eq {new4}", value=[]),
            _row("contacts({new2})?$select=lastname", lastname="Lee"),
        ),
    ),
    Exchange(
        "a party that does not exist keeps the activity from being created",
        _CREATE,
        (
            Step(
                "POST",
                "phonecalls",
                404,
                {
                    "activityid": "{new4}",
                    "phonecall_activity_parties": [_party(2, "contact", "/contacts({new9})")],
                },
                json=error("0x80040217"),
            ),
            Step("GET", "phonecalls({new4})", 404),
        ),
    ),
    Exchange(
        "a task is found among the activities of the account that it regards",
        _ACTIVITIES,
        (
            _ACCOUNT,
            _activity("task", **{"regardingobjectid_account_task@odata.bind": _ON_ACCOUNT}),
            _row(
                "accounts({new1})/Account_ActivityPointers?$select=subject,activitytypecode",
                value=[{"activityid": "{new4}", "subject": "Subject", "activitytypecode": "task"}],
            ),
        ),
    ),
    Exchange(
        "an activity has one key as what it is and as an activity",
        _ACTIVITIES,
        (
            _activity("appointment", location="Room 1"),
            _row("appointments({new4})?$select=location,activitytypecode", location="Room 1"),
            _row("activitypointers({new4})?$select=subject,activitytypecode", activitytypecode="appointment"),
        ),
    ),
    Exchange(
        "the kind of an activity is formatted with the name of its table",
        _ACTIVITIES,
        (
            _activity("phonecall"),
            Step(
                "GET",
                "activitypointers({new4})?$select=activitytypecode,statecode",
                200,
                sent=ANNOTATED,
                json={f"activitytypecode@{_LABEL}": "Phone Call", f"statecode@{_LABEL}": "Open"},
            ),
        ),
    ),
    Exchange(
        "a change of a task is seen among activities",
        _ACTIVITIES,
        (
            _activity("task"),
            Step("PATCH", "tasks({new4})", 204, {"subject": "Changed", "statecode": 1}),
            _row("activitypointers({new4})?$select=subject,statecode", subject="Changed", statecode=1),
        ),
    ),
    Exchange(
        "what an activity regards tells its table and navigation property by annotations",
        _LOOKUPS,
        (
            _ACCOUNT,
            _activity("task", **{"regardingobjectid_account_task@odata.bind": _ON_ACCOUNT}),
            Step(
                "GET",
                "tasks({new4})?$select=_regardingobjectid_value",
                200,
                sent=ANNOTATED,
                json={
                    "_regardingobjectid_value": "{new1}",
                    f"_regardingobjectid_value@{_LABEL}": "Regarded",
                    "_regardingobjectid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "account",
                    "_regardingobjectid_value@Microsoft.Dynamics.CRM.associatednavigationproperty": (
                        "regardingobjectid_account_task"
                    ),
                },
            ),
        ),
    ),
    Exchange(
        "a task that regards a contact has nothing behind the property of accounts",
        _LOOKUPS,
        (
            _CONTACT,
            _activity("task", **{"regardingobjectid_contact_task@odata.bind": "contacts({new2})"}),
            _row(
                "tasks({new4})?$select=subject&$expand=regardingobjectid_contact_task($select=lastname),"
                "regardingobjectid_account_task($select=name)",
                regardingobjectid_contact_task={"lastname": "Lee"},
                regardingobjectid_account_task=None,
            ),
        ),
    ),
    Exchange(
        "a task comes to regard another row of another table",
        _LOOKUPS,
        (
            _ACCOUNT,
            _CONTACT,
            _activity("task", **{"regardingobjectid_account_task@odata.bind": _ON_ACCOUNT}),
            Step(
                "PATCH",
                "tasks({new4})",
                204,
                {"regardingobjectid_contact_task@odata.bind": "contacts({new2})"},
            ),
            _row("tasks({new4})?$select=_regardingobjectid_value", _regardingobjectid_value="{new2}"),
        ),
    ),
    Exchange(
        "what a task regards is not bound without the name of a table",
        _LOOKUPS,
        (
            _ACCOUNT,
            Step(
                "POST",
                "tasks",
                400,
                {"subject": "x", "regardingobjectid@odata.bind": _ON_ACCOUNT},
                json=error("0x80048d19"),
            ),
        ),
    ),
    Exchange(
        "tasks are found by a column of the account that they regard",
        _LOOKUPS,
        (
            _ACCOUNT,
            _activity("task", **{"regardingobjectid_account_task@odata.bind": _ON_ACCOUNT}),
            _row(
                "tasks?$select=subject&$filter=regardingobjectid_account_task/name eq 'Regarded'"
                " and activityid eq {new4}",
                value=[{"subject": "Subject"}],
            ),
        ),
    ),
    Exchange(
        "a new task is open and of normal priority",
        _ENTITIES + "task",
        (
            Step(
                "POST",
                "tasks?$select=statecode,statuscode,prioritycode,activitytypecode",
                201,
                {"subject": "Default"},
                REPRESENTATION,
                json={"statecode": 0, "statuscode": 2, "prioritycode": 1, "activitytypecode": "task"},
            ),
        ),
    ),
    Exchange(
        "a phone call is made with its default reason",
        _ENTITIES + "phonecall",
        (
            _activity("phonecall"),
            Step("PATCH", "phonecalls({new4})", 204, {"statecode": 1}),
            _row("phonecalls({new4})?$select=statecode,statuscode", statecode=1, statuscode=2),
        ),
    ),
    Exchange(
        "an appointment is canceled with its default reason",
        _ENTITIES + "appointment",
        (
            _activity("appointment"),
            Step("PATCH", "appointments({new4})", 204, {"statecode": 2}),
            _row("appointments({new4})?$select=statecode,statuscode", statecode=2, statuscode=4),
        ),
    ),
    Exchange(
        "a note is attached to an account and read from it",
        _NOTES,
        (
            _ACCOUNT,
            Step(
                "POST",
                "annotations",
                204,
                {"subject": "Call", "notetext": "They agreed.", "objectid_account@odata.bind": _ON_ACCOUNT},
            ),
            _row(
                "accounts({new1})/Account_Annotation?$select=subject,notetext,isdocument,objecttypecode",
                value=[{"notetext": "They agreed.", "isdocument": False, "objecttypecode": "account"}],
            ),
        ),
    ),
    Exchange(
        "a note with a file has its name, type and content",
        _NOTES,
        (
            _ACCOUNT,
            Step(
                "POST",
                "annotations",
                204,
                {
                    "annotationid": "{new5}",
                    "filename": "hello.txt",
                    "mimetype": "text/plain",
                    "documentbody": "SGVsbG8=",
                    "objectid_account@odata.bind": _ON_ACCOUNT,
                },
            ),
            _row(
                "annotations({new5})?$select=filename,mimetype,documentbody,filesize,isdocument",
                filename="hello.txt",
                documentbody="SGVsbG8=",
                filesize=5,
                isdocument=True,
            ),
        ),
    ),
    Exchange(
        "notes are created with the account that they are attached to",
        _CREATE,
        (
            Step(
                "POST",
                "accounts",
                204,
                {
                    "accountid": "{new1}",
                    "name": "With notes",
                    "Account_Annotation": [{"subject": "1"}, {"subject": "2"}],
                },
            ),
            _row("accounts({new1})/Account_Annotation?$select=subject", value=counting(2)),
        ),
    ),
    Exchange(
        "an activity is not created under the name of activities in general",
        _ACTIVITIES,
        (
            Step(
                "POST", "activitypointers", 400, {"subject": "x"}, json={"error": {"message": matching(".")}}
            ),
        ),
    ),
]
