"""Changes of state and status reason."""

from tests.contract.exchange import ANNOTATED, REPRESENTATION, Exchange, Step, error

_STATES = "power-apps/developer/data-platform/define-custom-state-model-transitions"
_ACCOUNT_TABLE = "power-apps/developer/data-platform/reference/entities/account"
_LEAD_TABLE = "dynamics365/developer/reference/entities/lead"
_OPPORTUNITY_TABLE = "dynamics365/developer/reference/entities/opportunity"
_UPDATE = "power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api"
_CODES = "power-apps/developer/data-platform/reference/web-service-error-codes"
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"

_ACCOUNT = Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "State"})
_LEAD = Step("POST", "leads", 204, {"leadid": "{new3}", "subject": "x", "lastname": "Lead"})
_OPPORTUNITY = Step("POST", "opportunities", 204, {"opportunityid": "{new4}", "name": "Deal"})


def _changed(name, source, row, path, change, state, status):
    """A row takes this change, and has this state and status reason then."""
    return Exchange(
        name,
        source,
        (
            row,
            Step("PATCH", path, 204, change, {"If-Match": "*"}),
            Step(
                "GET",
                f"{path}?$select=statecode,statuscode",
                200,
                json={"statecode": state, "statuscode": status},
            ),
        ),
    )


def _refused(name, row, path, change, code, state=0):
    """A row refuses this change, and stays as it is."""
    return Exchange(
        name,
        _CODES,
        (
            row,
            Step("PATCH", path, 400, change, {"If-Match": "*"}, json=error(code)),
            Step("GET", f"{path}?$select=statecode", 200, json={"statecode": state}),
        ),
    )


EXCHANGES = [
    _changed(
        "an account is deactivated with state and reason",
        _ACCOUNT_TABLE,
        _ACCOUNT,
        "accounts({new1})",
        {"statecode": 1, "statuscode": 2},
        1,
        2,
    ),
    _changed(
        "a lead is disqualified with a reason of its choice",
        _LEAD_TABLE,
        _LEAD,
        "leads({new3})",
        {"statecode": 2, "statuscode": 6},
        2,
        6,
    ),
    _changed(
        "a lead is disqualified as lost when no reason is given",
        _UPDATE,
        _LEAD,
        "leads({new3})",
        {"statecode": 2},
        2,
        4,
    ),
    _changed(
        "a status reason changes within its state",
        _LEAD_TABLE,
        _LEAD,
        "leads({new3})",
        {"statuscode": 2},
        0,
        2,
    ),
    _changed(
        "an open opportunity is put on hold",
        _OPPORTUNITY_TABLE,
        _OPPORTUNITY,
        "opportunities({new4})",
        {"statuscode": 2},
        0,
        2,
    ),
    Exchange(
        "an inactive account is active again",
        _ACCOUNT_TABLE,
        (
            _ACCOUNT,
            Step("PATCH", "accounts({new1})", 204, {"statecode": 1}),
            Step("PATCH", "accounts({new1})", 204, {"statecode": 0}),
            Step(
                "GET",
                "accounts({new1})?$select=statecode,statuscode",
                200,
                json={"statecode": 0, "statuscode": 1},
            ),
        ),
    ),
    Exchange(
        "state and status reason show the labels of their options",
        _ACCOUNT_TABLE,
        (
            _ACCOUNT,
            Step(
                "GET",
                "accounts({new1})?$select=statecode,statuscode",
                200,
                sent=ANNOTATED,
                json={f"statecode{_FORMATTED}": "Active", f"statuscode{_FORMATTED}": "Active"},
            ),
        ),
    ),
    Exchange(
        "a table of an organisation has the two states of every table",
        _STATES,
        (
            Step(
                "POST",
                "new_projects?$select=statecode,statuscode",
                201,
                {"new_projectid": "{new5}", "new_name": "x"},
                REPRESENTATION,
                json={"statecode": 0, "statuscode": 1},
            ),
            Step("PATCH", "new_projects({new5})", 204, {"statecode": 1}),
            Step(
                "GET",
                "new_projects({new5})?$select=statecode,statuscode",
                200,
                json={"statecode": 1, "statuscode": 2},
            ),
        ),
    ),
    _refused(
        "a reason of another state is refused together with the state",
        _ACCOUNT,
        "accounts({new1})",
        {"statecode": 1, "statuscode": 1},
        "0x80048408",
    ),
    _refused(
        "a reason of another state is refused alone",
        _LEAD,
        "leads({new3})",
        {"statecode": 0, "statuscode": 6},
        "0x80048408",
    ),
    _refused(
        "an opportunity that an update would win stays open",
        _OPPORTUNITY,
        "opportunities({new4})",
        {"statecode": 1, "statuscode": 3},
        "0x80100005",
    ),
    _refused(
        "an opportunity that an update would lose stays open",
        _OPPORTUNITY,
        "opportunities({new4})",
        {"statecode": 2},
        "0x80100005",
    ),
]
