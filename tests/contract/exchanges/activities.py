"""Activities with their parties, states, and lookups to several tables."""

from tests.contract.exchange import (
    REPRESENTATION,
    Exchange,
    Step,
    anything,
    error,
)

_ACTIVITIES = "power-apps/developer/data-platform/activity-entities"
_PARTIES = "power-apps/developer/data-platform/activityparty-entity"
_LOOKUPS = "power-apps/developer/data-platform/webapi/web-api-navigation-properties"
_CREATE = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_STATES = "power-apps/developer/data-platform/define-custom-state-model-transitions"

_ACCOUNT = Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Regarded"})
_CONTACT = Step("POST", "contacts", 204, {"contactid": "{new2}", "lastname": "Party"})


EXCHANGES = [
    Exchange(
        "a task regards a row through the navigation property of both tables",
        _ACTIVITIES,
        (
            _ACCOUNT,
            Step(
                "POST",
                "tasks?$select=subject,_regardingobjectid_value",
                201,
                {"subject": "Follow up", "regardingobjectid_account_task@odata.bind": "/accounts({new1})"},
                REPRESENTATION,
                json={"_regardingobjectid_value": "{new1}"},
            ),
            Step(
                "GET",
                "accounts({new1})/Account_Tasks?$select=subject",
                200,
                json={"value": [{"subject": "Follow up"}]},
            ),
        ),
    ),
    Exchange(
        "activities of every kind are read together",
        _ACTIVITIES,
        (
            _ACCOUNT,
            Step(
                "POST",
                "tasks",
                204,
                {"subject": "A", "regardingobjectid_account_task@odata.bind": "/accounts({new1})"},
            ),
            Step(
                "POST",
                "phonecalls",
                204,
                {"subject": "B", "regardingobjectid_account_phonecall@odata.bind": "/accounts({new1})"},
            ),
            Step(
                "GET",
                "activitypointers?$select=subject,activitytypecode&$orderby=subject"
                "&$filter=_regardingobjectid_value eq {new1}",
                200,
                json={
                    "value": [
                        {"subject": "A", "activitytypecode": "task"},
                        {"subject": "B", "activitytypecode": "phonecall"},
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "the parties of an activity are created with it",
        _PARTIES,
        (
            _CONTACT,
            Step(
                "POST",
                "phonecalls",
                204,
                {
                    "activityid": "{new4}",
                    "subject": "Call",
                    "phonecall_activity_parties": [
                        {"participationtypemask": 2, "partyid_contact@odata.bind": "/contacts({new2})"}
                    ],
                },
            ),
            Step(
                "GET",
                "phonecalls({new4})?$select=subject"
                "&$expand=phonecall_activity_parties($select=participationtypemask,_partyid_value)",
                200,
                json={
                    "phonecall_activity_parties": [{"participationtypemask": 2, "_partyid_value": "{new2}"}]
                },
            ),
        ),
    ),
    Exchange(
        "a task is completed by its state",
        _STATES,
        (
            Step("POST", "tasks", 204, {"activityid": "{new4}", "subject": "Do"}),
            Step("PATCH", "tasks({new4})", 204, {"statecode": 1, "statuscode": 5}),
            Step(
                "GET",
                "tasks({new4})?$select=statecode,statuscode",
                200,
                json={"statecode": 1, "statuscode": 5},
            ),
        ),
    ),
    Exchange(
        "a state without a reason takes its default reason",
        _STATES,
        (
            _ACCOUNT,
            Step("PATCH", "accounts({new1})", 204, {"statecode": 1}),
            Step(
                "GET",
                "accounts({new1})?$select=statecode,statuscode",
                200,
                json={"statecode": 1, "statuscode": 2},
            ),
        ),
    ),
    Exchange(
        "a status reason of another state is refused",
        _STATES,
        (
            _ACCOUNT,
            Step(
                "PATCH", "accounts({new1})", 400, {"statecode": 1, "statuscode": 1}, json=error("0x80048408")
            ),
        ),
    ),
    Exchange(
        "a row is created active whatever the body says",
        _STATES,
        (
            Step(
                "POST",
                "accounts?$select=statecode",
                201,
                {"name": "x", "statecode": 1},
                REPRESENTATION,
                json={"statecode": 0},
            ),
        ),
    ),
    Exchange(
        "a lookup to several tables is bound by the name of one of them",
        _LOOKUPS,
        (
            _ACCOUNT,
            _CONTACT,
            Step(
                "PATCH", "contacts({new2})", 204, {"parentcustomerid_account@odata.bind": "/accounts({new1})"}
            ),
            Step(
                "GET",
                "contacts({new2})?$select=_parentcustomerid_value&$expand=parentcustomerid_account($select=name),parentcustomerid_contact($select=lastname)",
                200,
                json={
                    "_parentcustomerid_value": "{new1}",
                    "parentcustomerid_account": {"name": "Regarded"},
                    "parentcustomerid_contact": None,
                },
            ),
        ),
    ),
    Exchange(
        "a lookup to several tables is not bound by its own name",
        _LOOKUPS,
        (
            _ACCOUNT,
            Step(
                "POST",
                "contacts",
                400,
                {"lastname": "x", "parentcustomerid@odata.bind": "/accounts({new1})"},
                json=error("0x80048d19"),
            ),
        ),
    ),
    Exchange(
        "a lookup is not set through the property that reads it",
        _LOOKUPS,
        (
            _CONTACT,
            Step(
                "POST",
                "accounts",
                400,
                {"name": "x", "_primarycontactid_value": "{new2}"},
                json={"error": {"code": anything}},
            ),
        ),
    ),
    Exchange(
        "a lookup is cleared by binding null",
        _LOOKUPS,
        (
            _CONTACT,
            Step(
                "POST",
                "accounts",
                204,
                {"accountid": "{new4}", "name": "x", "primarycontactid@odata.bind": "/contacts({new2})"},
            ),
            Step("PATCH", "accounts({new4})", 204, {"primarycontactid@odata.bind": None}),
            Step(
                "GET",
                "accounts({new4})?$select=_primarycontactid_value",
                200,
                json={"_primarycontactid_value": None},
            ),
        ),
    ),
    Exchange(
        "a lookup is cleared by deleting its reference",
        _LOOKUPS,
        (
            _CONTACT,
            Step(
                "POST",
                "accounts",
                204,
                {"accountid": "{new4}", "name": "x", "primarycontactid@odata.bind": "contacts({new2})"},
            ),
            Step("DELETE", "accounts({new4})/primarycontactid/$ref", 204),
            Step(
                "GET",
                "accounts({new4})?$select=_primarycontactid_value",
                200,
                json={"_primarycontactid_value": None},
            ),
        ),
    ),
    Exchange(
        "a lookup is replaced by putting a reference",
        _LOOKUPS,
        (
            _CONTACT,
            Step("POST", "accounts", 204, {"accountid": "{new4}", "name": "x"}),
            Step(
                "PUT", "accounts({new4})/primarycontactid/$ref", 204, {"@odata.id": "{root}contacts({new2})"}
            ),
            Step(
                "GET",
                "accounts({new4})/primarycontactid/$ref",
                200,
                json={"@odata.id": "{root}contacts({new2})"},
            ),
        ),
    ),
    Exchange(
        "a lookup is bound by an absolute address",
        _CREATE,
        (
            _CONTACT,
            Step(
                "POST",
                "accounts?$select=_primarycontactid_value",
                201,
                {"name": "x", "primarycontactid@odata.bind": "{root}contacts({new2})"},
                REPRESENTATION,
                json={"_primarycontactid_value": "{new2}"},
            ),
        ),
    ),
]
