"""Links between rows: made, changed, read and removed from both sides of a relationship."""

from tests.contract.exchange import (
    Exchange,
    Step,
    counting,
    error,
)

_ASSOCIATE = "power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api"
_RETRIEVE = "power-apps/developer/data-platform/webapi/retrieve-entity-using-web-api"
_KEYS = "power-apps/developer/data-platform/use-alternate-key-reference-record"
_DEALS = "accounts({new1})/opportunity_customer_accounts"
_CUSTOMER = "opportunities({new3})/customerid_account"
_TEAM = "new_projects({new5})/new_project_contact"
_PROJECTS = "contacts({new2})/new_project_contact"

_ACCOUNT = Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Customer"})
_OTHER = Step("POST", "accounts", 204, {"accountid": "{new4}", "name": "Other customer"})
_CONTACT = Step("POST", "contacts", 204, {"contactid": "{new2}", "lastname": "Member"})
_OPPORTUNITY = Step("POST", "opportunities", 204, {"opportunityid": "{new3}", "name": "Deal"})
_PROJECT = Step(
    "POST", "new_projects", 204, {"new_projectid": "{new5}", "new_name": "Launch", "new_code": "A-1"}
)
_ROWS = (_ACCOUNT, _OPPORTUNITY)
_SOLD = (*_ROWS, Step("PUT", f"{_CUSTOMER}/$ref", 204, {"@odata.id": "accounts({new1})"}))
_MEMBER = (_CONTACT, _PROJECT, Step("POST", f"{_TEAM}/$ref", 204, {"@odata.id": "contacts({new2})"}))


def _customer(key):
    """The customer of the opportunity is this account."""
    return Step(
        "GET",
        "opportunities({new3})?$select=_customerid_value",
        200,
        json={"_customerid_value": key},
    )


def _members(number):
    """The project has so many contacts, and the contact as many projects."""
    return (
        Step("GET", f"{_TEAM}?$select=lastname", 200, json={"value": counting(number)}),
        Step("GET", f"{_PROJECTS}?$select=new_name", 200, json={"value": counting(number)}),
    )


