"""Aggregation with ``$apply``."""

from typing import Any

from tests.contract.exchange import Exchange, Step, absent, anything, containing, counting, matching

_PAGE = "power-apps/developer/data-platform/webapi/query/aggregate-data"
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_FORMAT = {"Prefer": 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'}

_SETUP = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Holding",
        "account_parent_account": [
            {
                "name": "A",
                "revenue": 100000,
                "numberofemployees": 10,
                "accountcategorycode": 1,
                "address1_stateorprovince": "WA",
                "primarycontactid": {"firstname": "Rene", "lastname": "Valdes"},
            },
            {
                "name": "B",
                "revenue": 50000,
                "numberofemployees": 20,
                "accountcategorycode": 1,
                "address1_stateorprovince": "WA",
                "primarycontactid": {"firstname": "Robert", "lastname": "Lyon"},
            },
            {"accountid": "{new2}", "name": "C", "revenue": 10000, "accountcategorycode": 2},
            {"name": "D"},
        ],
    },
)
_DEACTIVATE = Step("PATCH", "accounts({new2})", 204, {"statecode": 1, "statuscode": 2})
_PATH = "accounts?$apply=filter(_parentaccountid_value eq {new1})/"


def _gives(name: str, apply: str, value: Any, sent: dict[str, str] | None = None) -> Exchange:
    """An exchange in which a transformation of the four companies gives these groups."""
    asked = Step("GET", _PATH + apply, 200, sent=sent or {}, json={"value": value})
    return Exchange(name, _PAGE, (_SETUP, _DEACTIVATE, asked))


EXCHANGES = [
    _gives(
        "a group by one column gives its distinct values",
        "groupby((statuscode))",
        containing({"statuscode": 1}, {"statuscode": 2}),
    ),
    _gives("each distinct value comes once", "groupby((statuscode))", counting(2)),
    _gives(
        "the choices of groups are formatted as their labels",
        "groupby((statuscode))",
        containing(
            {"statuscode": 1, f"statuscode{_FORMATTED}": "Active"},
            {"statuscode": 2, f"statuscode{_FORMATTED}": "Inactive"},
        ),
        _FORMAT,
    ),
    _gives(
        "the rows of each group are counted",
        "groupby((statuscode),aggregate($count as count))",
        containing({"statuscode": 1, "count": 3}, {"statuscode": 2, "count": 1}),
    ),
    _gives(
        "a count is formatted too",
        "groupby((statuscode),aggregate($count as count))",
        containing({"statuscode": 1, "count": 3, f"count{_FORMATTED}": "3"}),
        _FORMAT,
    ),
    _gives(
        "a sum leaves out rows without a value", "aggregate(revenue with sum as total)", [{"total": 160000}]
    ),
    _gives(
        "a sum of money is formatted as money",
        "aggregate(revenue with sum as total)",
        [{"total": 160000, f"total{_FORMATTED}": "$160,000.00"}],
        _FORMAT,
    ),
    _gives(
        "an average leaves out rows without a value",
        "aggregate(numberofemployees with average as mean)",
        [{"mean": 15}],
    ),
    _gives(
        "each group has an average of its own",
        "groupby((statuscode),aggregate(revenue with average as averagevalue))",
        containing({"statuscode": 1, "averagevalue": 75000}, {"statuscode": 2, "averagevalue": 10000}),
    ),
    _gives(
        "each group has a sum of its own",
        "groupby((statuscode),aggregate(revenue with sum as total))",
        containing({"statuscode": 1, "total": 150000}, {"statuscode": 2, "total": 10000}),
    ),
    _gives(
        "the least and the largest value of each group are found",
        "groupby((accountcategorycode),aggregate(revenue with min as least,revenue with max as most))",
        containing(
            {"accountcategorycode": 1, "least": 50000, "most": 100000},
            {"accountcategorycode": 2, "least": 10000, "most": 10000},
        ),
    ),
    _gives(
        "a group may be by a column of a row looked up",
        "groupby((primarycontactid/fullname),aggregate(revenue with sum as total))",
        containing(
            {"contact_fullname": "Rene Valdes", "total": 100000},
            {"contact_fullname": "Robert Lyon", "total": 50000},
        ),
    ),
    _gives(
        "the latest moment is found by max",
        "aggregate(createdon with max as lastCreate)",
        [{"lastCreate": matching(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")}],
    ),
    _gives(
        "the earliest moment is found by min",
        "aggregate(createdon with min as firstCreate)",
        [{"firstCreate": matching(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")}],
    ),
    _gives(
        "moments that were aggregated are formatted",
        "aggregate(createdon with max as lastCreate)",
        [{f"lastCreate{_FORMATTED}": matching(r"^\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d [AP]M$")}],
        _FORMAT,
    ),
    _gives(
        "a group without a value leaves the column out",
        "groupby((statecode,statuscode,accountcategorycode))",
        containing(
            {"statecode": 0, "statuscode": 1, "accountcategorycode": absent},
            {"statecode": 0, "statuscode": 1, "accountcategorycode": 1},
            {"statecode": 1, "statuscode": 2, "accountcategorycode": 2},
        ),
    ),
    _gives(
        "a group by several columns gives their distinct combinations",
        "groupby((statecode,statuscode,accountcategorycode))",
        counting(3),
    ),
    Exchange(
        "rows are filtered before they are grouped",
        _PAGE,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?$apply=filter(address1_stateorprovince eq 'WA' "
                "and _parentaccountid_value eq {new1})/groupby((primarycontactid/fullname))",
                200,
                json={
                    "@odata.context": "{root}$metadata#accounts",
                    "value": containing(
                        {"contact_fullname": "Rene Valdes"}, {"contact_fullname": "Robert Lyon"}
                    ),
                },
            ),
        ),
    ),
    Exchange(
        "a whole table is aggregated without a filter",
        _PAGE,
        (
            _SETUP,
            Step(
                "GET",
                "accounts?$apply=aggregate(revenue with sum as total)",
                200,
                json={"@odata.context": "{root}$metadata#accounts", "value": [{"total": anything}]},
            ),
        ),
    ),
    Exchange(
        "an order by an aggregated value is refused",
        _PAGE,
        (
            Step(
                "GET",
                "accounts?$apply=groupby((statuscode),aggregate(revenue with sum as total))&$orderby=total",
                400,
                json={"error": {"message": matching("SingleValueOpenPropertyAccess is not supported")}},
            ),
        ),
    ),
    Exchange(
        "moments are not grouped",
        _PAGE,
        (Step("GET", "accounts?$apply=groupby((createdon),aggregate($count as count))", 400),),
    ),
]
