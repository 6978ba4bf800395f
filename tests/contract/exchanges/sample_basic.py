"""What the sample of basic operations shows: single rows, related rows, links."""

from tests.contract.exchange import (
    ANNOTATED,
    REPRESENTATION,
    Exchange,
    Step,
    a_guid,
    absent,
    containing,
    counting,
    matching,
)

_SAMPLE = "power-apps/developer/data-platform/webapi/web-api-basic-operations-sample"
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"

_RAFEL = Step(
    "POST",
    "contacts",
    204,
    {"firstname": "Rafel", "lastname": "Shillo"},
    headers={"OData-EntityId": matching(r"/contacts\([0-9a-f-]+\)$")},
    capture={"rafel": "OData-EntityId"},
)
_RAFEL_PATH = Step("GET", "{rafel}?$select=contactid", 200, capture={"rafel_id": "contactid"})
_CONTOSO = Step(
    "POST",
    "accounts",
    204,
    {
        "name": "Contoso Sample",
        "telephone1": "555-5555",
        "primarycontactid@odata.bind": "{rafel}",
    },
    capture={"contoso": "OData-EntityId"},
)
_DEEP = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Fourth Coffee",
        "primarycontactid": {
            "contactid": "{new2}",
            "firstname": "Susie",
            "lastname": "Curtis",
            "jobtitle": "Coffee Master",
            "annualincome": 48000,
            "Contact_Tasks": [
                {"subject": "Sign invoice", "scheduledend": "2026-04-19T15:00:00Z"},
                {"subject": "Setup new display", "description": "Theme is - Spring is in the air"},
                {"subject": "Conduct training", "description": "Train team on making our new blended coffee"},
            ],
        },
    },
)  # fmt: skip

