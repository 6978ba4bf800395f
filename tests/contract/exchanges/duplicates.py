"""Duplicates: found by the rules that leads, accounts and contacts come with, where a request asks for it."""

from tests.contract.exchange import Exchange, Step, error

_DUPLICATES = "power-apps/developer/data-platform/webapi/manage-duplicate-detection-create-update"
_MONTE = {"firstname": "Monte", "lastname": "Orton", "emailaddress1": "monteorton@example.com"}
_DETECT = {"MSCRM.SuppressDuplicateDetection": "false"}
_SUPPRESS = {"MSCRM.SuppressDuplicateDetection": "true"}
# The page shows 500 with this code; services answer 412 with it as well.
_FOUND = error("0x80040333", "duplicate of the current record already exists")

_FIRST = Step("POST", "leads", 204, {**_MONTE, "leadid": "{new1}"})
_SECOND = Step("POST", "leads", 204, {"leadid": "{new2}", "lastname": "Somebody else"})
_ALONE = Step(
    "GET",
    "leads?$select=leadid&$filter=emailaddress1 eq 'monteorton@example.com'",
    200,
    json={"value": [{"leadid": "{new1}"}]},
)

EXCHANGES = [
    Exchange(
        "a lead with the e-mail address of another is not created where duplicates are to be found",
        _DUPLICATES,
        (_FIRST, Step("POST", "leads", 412, _MONTE, _DETECT, json=_FOUND), _ALONE),
    ),
    Exchange(
        "a lead does not take the e-mail address of another where duplicates are to be found",
        _DUPLICATES,
        (
            _FIRST,
            _SECOND,
            Step("PATCH", "leads({new2})", 412, _MONTE, {**_DETECT, "If-Match": "*"}, json=_FOUND),
            _ALONE,
        ),
    ),
    Exchange(
        "a duplicate is created where the request suppresses the search for it",
        _DUPLICATES,
        (_FIRST, Step("POST", "leads", 204, _MONTE, _SUPPRESS)),
    ),
    Exchange(
        "duplicates are not looked for unless a request asks for it",
        _DUPLICATES,
        (_FIRST, Step("POST", "leads", 204, _MONTE)),
    ),
    Exchange(
        "a row is no duplicate of itself",
        _DUPLICATES,
        (
            _FIRST,
            Step("PATCH", "leads({new1})", 204, {**_MONTE, "jobtitle": "CEO"}, {**_DETECT, "If-Match": "*"}),
        ),
    ),
]
