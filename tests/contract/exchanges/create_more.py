"""Creates with relations, keys of their own, amounts, choices and representations."""

from tests.contract.exchange import (
    ANNOTATED,
    REPRESENTATION,
    Exchange,
    Step,
    a_guid,
    absent,
    counting,
    error,
    matching,
)

_CREATE = "power-apps/developer/data-platform/webapi/create-entity-web-api"
_CODES = "power-apps/developer/data-platform/reference/web-service-error-codes"
_KEYS = "power-apps/developer/data-platform/use-alternate-key-reference-record"
_COLUMNS = "power-apps/developer/data-platform/reference/entities/account"
_CURRENCY = "power-apps/developer/data-platform/transaction-currency-currency-entity"
_CHOICES = "power-apps/developer/data-platform/multi-select-picklist"
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"

_CONTACT = Step("POST", "contacts", 204, {"contactid": "{new2}", "firstname": "Yvonne", "lastname": "McKay"})
_TASKS = (
    Step("POST", "tasks", 204, {"activityid": "{new3}", "subject": "Task 1"}),
    Step("POST", "tasks", 204, {"activityid": "{new4}", "subject": "Task 2"}),
)
_PROJECT = Step("POST", "new_projects", 204, {"new_projectid": "{new5}", "new_name": "P", "new_code": "C-1"})
_CURRENCY_ROW = Step(
    "POST",
    "transactioncurrencies",
    204,
    {
        "transactioncurrencyid": "{new6}",
        "currencyname": "Test Crown",
        "isocurrencycode": "XTS",
        "currencysymbol": "T",
        "currencyprecision": 2,
        "exchangerate": 2,
    },
)


def _bound(name, reference):
    """A new account takes its primary contact from this reference."""
    return Exchange(
        name,
        _CREATE,
        (
            _CONTACT,
            Step(
                "POST",
                "accounts",
                204,
                {"accountid": "{new1}", "name": "Bound", "primarycontactid@odata.bind": reference},
            ),
            Step(
                "GET",
                "accounts({new1})?$select=_primarycontactid_value",
                200,
                json={"_primarycontactid_value": "{new2}"},
            ),
        ),
    )


def _answered(name, source, path, body, answer, before=()):
    """A create that asks for the row answers this."""
    return Exchange(name, source, (*before, Step("POST", path, 201, body, REPRESENTATION, json=answer)))