EXCHANGES = [
    Exchange(
        "a contact is created with two columns",
        _SAMPLE,
        (
            _RAFEL,
            Step(
                "GET",
                "{rafel}?$select=fullname,annualincome,jobtitle,description",
                200,
                json={
                    "fullname": "Rafel Shillo",
                    "annualincome": None,
                    "jobtitle": None,
                    "description": None,
                },
            ),
        ),
    ),
    Exchange(
        "columns are added to a contact, and read with formatted values",
        _SAMPLE,
        (
            _RAFEL,
            Step("PATCH", "{rafel}", 204, {"annualincome": 80000, "jobtitle": "Junior Developer"}),
            Step(
                "GET",
                "{rafel}?$select=fullname,annualincome,jobtitle",
                200,
                sent=ANNOTATED,
                json={
                    "fullname": "Rafel Shillo",
                    "annualincome": 80000,
                    f"annualincome{_FORMATTED}": "$80,000.00",
                    "jobtitle": "Junior Developer",
                },
            ),
        ),
    ),
    Exchange(
        "an update changes only the columns that it names",
        _SAMPLE,
        (
            _RAFEL,
            Step("PATCH", "{rafel}", 204, {"annualincome": 80000, "jobtitle": "Junior Developer"}),
            Step(
                "PATCH",
                "{rafel}",
                204,
                {
                    "jobtitle": "Senior Developer",
                    "annualincome": 95000,
                    "description": "Assignment to-be-determined",
                },
            ),
            Step(
                "GET",
                "{rafel}?$select=firstname,jobtitle,annualincome",
                200,
                json={"firstname": "Rafel", "jobtitle": "Senior Developer", "annualincome": 95000},
            ),
        ),
    ),
    Exchange(
        "a single column is set by PUT and read as a value",
        _SAMPLE,
        (
            _RAFEL,
            Step("PUT", "{rafel}/telephone1", 204, {"value": "555-0105"}),
            Step(
                "GET",
                "{rafel}/telephone1",
                200,
                json={"@odata.context": matching(r"/telephone1$"), "value": "555-0105"},
            ),
        ),
    ),
    Exchange(
        "an account is created with a contact that exists",
        _SAMPLE,
        (
            _RAFEL,
            _CONTOSO,
            Step(
                "GET",
                "{contoso}?$select=name&$expand=primarycontactid($select=fullname,jobtitle,annualincome)",
                200,
                json={
                    "name": "Contoso Sample",
                    "primarycontactid": {"fullname": "Rafel Shillo", "contactid": a_guid},
                },
            ),
        ),
    ),
    Exchange(
        "an account is created with a new contact and its tasks at once",
        _SAMPLE,
        (
            _DEEP,
            Step(
                "GET",
                "accounts({new1})?$select=name&$expand=primarycontactid($select=fullname,jobtitle)",
                200,
                json={
                    "name": "Fourth Coffee",
                    "primarycontactid": {"fullname": "Susie Curtis", "jobtitle": "Coffee Master"},
                },
            ),
        ),
    ),
    Exchange(
        "the tasks of a deep insert belong to the contact",
        _SAMPLE,
        (
            _DEEP,
            Step(
                "GET",
                "contacts({new2})?$select=fullname&$expand=Contact_Tasks($select=subject,scheduledend)",
                200,
                json={
                    "Contact_Tasks": containing(
                        {"subject": "Sign invoice", "scheduledend": "2026-04-19T15:00:00Z"},
                        {"subject": "Setup new display", "scheduledend": None},
                    )
                },
            ),
            Step("GET", "contacts({new2})/Contact_Tasks?$select=subject", 200, json={"value": counting(3)}),
        ),
    ),
    Exchange(
        "a related row is read by the navigation property in the address",
        _SAMPLE,
        (
            _DEEP,
            Step(
                "GET",
                "accounts({new1})/primarycontactid?$select=fullname",
                200,
                json={"fullname": "Susie Curtis", "contactid": "{new2}"},
            ),
        ),
    ),
    Exchange(
        "a contact is associated with an account by a reference",
        _SAMPLE,
        (
            _RAFEL,
            _DEEP,
            Step("POST", "accounts({new1})/contact_customer_accounts/$ref", 204, {"@odata.id": "{rafel}"}),
            Step(
                "GET",
                "accounts({new1})/contact_customer_accounts?$select=fullname",
                200,
                json={"value": [{"fullname": "Rafel Shillo"}]},
            ),
        ),
    ),
    Exchange(
        "a contact is disassociated by the reference in the query",
        _SAMPLE,
        (
            _RAFEL,
            _DEEP,
            Step("POST", "accounts({new1})/contact_customer_accounts/$ref", 204, {"@odata.id": "{rafel}"}),
            Step("DELETE", "accounts({new1})/contact_customer_accounts/$ref?$id={rafel}", 204),
            Step("GET", "accounts({new1})/contact_customer_accounts", 200, json={"value": counting(0)}),
            Step("GET", "{rafel}?$select=lastname", 200, json={"lastname": "Shillo"}),
        ),
    ),
    Exchange(
        "a contact is disassociated by its key in the address",
        _SAMPLE,
        (
            _RAFEL,
            _RAFEL_PATH,
            _DEEP,
            Step("POST", "accounts({new1})/contact_customer_accounts/$ref", 204, {"@odata.id": "{rafel}"}),
            Step("DELETE", "accounts({new1})/contact_customer_accounts({rafel_id})/$ref", 204),
            Step("GET", "accounts({new1})/contact_customer_accounts", 200, json={"value": counting(0)}),
        ),
    ),
    Exchange(
        "a many-to-many link is made and removed",
        _SAMPLE,
        (
            Step("POST", "new_projects", 204, {"new_projectid": "{new3}", "new_name": "Launch"}),
            _RAFEL,
            Step("POST", "new_projects({new3})/new_project_contact/$ref", 204, {"@odata.id": "{rafel}"}),
            Step(
                "GET",
                "new_projects({new3})?$select=new_name&$expand=new_project_contact($select=lastname)",
                200,
                json={"new_project_contact": [{"lastname": "Shillo"}]},
            ),
            Step("DELETE", "new_projects({new3})/new_project_contact/$ref?$id={rafel}", 204),
            Step("GET", "new_projects({new3})/new_project_contact", 200, json={"value": counting(0)}),
        ),
    ),
    Exchange(
        "a row that was deleted is not found",
        _SAMPLE,
        (_RAFEL, Step("DELETE", "{rafel}", 204), Step("GET", "{rafel}", 404)),
    ),
    Exchange(
        "a new row with its related rows is answered when it is asked for",
        "power-apps/developer/data-platform/webapi/create-entity-web-api",
        (
            Step(
                "POST",
                "accounts?$select=name&$expand=primarycontactid($select=lastname)",
                201,
                {"name": "Deep", "primarycontactid": {"lastname": "Inserted"}},
                REPRESENTATION,
                json={
                    "name": "Deep",
                    "primarycontactid": {"lastname": "Inserted", "firstname": absent},
                },
            ),
        ),
    ),
]
