"""Leads that are qualified: what is made, what the lead keeps, and what is refused."""

from typing import Any

from tests.contract.exchange import Exchange, Step, a_guid, anything, counting, error

_QUALIFY = "power-apps/developer/data-platform/webapi/reference/qualifylead"
_PROCESS = "dynamics365/sales/developer/qualify-lead"
_CLIENT = "troubleshoot/power-platform/dataverse/dataverse-web-api-and-sdk/web-api-client-errors"
_CRM = "Microsoft.Dynamics.CRM"
_LEAD = Step(
    "POST",
    "leads",
    204,
    {
        "leadid": "{new1}",
        "subject": "Ten machines",
        "firstname": "Jim",
        "lastname": "Glynn",
        "companyname": "Coho Winery",
        "jobtitle": "Owner",
        "emailaddress1": "jim@cohowinery.example",
    },
)


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


def _qualify(
    status: int,
    *,
    account: bool = False,
    contact: bool = False,
    opportunity: bool = False,
    expected: Any = None,
    **more: Any,
) -> Step:
    body = {"CreateAccount": account, "CreateContact": contact, "CreateOpportunity": opportunity}
    body |= {"Status": 3, **more}
    return Step("POST", f"leads({{new1}})/{_CRM}.QualifyLead", status, body, json=expected)


_OF_LEAD = "$filter=_originatingleadid_value eq {new1}"

EXCHANGES = [
    Exchange(
        "a lead is qualified without making any row",
        _QUALIFY,
        (
            _LEAD,
            _qualify(200, expected={"value": []}),
            _row("leads({new1})?$select=statecode,statuscode", statecode=1, statuscode=3),
            _row(f"accounts?$select=name&{_OF_LEAD}", value=[]),
        ),
    ),
    Exchange(
        "only the contact is made from a lead when only that is asked for",
        _QUALIFY,
        (
            _LEAD,
            _qualify(200, contact=True, expected={"value": [{"contactid": a_guid}]}),
            _row(f"contacts?$select=lastname&{_OF_LEAD}", value=counting(1)),
            _row(f"accounts?$select=name&{_OF_LEAD}", value=[]),
            _row(f"opportunities?$select=name&{_OF_LEAD}", value=[]),
        ),
    ),
    Exchange(
        "the rows of a qualified lead take over its values",
        _PROCESS,
        (
            _LEAD,
            _qualify(200, account=True, contact=True, opportunity=True),
            _row(f"accounts?$select=name&{_OF_LEAD}", value=[{"name": "Coho Winery"}]),
            _row(
                f"contacts?$select=firstname,lastname,jobtitle,emailaddress1&{_OF_LEAD}",
                value=[
                    {
                        "firstname": "Jim",
                        "lastname": "Glynn",
                        "jobtitle": "Owner",
                        "emailaddress1": "jim@cohowinery.example",
                    }
                ],
            ),
            _row(f"opportunities?$select=name&{_OF_LEAD}", value=[{"name": "Ten machines"}]),
        ),
    ),
    Exchange(
        "the opportunity of a lead belongs to the customer that the call names",
        _QUALIFY,
        (
            _LEAD,
            Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "Customer"}),
            _qualify(
                200,
                opportunity=True,
                OpportunityCustomerId={"accountid": "{new2}", "@odata.type": f"{_CRM}.account"},
            ),
            _row(
                f"opportunities?$select=name,_customerid_value&{_OF_LEAD}",
                value=[{"_customerid_value": "{new2}"}],
            ),
        ),
    ),
    Exchange(
        "a lead is not qualified with the status of a disqualified one",
        _QUALIFY,
        (
            _LEAD,
            _qualify(400, contact=True, Status=4, expected={"error": {"code": anything}}),
            _row("leads({new1})?$select=statecode", statecode=0),
            _row(f"contacts?$select=lastname&{_OF_LEAD}", value=[]),
        ),
    ),
    Exchange(
        "a lead that does not exist is not qualified",
        _QUALIFY,
        (_qualify(404, expected=error("0x80040217")),),
    ),
    Exchange(
        "an action that is bound to leads is not one of accounts",
        _CLIENT,
        (
            Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "A"}),
            Step("POST", f"accounts({{new2}})/{_CRM}.QualifyLead", 404, {"Status": 3}),
        ),
    ),
]
