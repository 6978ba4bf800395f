"""Annotations, preferences and the headers of answers."""

from tests.contract.exchange import (
    ANNOTATED,
    REPRESENTATION,
    Exchange,
    Step,
    a_guid,
    absent,
    anything,
    error,
    matching,
)

_COMPOSE = "power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors"
_PREFER = "power-apps/developer/data-platform/webapi/request-headers"
_SELECT = "power-apps/developer/data-platform/webapi/query/select-columns"
_ONE = "power-apps/developer/data-platform/webapi/retrieve-entity-using-web-api"
_COUNT = "power-apps/developer/data-platform/webapi/query/count-rows"

_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_LOGICAL = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_NAVIGATION = "@Microsoft.Dynamics.CRM.associatednavigationproperty"

_CONTACT = Step(
    "POST",
    "contacts",
    204,
    {"contactid": "{new2}", "firstname": "Nancy", "lastname": "Anderson", "donotphone": True},
)
_ACCOUNT = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Fourth Coffee",
        "revenue": 50000,
        "accountcategorycode": 1,
        "primarycontactid@odata.bind": "/contacts({new2})",
    },
)

EXCHANGES = [
    Exchange(
        "every answer says the version of OData",
        _COMPOSE,
        (
            Step("GET", "WhoAmI", 200, headers={"OData-Version": "4.0"}),
            Step("GET", "accounts({new1})", 404, headers={"OData-Version": "4.0"}),
        ),
    ),
    Exchange(
        "an error is an object with a code and a message",
        _COMPOSE,
        (Step("GET", "nothings", 404, json=error("0x80060888", "segment 'nothings'")),),
    ),
    Exchange(
        "an answer in JSON names its metadata level",
        _COMPOSE,
        (
            Step(
                "GET",
                "WhoAmI",
                200,
                headers={"Content-Type": matching("^application/json; odata.metadata=minimal")},
            ),
        ),
    ),
    Exchange(
        "annotations do not come unless they are asked for",
        _SELECT,
        (
            _CONTACT,
            _ACCOUNT,
            Step(
                "GET",
                "accounts({new1})?$select=revenue,_primarycontactid_value",
                200,
                json={
                    f"revenue{_FORMATTED}": absent,
                    "_primarycontactid_value": "{new2}",
                    f"_primarycontactid_value{_LOGICAL}": absent,
                },
                headers={"Preference-Applied": None},
            ),
        ),
    ),
    Exchange(
        "formatted values come when they are asked for alone",
        _SELECT,
        (
            _CONTACT,
            _ACCOUNT,
            Step(
                "GET",
                "accounts({new1})?$select=accountcategorycode,_primarycontactid_value",
                200,
                sent={"Prefer": 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'},
                json={
                    "accountcategorycode": 1,
                    f"accountcategorycode{_FORMATTED}": "Preferred Customer",
                    f"_primarycontactid_value{_FORMATTED}": "Nancy Anderson",
                    f"_primarycontactid_value{_LOGICAL}": absent,
                },
                headers={
                    "Preference-Applied": matching(
                        'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
                    )
                },
            ),
        ),
    ),
    Exchange(
        "a lookup tells its table and navigation property",
        _ONE,
        (
            _CONTACT,
            _ACCOUNT,
            Step(
                "GET",
                "accounts({new1})?$select=_primarycontactid_value",
                200,
                sent=ANNOTATED,
                json={
                    "_primarycontactid_value": "{new2}",
                    f"_primarycontactid_value{_LOGICAL}": "contact",
                    f"_primarycontactid_value{_NAVIGATION}": "primarycontactid",
                },
            ),
        ),
    ),
    Exchange(
        "annotations are asked for by a wildcard of their namespace",
        _PREFER,
        (
            _CONTACT,
            _ACCOUNT,
            Step(
                "GET",
                "accounts({new1})?$select=_primarycontactid_value",
                200,
                sent={"Prefer": 'odata.include-annotations="Microsoft.Dynamics.CRM.*"'},
                json={
                    f"_primarycontactid_value{_LOGICAL}": "contact",
                    f"_primarycontactid_value{_FORMATTED}": absent,
                },
            ),
        ),
    ),
    Exchange(
        "money is formatted with the symbol of its currency",
        _SELECT,
        (
            _CONTACT,
            _ACCOUNT,
            Step(
                "GET",
                "accounts({new1})?$select=revenue",
                200,
                sent=ANNOTATED,
                json={"revenue": 50000, f"revenue{_FORMATTED}": "$50,000.00"},
            ),
        ),
    ),
    Exchange(
        "a Boolean is formatted with the label of its option",
        _SELECT,
        (
            _CONTACT,
            Step(
                "GET",
                "contacts({new2})?$select=donotphone",
                200,
                sent=ANNOTATED,
                json={"donotphone": True, f"donotphone{_FORMATTED}": anything},
            ),
        ),
    ),
    Exchange(
        "two preferences in one header are both applied",
        _PREFER,
        (
            Step(
                "POST",
                "accounts?$select=name,accountcategorycode",
                201,
                {"name": "Both", "accountcategorycode": 1},
                {"Prefer": 'return=representation,odata.include-annotations="*"'},
                json={"name": "Both", f"accountcategorycode{_FORMATTED}": "Preferred Customer"},
                headers={"Preference-Applied": matching("return=representation")},
            ),
        ),
    ),
    Exchange(
        "every row carries its ETag and its key",
        _ONE,
        (
            _CONTACT,
            Step(
                "GET",
                "contacts({new2})?$select=lastname",
                200,
                json={
                    "@odata.context": "{root}$metadata#contacts(lastname)/$entity",
                    "@odata.etag": matching(r'^W/"\d+"$'),
                    "contactid": "{new2}",
                    "lastname": "Anderson",
                    "firstname": absent,
                },
            ),
        ),
    ),
    Exchange(
        "a row without select shows columns that have no value",
        _SELECT,
        (
            _CONTACT,
            Step(
                "GET",
                "contacts({new2})",
                200,
                json={"jobtitle": None, "_parentcustomerid_value": None, "_ownerid_value": a_guid},
            ),
        ),
    ),
    Exchange(
        "computed columns of the system are read only and present",
        _SELECT,
        (
            _CONTACT,
            Step(
                "GET",
                "contacts({new2})?$select=fullname,createdon,modifiedon,versionnumber,_createdby_value",
                200,
                json={
                    "fullname": "Nancy Anderson",
                    "createdon": matching(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"),
                    "modifiedon": matching("Z$"),
                    "versionnumber": anything,
                    "_createdby_value": a_guid,
                },
            ),
        ),
    ),
    Exchange(
        "a column that does not exist cannot be selected",
        _SELECT,
        (
            Step(
                "GET",
                "accounts?$select=nothing",
                400,
                json=error("0x80060888", "Could not find a property named 'nothing' on type"),
            ),
        ),
    ),
    Exchange(
        "names of columns are case-sensitive in select",
        _SELECT,
        (Step("GET", "accounts?$select=Name", 400, json=error("0x80060888", "'Name'")),),
    ),
    Exchange(
        "names of entity sets are case-sensitive",
        _COMPOSE,
        (Step("GET", "Accounts", 404, json={"error": {"code": anything}}),),
    ),
    Exchange(
        "the count of a set is plain text",
        _COUNT,
        (
            Step(
                "GET",
                "accounts/$count",
                200,
                text=matching(r"^\ufeff?\d+$"),
                headers={"Content-Type": matching("^text/plain")},
            ),
        ),
    ),
    Exchange(
        "the total is in the annotations when it is counted",
        _COUNT,
        (
            _CONTACT,
            Step(
                "GET",
                "contacts?$select=lastname&$count=true&$filter=contactid eq {new2}",
                200,
                sent=ANNOTATED,
                json={
                    "@odata.count": 1,
                    "@Microsoft.Dynamics.CRM.totalrecordcount": 1,
                    "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded": False,
                },
            ),
        ),
    ),
    Exchange(
        "a representation after an update shows the selected columns",
        _PREFER,
        (
            _CONTACT,
            Step(
                "PATCH",
                "contacts({new2})?$select=jobtitle",
                200,
                {"jobtitle": "Purchasing Manager"},
                REPRESENTATION,
                json={"jobtitle": "Purchasing Manager", "lastname": absent},
                headers={"Preference-Applied": "return=representation"},
            ),
        ),
    ),
]
