"""Related rows with ``$expand``."""

from tests.contract.exchange import Exchange, Step, a_guid, absent, counting, error, matching

_JOIN = "power-apps/developer/data-platform/webapi/query/join-tables"

_SETUP = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Litware, Inc.",
        "primarycontactid": {"contactid": "{new2}", "firstname": "Susanna", "lastname": "Stubberod"},
        "Account_Tasks": [
            {"subject": "Task 1", "description": "first"},
            {"subject": "Task 2"},
            {"subject": "Call 3"},
        ],
        "contact_customer_accounts": [
            {
                "contactid": "{new3}",
                "firstname": "Nancy",
                "lastname": "Anderson",
                "Contact_Tasks": [{"activityid": "{new4}", "subject": "Task of Nancy"}],
            }
        ],
        "new_account_new_project": [{"new_projectid": "{new5}", "new_name": "Project"}],
    },
)
_TASKS = "accounts({new1})/Account_Tasks?$select=subject"
_MANY = (
    "createdby,modifiedby,owninguser,owningteam,owningbusinessunit,transactioncurrencyid,primarycontactid,"
    "parentaccountid,originatingleadid,masterid,contact_customer_accounts,Account_Tasks,"
    "account_parent_account,account_master_account,new_account_new_project,ownerid"
)


def _refuses(name: str, path: str, *, code: str | None = None, message: str | None = None) -> Exchange:
    """An exchange in which an expansion is refused."""
    expected = error(code, message) if code else None
    return Exchange(name, _JOIN, (Step("GET", path, 400, json=expected),))


