"""What a delete takes along, unlinks or is refused for, and rows that change their owner together."""

from typing import Any

from tests.contract.exchange import Exchange, Step, error

_CASCADE = "power-apps/developer/data-platform/configure-entity-relationship-cascading-behavior"
_ACCOUNT = "power-apps/developer/data-platform/reference/entities/account"
_CONTACT = "power-apps/developer/data-platform/reference/entities/contact"
_TASK = "power-apps/developer/data-platform/reference/entities/task"
_LEAD = "dynamics365/developer/reference/entities/lead"
_OPPORTUNITY = "dynamics365/developer/reference/entities/opportunity"
_ERRORS = "power-apps/developer/data-platform/reference/web-service-error-codes"
_CRM = "Microsoft.Dynamics.CRM"


def _make(entity_set: str, key: str, number: int, **values: Any) -> Step:
    return Step("POST", entity_set, 204, {key: f"{{new{number}}}", **values})


def _contact(number: int, **values: Any) -> Step:
    return _make("contacts", "contactid", number, lastname="Contact", **values)


def _account(number: int, **values: Any) -> Step:
    return _make("accounts", "accountid", number, name="Account", **values)


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


def _delete(path: str) -> Step:
    return Step("DELETE", path, 204)


def _gone(path: str) -> Step:
    return Step("GET", path, 404, json=error("0x80040217"))


def _label(text: str) -> dict[str, Any]:
    label = {"@odata.type": f"{_CRM}.LocalizedLabel", "Label": text, "LanguageCode": 1033}
    return {"@odata.type": f"{_CRM}.Label", "LocalizedLabels": [label]}


def _relationship(on_delete: str) -> Step:
    """A step that gives projects a lookup to contacts with this behaviour of deletes."""
    return Step(
        "POST",
        "RelationshipDefinitions",
        204,
        {
            "@odata.type": f"{_CRM}.OneToManyRelationshipMetadata",
            "SchemaName": "new_contact_lead_project",
            "ReferencedEntity": "contact",
            "ReferencedAttribute": "contactid",
            "ReferencingEntity": "new_project",
            "CascadeConfiguration": {
                "Assign": "NoCascade",
                "Delete": on_delete,
                "Merge": "NoCascade",
                "Reparent": "NoCascade",
                "Share": "NoCascade",
                "Unshare": "NoCascade",
            },
            "Lookup": {
                "@odata.type": f"{_CRM}.LookupAttributeMetadata",
                "SchemaName": "new_LeaderId",
                "DisplayName": _label("Leader"),
                "RequiredLevel": {"Value": "None"},
            },
        },
    )


_PROJECT_OF_CONTACT = (
    _contact(1),
    Step(
        "POST",
        "new_projects",
        204,
        {"new_projectid": "{new2}", "new_name": "Led", "new_LeaderId@odata.bind": "contacts({new1})"},
    ),
)
_OTHER_OWNER = (
    Step("GET", "WhoAmI", 200, capture={"me": "UserId", "unit": "BusinessUnitId"}),
    Step(
        "POST",
        "teams",
        204,
        {"teamid": "{new9}", "name": "Owners", "businessunitid@odata.bind": "/businessunits({unit})"},
    ),
)
_TO_TEAM = {"ownerid@odata.bind": "/teams({new9})"}

