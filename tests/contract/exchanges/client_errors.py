"""What the page on errors of Web API clients shows: wrong names, wrong methods, wrong line ends."""

from typing import Any

from tests.contract.exchange import Exchange, Step, error, matching

_CLIENT = "troubleshoot/power-platform/dataverse/dataverse-web-api-and-sdk/web-api-client-errors"
_BATCH = "power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api"
_ACTIONS = "power-apps/developer/data-platform/webapi/use-web-api-actions"
_CRM = "Microsoft.Dynamics.CRM"
_TYPE = {"Content-Type": 'multipart/mixed; boundary="batch_AAA123"'}


def _no_segment(name: str) -> dict[str, Any]:
    # The code was 0x8006088a before it became 0x80060888.
    message = matching(f"Resource not found for the segment '{name}'")
    return {"error": {"code": matching("^0x8006088[8a]$"), "message": message}}


def _no_resource(path: str) -> dict[str, Any]:
    message = matching(f"No HTTP resource was found that matches the request URI '.*{path}'")
    return {"error": {"code": "", "message": message}}


def _batch(line_end: str, last: str) -> str:
    lines = [
        "--batch_AAA123",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "",
        "POST /api/data/v9.2/accounts HTTP/1.1",
        "Content-Type: application/json; type=entry",
        "",
        '{"accountid":"{new1}","name":"Sample Account"}',
        "--batch_AAA123--",
    ]
    return line_end.join(lines) + last


EXCHANGES = [
    Exchange(
        "the logical name of a table is no entity set",
        _CLIENT,
        (Step("GET", "account", 404, json=_no_segment("account")),),
    ),
    Exchange(
        "the schema name of a table is no entity set",
        _CLIENT,
        (Step("GET", "Account", 404, json=_no_segment("Account")),),
    ),
    Exchange(
        "an unknown function is not found",
        _CLIENT,
        (Step("GET", "WhoIsThat()", 404, json=_no_segment("WhoIsThat")),),
    ),
    Exchange(
        "an unknown action is not found",
        _CLIENT,
        (Step("POST", "CloseEverything", 404, {}, json=_no_segment("CloseEverything")),),
    ),
    Exchange(
        "the name of a function is case-sensitive",
        _CLIENT,
        (Step("GET", "whoami", 404, json=_no_segment("whoami")),),
    ),
    Exchange(
        "a function that is called by POST is no resource",
        _CLIENT,
        (Step("POST", "WhoAmI", 404, json=_no_resource("WhoAmI")),),
    ),
    Exchange(
        "an action that is called by GET is no resource",
        _CLIENT,
        (Step("GET", "WinOpportunity", 404, json=_no_resource("WinOpportunity")),),
    ),
    Exchange(
        "a property in the wrong case is not found on its type",
        _CLIENT,
        (
            Step(
                "GET",
                "accounts?$select=Name",
                400,
                json={
                    "error": {
                        "message": f"Could not find a property named 'Name' on type '{_CRM}.account'.",
                    }
                },
            ),
        ),
    ),
    Exchange(
        "a bind to the logical name of a customer lookup tells of an undeclared property",
        _CLIENT,
        (
            Step("POST", "accounts", 204, {"accountid": "{new1}", "name": "A"}),
            Step(
                "POST",
                "contacts",
                400,
                {"lastname": "contact", "parentcustomerid@odata.bind": "accounts({new1})"},
                json=error("0x80048d19", "undeclared property 'parentcustomerid'"),
            ),
        ),
    ),
    Exchange(
        "a batch with line ends of another kind is refused",
        _CLIENT,
        (
            Step("POST", "$batch", 400, _batch("\n", "\n"), _TYPE),
            Step("GET", "accounts({new1})", 404),
        ),
    ),
    Exchange(
        "a batch whose last line has no line end is refused",
        _CLIENT,
        (
            Step("POST", "$batch", 400, _batch("\r\n", ""), _TYPE),
            Step("GET", "accounts({new1})", 404),
        ),
    ),
    Exchange(
        "the error of a text that is too long tells column, table and length",
        _BATCH,
        (
            Step(
                "POST",
                "tasks",
                400,
                {"subject": "x" * 201},
                json=error(
                    "0x80044331",
                    r"A validation error occurred\. +The length of the 'subject' attribute "
                    "of the 'task' entity exceeded the maximum allowed length of '200'",
                ),
            ),
        ),
    ),
    Exchange(
        "a member of a team without its type lacks its key",
        _ACTIONS,
        (
            Step("GET", "WhoAmI", 200, capture={"me": "UserId", "unit": "BusinessUnitId"}),
            Step(
                "POST",
                "teams",
                204,
                {"teamid": "{new1}", "name": "T", "businessunitid@odata.bind": "/businessunits({unit})"},
            ),
            Step(
                "POST",
                f"teams({{new1}})/{_CRM}.AddMembersTeam",
                400,
                {"Members": [{"ownerid": "{me}"}]},
                json={"error": {"message": matching(".")}},
            ),
        ),
    ),
]