EXCHANGES = [
    Exchange(
        "a reference added to a collection is the lookup of the other row",
        _ASSOCIATE,
        (
            *_ROWS,
            Step(
                "POST",
                f"{_DEALS}/$ref",
                204,
                {"@odata.id": "{root}opportunities({new3})"},
                text="",
                headers={"OData-Version": "4.0"},
            ),
            _customer("{new1}"),
        ),
    ),
    Exchange(
        "a reference added to a collection may be a relative address",
        _ASSOCIATE,
        (
            *_ROWS,
            Step("POST", f"{_DEALS}/$ref", 204, {"@odata.id": "opportunities({new3})"}),
            _customer("{new1}"),
        ),
    ),
    Exchange(
        "a reference added to another collection leaves the first",
        _ASSOCIATE,
        (
            *_SOLD,
            _OTHER,
            Step(
                "POST",
                "accounts({new4})/opportunity_customer_accounts/$ref",
                204,
                {"@odata.id": "opportunities({new3})"},
            ),
            _customer("{new4}"),
            Step("GET", f"{_DEALS}?$select=name", 200, json={"value": []}),
        ),
    ),
    Exchange(
        "a lookup is set by putting a relative reference",
        _ASSOCIATE,
        (
            *_ROWS,
            Step("PUT", f"{_CUSTOMER}/$ref", 204, {"@odata.id": "accounts({new1})"}, text=""),
            _customer("{new1}"),
            Step("GET", f"{_DEALS}?$select=name", 200, json={"value": [{"name": "Deal"}]}),
        ),
    ),
    Exchange(
        "a lookup that has a value is changed by putting a whole reference",
        _ASSOCIATE,
        (
            *_SOLD,
            _OTHER,
            Step("PUT", f"{_CUSTOMER}/$ref", 204, {"@odata.id": "{root}accounts({new4})"}),
            _customer("{new4}"),
        ),
    ),
    Exchange(
        "a lookup is changed by an update that binds it",
        _ASSOCIATE,
        (
            *_SOLD,
            _OTHER,
            Step(
                "PATCH",
                "opportunities({new3})",
                204,
                {"customerid_account@odata.bind": "accounts({new4})"},
                {"If-Match": "*"},
            ),
            _customer("{new4}"),
        ),
    ),
    Exchange(
        "a lookup to several tables goes from one table to the other",
        "power-apps/developer/data-platform/webapi/web-api-navigation-properties",
        (
            *_SOLD,
            _CONTACT,
            Step(
                "PATCH",
                "opportunities({new3})",
                204,
                {"customerid_contact@odata.bind": "/contacts({new2})"},
            ),
            Step(
                "GET",
                "opportunities({new3})?$select=_customerid_value"
                "&$expand=customerid_account($select=name),customerid_contact($select=lastname)",
                200,
                json={
                    "_customerid_value": "{new2}",
                    "customerid_account": None,
                    "customerid_contact": {"lastname": "Member"},
                },
            ),
        ),
    ),
    Exchange(
        "a reference is removed from a collection by its address in the query",
        _ASSOCIATE,
        (
            *_SOLD,
            Step("DELETE", f"{_DEALS}/$ref?$id={{root}}opportunities({{new3}})", 204, text=""),
            _customer(None),
        ),
    ),
    Exchange(
        "a reference is removed from a collection by its key",
        _ASSOCIATE,
        (
            *_SOLD,
            Step("DELETE", "accounts({new1})/opportunity_customer_accounts({new3})/$ref", 204),
            _customer(None),
        ),
    ),
    Exchange(
        "a reference is removed from a lookup",
        _ASSOCIATE,
        (
            *_SOLD,
            Step("DELETE", f"{_CUSTOMER}/$ref", 204, text=""),
            _customer(None),
            Step("GET", f"{_DEALS}?$select=name", 200, json={"value": []}),
            Step("GET", "accounts({new1})?$select=name", 200, json={"name": "Customer"}),
        ),
    ),
    Exchange(
        "two lookups are emptied at once by binding null",
        _ASSOCIATE,
        (
            _CONTACT,
            _OTHER,
            Step(
                "POST",
                "accounts",
                204,
                {
                    "accountid": "{new1}",
                    "name": "Child",
                    "parentaccountid@odata.bind": "/accounts({new4})",
                    "primarycontactid@odata.bind": "/contacts({new2})",
                },
            ),
            Step(
                "PATCH",
                "accounts({new1})",
                204,
                {"parentaccountid@odata.bind": None, "primarycontactid@odata.bind": None},
            ),
            Step(
                "GET",
                "accounts({new1})?$select=_parentaccountid_value,_primarycontactid_value",
                200,
                json={"_parentaccountid_value": None, "_primarycontactid_value": None},
            ),
        ),
    ),
    Exchange(
        "a lookup is emptied by null in the name of its navigation property",
        _ASSOCIATE,
        (
            _CONTACT,
            Step(
                "POST",
                "accounts",
                204,
                {"accountid": "{new1}", "name": "x", "primarycontactid@odata.bind": "/contacts({new2})"},
            ),
            Step("PATCH", "accounts({new1})", 204, {"primarycontactid": None}),
            Step(
                "GET",
                "accounts({new1})?$select=_primarycontactid_value",
                200,
                json={"_primarycontactid_value": None},
            ),
        ),
    ),
    Exchange(
        "a many-to-many link is seen from both sides",
        _ASSOCIATE,
        (*_MEMBER, *_members(1)),
    ),
    Exchange(
        "a many-to-many link is made from the other side too",
        _ASSOCIATE,
        (
            _CONTACT,
            _PROJECT,
            Step("POST", f"{_PROJECTS}/$ref", 204, {"@odata.id": "{root}new_projects({new5})"}),
            *_members(1),
        ),
    ),
    Exchange(
        "a many-to-many link is removed from the other side by the address in the query",
        _ASSOCIATE,
        (
            *_MEMBER,
            Step("DELETE", f"{_PROJECTS}/$ref?$id={{root}}new_projects({{new5}})", 204),
            *_members(0),
        ),
    ),
    Exchange(
        "a many-to-many link is removed by the key in the address, and both rows stay",
        _ASSOCIATE,
        (
            *_MEMBER,
            Step("DELETE", "new_projects({new5})/new_project_contact({new2})/$ref", 204),
            *_members(0),
            Step("GET", "contacts({new2})?$select=lastname", 200, json={"lastname": "Member"}),
            Step("GET", "new_projects({new5})?$select=new_name", 200, json={"new_name": "Launch"}),
        ),
    ),
    Exchange(
        "a many-to-many link is made by an alternate key in the address",
        _KEYS,
        (
            _CONTACT,
            _PROJECT,
            Step(
                "POST",
                "new_projects(new_code='A-1')/new_project_contact/$ref",
                204,
                {"@odata.id": "contacts({new2})"},
            ),
            *_members(1),
        ),
    ),
    Exchange(
        "the references of a many-to-many relationship are the addresses of the other rows",
        _RETRIEVE,
        (
            *_MEMBER,
            Step(
                "GET",
                f"{_TEAM}/$ref",
                200,
                json={
                    "@odata.context": "{root}$metadata#Collection($ref)",
                    "value": [{"@odata.id": "{root}contacts({new2})"}],
                },
            ),
        ),
    ),
    Exchange(
        "a link to a row that does not exist is not made",
        _ASSOCIATE,
        (
            _PROJECT,
            _ACCOUNT,
            Step("POST", f"{_TEAM}/$ref", 404, {"@odata.id": "contacts({new9})"}, json=error("0x80040217")),
            Step(
                "POST",
                f"{_DEALS}/$ref",
                404,
                {"@odata.id": "opportunities({new9})"},
                json=error("0x80040217"),
            ),
        ),
    ),
    Exchange(
        "a row that does not exist has no links",
        _ASSOCIATE,
        (
            _CONTACT,
            Step(
                "POST",
                "new_projects({new9})/new_project_contact/$ref",
                404,
                {"@odata.id": "contacts({new2})"},
                json=error("0x80040217"),
            ),
        ),
    ),
    Exchange(
        "the parties of an activity are replaced by putting a list",
        _ASSOCIATE,
        (
            _CONTACT,
            _ACCOUNT,
            Step(
                "POST",
                "appointments",
                204,
                {
                    "activityid": "{new6}",
                    "subject": "Meeting",
                    "appointment_activity_parties": [
                        {"partyid_account@odata.bind": "/accounts({new1})", "participationtypemask": 5}
                    ],
                },
            ),
            Step(
                "PUT",
                "appointments({new6})/appointment_activity_parties",
                204,
                {"value": [{"partyid_contact@odata.bind": "contacts({new2})", "participationtypemask": 5}]},
            ),
            Step(
                "GET",
                "appointments({new6})?$select=subject"
                "&$expand=appointment_activity_parties"
                "($select=_partyid_value;$filter=participationtypemask eq 5)",
                200,
                json={"appointment_activity_parties": [{"_partyid_value": "{new2}"}]},
            ),
        ),
    ),
]