EXCHANGES = [
    Exchange(
        "appointments, phone calls and notes go with their contact",
        _CONTACT,
        (
            _contact(1),
            _make(
                "appointments",
                "activityid",
                2,
                subject="A",
                **{"regardingobjectid_contact_appointment@odata.bind": "contacts({new1})"},
            ),
            _make(
                "phonecalls",
                "activityid",
                3,
                subject="P",
                **{"regardingobjectid_contact_phonecall@odata.bind": "contacts({new1})"},
            ),
            _make(
                "annotations",
                "annotationid",
                4,
                subject="N",
                **{"objectid_contact@odata.bind": "contacts({new1})"},
            ),
            _delete("contacts({new1})"),
            _gone("appointments({new2})"),
            _gone("phonecalls({new3})"),
            _gone("annotations({new4})"),
        ),
    ),
    Exchange(
        "contacts stay without the contact that was above them",
        _CONTACT,
        (
            _contact(1),
            _contact(2, **{"parentcustomerid_contact@odata.bind": "contacts({new1})"}),
            _delete("contacts({new1})"),
            _row("contacts({new2})?$select=_parentcustomerid_value", _parentcustomerid_value=None),
        ),
    ),
    Exchange(
        "an account stays without its primary contact",
        _CONTACT,
        (
            _contact(1),
            _account(2, **{"primarycontactid@odata.bind": "contacts({new1})"}),
            _delete("contacts({new1})"),
            _row("accounts({new2})?$select=_primarycontactid_value", _primarycontactid_value=None),
        ),
    ),
    Exchange(
        "a delete goes on through the rows that it takes along",
        _ACCOUNT,
        (
            _account(1),
            _contact(2, **{"parentcustomerid_account@odata.bind": "accounts({new1})"}),
            _make(
                "tasks",
                "activityid",
                3,
                subject="T",
                **{"regardingobjectid_contact_task@odata.bind": "contacts({new2})"},
            ),
            _make(
                "annotations", "annotationid", 4, subject="N", **{"objectid_task@odata.bind": "tasks({new3})"}
            ),
            _delete("accounts({new1})"),
            _gone("contacts({new2})"),
            _gone("tasks({new3})"),
            _gone("annotations({new4})"),
        ),
    ),
    Exchange(
        "a delete of a row leaves the row that it belonged to",
        _CASCADE,
        (
            _account(1),
            _contact(2, **{"parentcustomerid_account@odata.bind": "accounts({new1})"}),
            _delete("contacts({new2})"),
            _row("accounts({new1})?$select=name", name="Account"),
        ),
    ),
    Exchange(
        "notes go with their task",
        _TASK,
        (
            _make("tasks", "activityid", 1, subject="T"),
            _make(
                "annotations", "annotationid", 2, subject="N", **{"objectid_task@odata.bind": "tasks({new1})"}
            ),
            _delete("tasks({new1})"),
            _gone("annotations({new2})"),
        ),
    ),
    Exchange(
        "a deleted task is no activity any more",
        _TASK,
        (
            _make("tasks", "activityid", 1, subject="T"),
            _delete("tasks({new1})"),
            _row("activitypointers?$select=subject&$filter=activityid eq {new1}", value=[]),
        ),
    ),
    Exchange(
        "a lead of a customer goes with the customer",
        _LEAD,
        (
            _account(1),
            _make(
                "leads", "leadid", 2, lastname="L", **{"customerid_account@odata.bind": "accounts({new1})"}
            ),
            _delete("accounts({new1})"),
            _gone("leads({new2})"),
        ),
    ),
    Exchange(
        "an opportunity stays without the account that is only its parent",
        _OPPORTUNITY,
        (
            _account(1),
            _make(
                "opportunities",
                "opportunityid",
                2,
                name="O",
                **{"parentaccountid@odata.bind": "accounts({new1})"},
            ),
            _delete("accounts({new1})"),
            _row("opportunities({new2})?$select=_parentaccountid_value", _parentaccountid_value=None),
        ),
    ),
    Exchange(
        "tasks and notes go with their opportunity",
        _OPPORTUNITY,
        (
            _make("opportunities", "opportunityid", 1, name="O"),
            _make(
                "tasks",
                "activityid",
                2,
                subject="T",
                **{"regardingobjectid_opportunity_task@odata.bind": "opportunities({new1})"},
            ),
            _make(
                "annotations",
                "annotationid",
                3,
                subject="N",
                **{"objectid_opportunity@odata.bind": "opportunities({new1})"},
            ),
            _delete("opportunities({new1})"),
            _gone("tasks({new2})"),
            _gone("annotations({new3})"),
        ),
    ),
    Exchange(
        "a relationship that restricts deletes keeps the row that is referred to",
        _CASCADE,
        (
            _relationship("Restrict"),
            *_PROJECT_OF_CONTACT,
            Step("DELETE", "contacts({new1})", 405, json=error("0x80040227")),
            _row("contacts({new1})?$select=lastname", lastname="Contact"),
            _delete("new_projects({new2})"),
            _delete("contacts({new1})"),
        ),
    ),
    Exchange(
        "a delete that is refused takes no other row along",
        _ERRORS,
        (
            _relationship("Restrict"),
            *_PROJECT_OF_CONTACT,
            _make(
                "tasks",
                "activityid",
                3,
                subject="T",
                **{"regardingobjectid_contact_task@odata.bind": "contacts({new1})"},
            ),
            Step("DELETE", "contacts({new1})", 405, json=error("0x80040227")),
            _row("tasks({new3})?$select=subject", subject="T"),
        ),
    ),
    Exchange(
        "a relationship that cascades deletes takes the other row along",
        _CASCADE,
        (
            _relationship("Cascade"),
            *_PROJECT_OF_CONTACT,
            _delete("contacts({new1})"),
            _gone("new_projects({new2})"),
        ),
    ),
    Exchange(
        "a relationship that removes links empties the lookup",
        _CASCADE,
        (
            _relationship("RemoveLink"),
            *_PROJECT_OF_CONTACT,
            _delete("contacts({new1})"),
            _row("new_projects({new2})?$select=_new_leaderid_value", _new_leaderid_value=None),
        ),
    ),
    Exchange(
        "contacts, activities and notes change their owner with the contact above them",
        _CONTACT,
        (
            *_OTHER_OWNER,
            _contact(1),
            _contact(2, **{"parentcustomerid_contact@odata.bind": "contacts({new1})"}),
            _make(
                "phonecalls",
                "activityid",
                3,
                subject="P",
                **{"regardingobjectid_contact_phonecall@odata.bind": "contacts({new1})"},
            ),
            _make(
                "annotations",
                "annotationid",
                4,
                subject="N",
                **{"objectid_contact@odata.bind": "contacts({new1})"},
            ),
            Step("PATCH", "contacts({new1})", 204, _TO_TEAM),
            _row("contacts({new2})?$select=_ownerid_value", _ownerid_value="{new9}"),
            _row("phonecalls({new3})?$select=_ownerid_value", _ownerid_value="{new9}"),
            _row("annotations({new4})?$select=_ownerid_value", _ownerid_value="{new9}"),
        ),
    ),
    Exchange(
        "child accounts, contacts and opportunities change their owner with their account",
        _ACCOUNT,
        (
            *_OTHER_OWNER,
            _account(1),
            _account(2, **{"parentaccountid@odata.bind": "accounts({new1})"}),
            _contact(3, **{"parentcustomerid_account@odata.bind": "accounts({new1})"}),
            _make(
                "opportunities",
                "opportunityid",
                4,
                name="O",
                **{"customerid_account@odata.bind": "accounts({new1})"},
            ),
            Step("PATCH", "accounts({new1})", 204, _TO_TEAM),
            _row("accounts({new2})?$select=_ownerid_value", _ownerid_value="{new9}"),
            _row("contacts({new3})?$select=_ownerid_value", _ownerid_value="{new9}"),
            _row("opportunities({new4})?$select=_ownerid_value", _ownerid_value="{new9}"),
        ),
    ),
    Exchange(
        "an account keeps its owner when its primary contact gets another",
        _CONTACT,
        (
            *_OTHER_OWNER,
            _contact(1),
            _account(2, **{"primarycontactid@odata.bind": "contacts({new1})"}),
            Step("PATCH", "contacts({new1})", 204, _TO_TEAM),
            _row("accounts({new2})?$select=_ownerid_value", _ownerid_value="{me}"),
        ),
    ),
    Exchange(
        "a relationship tells what it does at a delete and at a change of owner",
        _CONTACT,
        (
            _row(
                "RelationshipDefinitions(SchemaName='contact_customer_contacts')"
                f"/{_CRM}.OneToManyRelationshipMetadata?$select=CascadeConfiguration",
                CascadeConfiguration={"Assign": "Cascade", "Delete": "RemoveLink", "Merge": "Cascade"},
            ),
        ),
    ),
]