EXCHANGES = [
    Exchange(
        "the columns of an expanded row are chosen, its key comes always",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?$select=name&$expand=primarycontactid($select=fullname),Account_Tasks($select=subject)"
                "&$filter=accountid eq {new1}",
                200,
                json={
                    "@odata.context": "{root}$metadata#accounts(name,primarycontactid(fullname),"
                    "Account_Tasks(subject))",
                    "value": [
                        {
                            "name": "Litware, Inc.",
                            "primarycontactid": {
                                "fullname": "Susanna Stubberod",
                                "contactid": "{new2}",
                                "lastname": absent,
                            },
                            "Account_Tasks": counting(3),
                        }
                    ],
                },
            ),
        ),
    ),
    Exchange(
        "an expanded user has the key of its kind and of all principals",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=createdby($select=fullname)",
                200,
                json={"createdby": {"systemuserid": a_guid, "ownerid": a_guid}},
            ),
        ),
    ),
    Exchange(
        "a lookup is expanded to a reference",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?$select=name&$expand=primarycontactid/$ref&$filter=accountid eq {new1}",
                200,
                json={
                    "value": [
                        {
                            "_primarycontactid_value": "{new2}",
                            "primarycontactid": {"@odata.id": "{root}contacts({new2})", "fullname": absent},
                        }
                    ]
                },
            ),
        ),
    ),
    _refuses(
        "a collection is not expanded to references",
        "accounts?$select=name&$expand=Account_Tasks/$ref",
        code="0x80060888",
        message=r"Expand with \$ref is only supported on lookup type navigation property",
    ),
    Exchange(
        "lookups are expanded one inside another over several levels",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "tasks({new4})?$select=subject&$expand=regardingobjectid_contact_task($select=fullname;"
                "$expand=parentcustomerid_account($select=name;$expand=createdby($select=fullname)))",
                200,
                json={
                    "subject": "Task of Nancy",
                    "regardingobjectid_contact_task": {
                        "fullname": "Nancy Anderson",
                        "parentcustomerid_account": {
                            "name": "Litware, Inc.",
                            "accountid": "{new1}",
                            "createdby": {"systemuserid": a_guid},
                        },
                    },
                },
            ),
        ),
    ),
    Exchange(
        "a lookup with several targets is expanded through the one of the row's kind",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "contacts({new3})?$select=fullname&$expand=parentcustomerid_account($select=name),"
                "parentcustomerid_contact($select=fullname)",
                200,
                json={
                    "parentcustomerid_account": {"name": "Litware, Inc."},
                    "parentcustomerid_contact": None,
                },
            ),
        ),
    ),
    Exchange(
        "expanded rows are filtered by contains and sorted",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=Account_Tasks($select=subject;"
                "$filter=contains(subject,'Task');$orderby=subject desc)",
                200,
                json={"Account_Tasks": [{"subject": "Task 2"}, {"subject": "Task 1"}]},
            ),
        ),
    ),
    Exchange(
        "a collection without rows expands to an empty list",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=account_parent_account($select=name)",
                200,
                json={"account_parent_account": []},
            ),
        ),
    ),
    Exchange(
        "an expanded collection has a link to itself without paging",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?$select=name&$expand=Account_Tasks($select=subject)&$filter=accountid eq {new1}",
                200,
                json={
                    "value": [
                        {"Account_Tasks@odata.nextLink": "{root}" + _TASKS},
                    ]
                },
            ),
            Step(
                "GET",
                _TASKS,
                200,
                json={"value": counting(3)},
            ),
        ),
    ),
    Exchange(
        "the page size does not cut collections of a single expansion",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?$select=name&$expand=Account_Tasks($select=subject)&$filter=accountid eq {new1}",
                200,
                sent={"Prefer": "odata.maxpagesize=1"},
                json={
                    "value": [
                        {
                            "Account_Tasks": counting(3),
                            "Account_Tasks@odata.nextLink": matching(r"Account_Tasks\?\$select=subject$"),
                        }
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "the page size cuts collections once an expansion is nested",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?$select=name&$expand=Account_Tasks($select=subject),"
                "contact_customer_accounts($select=fullname;$expand=owninguser($select=fullname))"
                "&$filter=accountid eq {new1}",
                200,
                sent={"Prefer": "odata.maxpagesize=1"},
                json={
                    "value": [
                        {
                            "Account_Tasks": counting(1),
                            "Account_Tasks@odata.nextLink": matching(r"/Account_Tasks\?.*\$skiptoken="),
                            "contact_customer_accounts": [{"owninguser": {"systemuserid": a_guid}}],
                        }
                    ]
                },
            ),
        ),
    ),
    _refuses(
        "an order is refused once an expansion is nested",
        "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$orderby=fullname;"
        "$expand=owninguser($select=fullname))",
        code="0x80060888",
        message=r"Only \$select and \$filter clause can be provided while doing \$expand",
    ),
    _refuses(
        "top is refused once an expansion is nested",
        "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;$top=1;"
        "$expand=owninguser($select=fullname))",
        code="0x80060888",
        message=r"Only \$select and \$filter clause can be provided while doing \$expand",
    ),
    _refuses(
        "an order within a collection inside another is refused",
        "accounts?$select=name&$expand=contact_customer_accounts($select=fullname;"
        "$expand=Contact_Tasks($select=subject;$orderby=subject))",
        code="0x80060888",
        message=r"Only \$select and \$filter clause can be provided while doing \$expand",
    ),
    _refuses(
        "top on an expanded lookup is refused",
        "accounts?$select=name&$expand=primarycontactid($select=fullname;$top=1)",
        code="0x80060888",
        message=r"Only \$select and \$filter clause can be provided while doing \$expand",
    ),
    Exchange(
        "a collection is expanded inside a collection",
        _JOIN,
        (
            _SETUP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=contact_customer_accounts($select=fullname;"
                "$expand=Contact_Tasks($select=subject))",
                200,
                json={
                    "contact_customer_accounts": [
                        {"fullname": "Nancy Anderson", "Contact_Tasks": [{"subject": "Task of Nancy"}]}
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "rows of a many-to-many relationship are expanded",
        _JOIN,
        (
            _SETUP,
            Step(
                "POST",
                "new_projects({new5})/new_project_contact/$ref",
                204,
                {"@odata.id": "{root}contacts({new3})"},
            ),
            Step(
                "GET",
                "new_projects({new5})?$select=new_name&$expand=new_project_contact($select=fullname)",
                200,
                json={"new_project_contact": [{"fullname": "Nancy Anderson", "contactid": "{new3}"}]},
            ),
        ),
    ),
    _refuses(
        "an unknown navigation property is refused",
        "accounts?$select=name&$expand=primarycontact",
        code="0x80060888",
        message="primarycontact",
    ),
    _refuses(
        "levels of an expansion are not supported", "accounts?$expand=account_parent_account($levels=2)"
    ),
    _refuses("skip within an expansion is not supported", "accounts?$expand=Account_Tasks($skip=1)"),
    _refuses("more than fifteen expansions are refused", f"accounts?$select=name&$expand={_MANY}"),
]