EXCHANGES = [
    Exchange(
        "a deep insert makes rows through three tables",
        _CREATE,
        (
            Step(
                "POST",
                "accounts",
                204,
                {
                    "accountid": "{new1}",
                    "name": "Sample Account",
                    "primarycontactid": {"firstname": "John", "lastname": "Smith"},
                    "opportunity_customer_accounts": [
                        {
                            "opportunityid": "{new2}",
                            "name": "Opportunity associated to Sample Account",
                            "Opportunity_Tasks": [{"subject": "Task associated to opportunity"}],
                        }
                    ],
                },
                headers={"OData-EntityId": "{root}accounts({new1})"},
            ),
            Step(
                "GET",
                "opportunities({new2})?$select=name,_customerid_value&$expand=Opportunity_Tasks($select=subject)",
                200,
                json={
                    "_customerid_value": "{new1}",
                    "Opportunity_Tasks": [{"subject": "Task associated to opportunity"}],
                },
            ),
            Step(
                "GET", "accounts({new1})/primarycontactid?$select=lastname", 200, json={"lastname": "Smith"}
            ),
        ),
    ),
    Exchange(
        "a deep insert is made whole or not at all",
        _CREATE,
        (
            Step(
                "POST",
                "accounts",
                400,
                {
                    "accountid": "{new1}",
                    "name": "Whole",
                    "Account_Tasks": [{"activityid": "{new2}", "subject": "fits"}, {"subject": "x" * 201}],
                },
            ),
            Step("GET", "accounts({new1})", 404),
            Step("GET", "tasks({new2})", 404),
        ),
    ),
    Exchange(
        "existing rows are taken into a collection when a row is created",
        _CREATE,
        (
            _CONTACT,
            *_TASKS,
            Step(
                "POST",
                "accounts?$select=name&$expand=primarycontactid($select=fullname),Account_Tasks($select=subject)",
                201,
                {
                    "name": "Sample Account",
                    "primarycontactid@odata.bind": "/contacts({new2})",
                    "Account_Tasks@odata.bind": ["/tasks({new3})", "/tasks({new4})"],
                },
                REPRESENTATION,
                json={
                    "@odata.etag": matching(r'^W/"\d+"$'),
                    "name": "Sample Account",
                    "accountid": a_guid,
                    "primarycontactid": {"fullname": "Yvonne McKay", "contactid": "{new2}"},
                    "Account_Tasks": counting(2),
                },
                capture={"made": "accountid"},
            ),
            Step(
                "GET",
                "tasks({new3})?$select=_regardingobjectid_value",
                200,
                json={"_regardingobjectid_value": "{made}"},
            ),
        ),
    ),
    _bound("a lookup is bound by a path that begins with a slash", "/contacts({new2})"),
    _bound("a lookup is bound by a path without a slash", "contacts({new2})"),
    _bound("a lookup is bound by the whole address", "{root}contacts({new2})"),
    _bound("a lookup is bound by a path that names the key column", "/contacts(contactid={new2})"),
    _answered(
        "rows are taken into a collection by their alternate key",
        _KEYS,
        "accounts?$select=name&$expand=new_account_new_project($select=new_name)",
        {"name": "x", "new_account_new_project@odata.bind": ["/new_projects(new_code='C-1')"]},
        {"new_account_new_project": [{"new_name": "P", "new_projectid": "{new5}"}]},
        before=(_PROJECT,),
    ),
    Exchange(
        "a row is not bound by an alternate key that no row has",
        _KEYS,
        (
            Step(
                "POST",
                "accounts",
                404,
                {
                    "accountid": "{new1}",
                    "new_account_new_project@odata.bind": ["/new_projects(new_code='nobody')"],
                },
                json=error("0x80060891"),
            ),
            Step("GET", "accounts({new1})", 404),
        ),
    ),
    _answered(
        "a lookup bound to null at create stays empty",
        _CREATE,
        "accounts?$select=name,_primarycontactid_value",
        {"name": "Alone", "primarycontactid@odata.bind": None},
        {"_primarycontactid_value": None},
    ),
    Exchange(
        "the name of a navigation property is case-sensitive when it is bound",
        _CREATE,
        (
            _CONTACT,
            Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "A"}),
            Step(
                "POST",
                "new_projects",
                400,
                {"new_name": "x", "new_accountid@odata.bind": "/accounts({new1})"},
                json=error("0x80048d19"),
            ),
            Step(
                "POST",
                "new_projects",
                204,
                {"new_name": "x", "new_AccountId@odata.bind": "/accounts({new1})"},
            ),
        ),
    ),
    Exchange(
        "the address of a created row has the key that the client chose",
        _CREATE,
        (
            Step(
                "POST",
                "contacts",
                204,
                {"contactid": "{new7}", "lastname": "Keyed"},
                headers={"OData-EntityId": "{root}contacts({new7})"},
            ),
        ),
    ),
    Exchange(
        "a create with a taken key does not change the row that has it",
        _CODES,
        (
            Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "First"}),
            Step(
                "POST",
                "accounts",
                412,
                {"accountid": "{new1}", "name": "Second"},
                json=error("0x80040237"),
            ),
            Step("GET", "accounts({new1})?$select=name", 200, json={"name": "First"}),
        ),
    ),
    Exchange(
        "a create with its data answers no address in a header",
        _CREATE,
        (
            Step(
                "POST",
                "accounts?$select=name",
                201,
                {"name": "Sample"},
                REPRESENTATION,
                headers={"OData-EntityId": None, "Preference-Applied": "return=representation"},
            ),
        ),
    ),
    _answered(
        "a create with its data and no selection answers every column",
        _CREATE,
        "accounts",
        {"accountid": "{new1}", "name": "Whole row"},
        {
            "@odata.context": "{root}$metadata#accounts/$entity",
            "accountid": "{new1}",
            "name": "Whole row",
            "revenue": None,
            "statecode": 0,
            "statuscode": 1,
            "_ownerid_value": a_guid,
        },
    ),
    Exchange(
        "the data of a created row carries formatted values when both are preferred",
        _CREATE,
        (
            Step(
                "POST",
                "accounts?$select=name,industrycode",
                201,
                {"name": "x", "industrycode": 1},
                {"Prefer": 'return=representation,odata.include-annotations="*"'},
                json={"industrycode": 1, f"industrycode{_FORMATTED}": "Accounting"},
                headers={"Preference-Applied": matching("return=representation")},
            ),
        ),
    ),
    Exchange(
        "an amount is read together with its currency",
        "power-apps/developer/data-platform/webapi/retrieve-entity-using-web-api",
        (
            Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "x", "revenue": 10000}),
            Step(
                "GET",
                "accounts({new1})?$select=name,revenue",
                200,
                json={"revenue": 10000, "_transactioncurrencyid_value": a_guid},
            ),
        ),
    ),
    _answered(
        "an amount in another currency has its base amount by the exchange rate",
        _CURRENCY,
        "accounts?$select=revenue,revenue_base,exchangerate,_transactioncurrencyid_value",
        {"name": "x", "revenue": 100, "transactioncurrencyid@odata.bind": "/transactioncurrencies({new6})"},
        {"revenue": 100, "revenue_base": 50, "exchangerate": 2, "_transactioncurrencyid_value": "{new6}"},
        before=(_CURRENCY_ROW,),
    ),
    _answered(
        "an amount without a value has no base amount",
        _CURRENCY,
        "accounts?$select=revenue,revenue_base",
        {"name": "x"},
        {"revenue": None, "revenue_base": None},
    ),
    _answered(
        "a base amount in the body is left aside",
        _COLUMNS,
        "accounts?$select=revenue,revenue_base",
        {"name": "x", "revenue": 100, "revenue_base": 7},
        {"revenue": 100, "revenue_base": 100},
    ),
    Exchange(
        "a choice keeps its number and shows its label",
        _CREATE,
        (
            Step(
                "POST",
                "accounts",
                204,
                {"accountid": "{new1}", "name": "x", "accountcategorycode": 2, "creditonhold": True},
            ),
            Step(
                "GET",
                "accounts({new1})?$select=accountcategorycode,creditonhold",
                200,
                sent=ANNOTATED,
                json={
                    "accountcategorycode": 2,
                    f"accountcategorycode{_FORMATTED}": "Standard",
                    "creditonhold": True,
                    f"creditonhold{_FORMATTED}": "Yes",
                },
            ),
        ),
    ),
    Exchange(
        "labels of several choices are parted by semicolons",
        _CHOICES,
        (
            Step(
                "POST", "new_projects", 204, {"new_projectid": "{new5}", "new_name": "x", "new_tags": "1,9"}
            ),
            Step(
                "GET",
                "new_projects({new5})?$select=new_tags",
                200,
                sent=ANNOTATED,
                json={"new_tags": "1,9", f"new_tags{_FORMATTED}": "Urgent; Strategic"},
            ),
        ),
    ),
    _answered(
        "a text of exactly the longest length is taken",
        _COLUMNS,
        "accounts?$select=name",
        {"name": "x" * 160},
        {"name": "x" * 160},
    ),
    _answered(
        "a column set to null is empty",
        _CREATE,
        "accounts?$select=telephone1,revenue",
        {"name": "x", "telephone1": None, "revenue": None},
        {"telephone1": None, "revenue": None, "name": absent},
    ),
    Exchange(
        "a created row knows who made it and when",
        _COLUMNS,
        (
            Step("GET", "WhoAmI", 200, capture={"me": "UserId"}),
            Step(
                "POST",
                "accounts?$select=createdon,modifiedon,_createdby_value,_modifiedby_value,_ownerid_value",
                201,
                {"name": "x", "createdon": "2001-01-01T00:00:00Z"},
                REPRESENTATION,
                json={
                    "createdon": "2026-11-23T09:30:00Z",
                    "modifiedon": "2026-11-23T09:30:00Z",
                    "_createdby_value": "{me}",
                    "_modifiedby_value": "{me}",
                    "_ownerid_value": "{me}",
                },
            ),
        ),
    ),
]
