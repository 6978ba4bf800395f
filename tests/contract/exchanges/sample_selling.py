"""What the pages on the actions of selling show: leads, opportunities, merged accounts."""

from tests.contract.exchange import Exchange, Step, a_guid, anything, containing, error

_MERGE = "power-apps/developer/data-platform/webapi/merge-entity-using-web-api"
_QUALIFY = "dynamics365/sales/developer/qualify-lead"
_CLOSE = "dynamics365/sales/developer/close-opportunity"

_CRM = "Microsoft.Dynamics.CRM"
_ACCOUNT = f"{_CRM}.account"
_LEAD = Step(
    "POST",
    "leads",
    204,
    {
        "leadid": "{new1}",
        "subject": "Needs ten machines",
        "firstname": "Jim",
        "lastname": "Glynn",
        "companyname": "Coho Winery",
        "estimatedclosedate": "2027-01-31",
    },
)
_QUALIFIED = {"CreateAccount": True, "CreateContact": True, "CreateOpportunity": True, "Status": 3}
_ACCOUNTS = (
    Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "Stays"}),
    Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "Goes", "telephone1": "555-0111"}),
)
_OPPORTUNITY = Step(
    "POST",
    "opportunities",
    204,
    {"opportunityid": "{new3}", "name": "Ten machines", "estimatedvalue": 1000},
)


def _target(number, **values):
    return {"@odata.type": _ACCOUNT, **values} | ({"accountid": f"{{new{number}}}"} if number else {})


def _closing(status):
    activity = {"subject": "Closing", "opportunityid@odata.bind": "/opportunities({new3})"}
    return {"Status": status, "OpportunityClose": activity}


EXCHANGES = [
    Exchange(
        "a lead is qualified and makes what is asked for",
        _QUALIFY,
        (
            _LEAD,
            Step(
                "POST",
                f"leads({{new1}})/{_CRM}.QualifyLead",
                200,
                _QUALIFIED,
                json={
                    "value": containing(
                        {"accountid": a_guid}, {"contactid": a_guid}, {"opportunityid": a_guid}
                    )
                },
            ),
            Step(
                "GET",
                "leads({new1})?$select=statecode,statuscode&$expand=qualifyingopportunityid($select=name)",
                200,
                json={
                    "statecode": 1,
                    "statuscode": 3,
                    "qualifyingopportunityid": {"name": "Needs ten machines"},
                },
            ),
        ),
    ),
    Exchange(
        "the contact of a qualified lead belongs to its account",
        _QUALIFY,
        (
            _LEAD,
            Step("POST", f"leads({{new1}})/{_CRM}.QualifyLead", 200, _QUALIFIED),
            Step(
                "GET",
                "contacts?$select=lastname&$filter=_originatingleadid_value eq {new1}"
                "&$expand=parentcustomerid_account($select=name)",
                200,
                json={"value": [{"lastname": "Glynn", "parentcustomerid_account": {"name": "Coho Winery"}}]},
            ),
        ),
    ),
    Exchange(
        "a lead is qualified once",
        _QUALIFY,
        (
            _LEAD,
            Step("POST", f"leads({{new1}})/{_CRM}.QualifyLead", 200, _QUALIFIED),
            Step(
                "POST",
                f"leads({{new1}})/{_CRM}.QualifyLead",
                400,
                _QUALIFIED,
                json={"error": {"code": anything}},
            ),
        ),
    ),
    Exchange(
        "an opportunity is won by an action and keeps the activity",
        _CLOSE,
        (
            _OPPORTUNITY,
            Step("POST", "WinOpportunity", 204, _closing(3)),
            Step(
                "GET",
                "opportunities({new3})?$select=statecode,statuscode&$expand=Opportunity_OpportunityClose($select=subject)",
                200,
                json={
                    "statecode": 1,
                    "statuscode": 3,
                    "Opportunity_OpportunityClose": [{"subject": "Closing"}],
                },
            ),
        ),
    ),
    Exchange(
        "an opportunity is lost by an action with the reason",
        _CLOSE,
        (
            _OPPORTUNITY,
            Step("POST", "LoseOpportunity", 204, _closing(5)),
            Step(
                "GET",
                "opportunities({new3})?$select=statecode,statuscode",
                200,
                json={"statecode": 2, "statuscode": 5},
            ),
        ),
    ),
    Exchange(
        "an opportunity is not won by an update",
        _CLOSE,
        (
            _OPPORTUNITY,
            Step(
                "PATCH",
                "opportunities({new3})",
                400,
                {"statecode": 1, "statuscode": 3},
                json=error("0x80100005"),
            ),
        ),
    ),
    Exchange(
        "a won opportunity is opened again by an update",
        _CLOSE,
        (
            _OPPORTUNITY,
            Step("POST", "WinOpportunity", 204, _closing(3)),
            Step("PATCH", "opportunities({new3})", 204, {"statecode": 0}),
            Step(
                "GET",
                "opportunities({new3})?$select=statecode,statuscode",
                200,
                json={"statecode": 0, "statuscode": 1},
            ),
        ),
    ),
    Exchange(
        "two accounts are merged and the second is inactive",
        _MERGE,
        (
            *_ACCOUNTS,
            Step(
                "POST",
                "Merge",
                204,
                {
                    "Target": _target(1, name="Stays"),
                    "Subordinate": _target(2, name="Goes"),
                    "UpdateContent": _target(0, telephone1="555-0111"),
                    "PerformParentingChecks": False,
                },
            ),
            Step(
                "GET",
                "accounts({new1})?$select=telephone1,statecode",
                200,
                json={"telephone1": "555-0111", "statecode": 0},
            ),
            Step(
                "GET", "accounts({new2})?$select=merged,statecode", 200, json={"merged": True, "statecode": 1}
            ),
        ),
    ),
]
