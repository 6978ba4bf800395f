"""Order, pages, counts, and the annotations that come with them."""

from typing import Any

from tests.contract.exchange import ANNOTATED, Exchange, Step, absent, counting, error, matching

_ORDER = "power-apps/developer/data-platform/webapi/query/order-rows"
_PAGE = "power-apps/developer/data-platform/webapi/query/page-results"
_COUNT = "power-apps/developer/data-platform/webapi/query/count-rows"
_SELECT = "power-apps/developer/data-platform/webapi/query/select-columns"
_TOTAL = "@Microsoft.Dynamics.CRM.totalrecordcount"
_EXCEEDED = "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"
_FORMATTED = "@OData.Community.Display.V1.FormattedValue"
_LOOKUP = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_ONLY_FORMATTED = {"Prefer": 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'}
_ONLY_TOTALS = {
    "Prefer": 'odata.include-annotations="Microsoft.Dynamics.CRM.totalrecordcount,'
    'Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"'
}

# An order by the key of the contact, or by the label of the choice, would be another one.
_SETUP = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Holding",
        "account_parent_account": [
            {
                "name": name,
                "customertypecode": kind,
                "revenue": revenue,
                "primarycontactid": {"contactid": f"{{new{key}}}", "firstname": person, "lastname": "Sample"},
            }
            for name, kind, revenue, key, person in (
                ("A", 12, 100, 14, "Xenia"),
                ("B", 5, 300, 13, "Yann"),
                ("C", 6, 100, 12, "Zoe"),
                ("D", 1, 300, 15, "Will"),
                ("E", 3, 200, 11, "Vera"),
            )
        ],
    },
)
_PATH = "accounts({new1})/account_parent_account?$select=name"


def _rows(letters: str) -> list[Any]:
    return [{"name": letter} for letter in letters]


def _sorts(name: str, order: str, letters: str) -> Exchange:
    """An exchange in which an order puts the companies in this sequence."""
    path = f"{_PATH}&$orderby={order}"
    return Exchange(name, _ORDER, (_SETUP, Step("GET", path, 200, json={"value": _rows(letters)})))


def _pages(size: int) -> dict[str, str]:
    return {"Prefer": f"odata.maxpagesize={size}"}


def _totals(name: str, options: str, expected: dict[str, Any]) -> Exchange:
    """An exchange about the annotations of the number of rows."""
    path = f"{_PATH}{options}"
    return Exchange(name, _COUNT, (_SETUP, Step("GET", path, 200, sent=_ONLY_TOTALS, json=expected)))


EXCHANGES = [
    _sorts("an amount is sorted upwards by asc, ties by the next column", "revenue asc,name desc", "CAEDB"),
    _sorts("each column of an order has a direction of its own", "revenue desc,name", "BDEAC"),
    _sorts("choices are sorted by their numbers", "customertypecode", "DEBCA"),
    _sorts("choices are sorted downwards by their numbers", "customertypecode desc", "ACBED"),
    _sorts("lookups are sorted by the names of their rows", "_primarycontactid_value", "EDABC"),
    _sorts("lookups are sorted downwards by the names", "_primarycontactid_value desc", "CBADE"),
    Exchange(
        "an order by an unknown column is refused",
        _ORDER,
        (Step("GET", "accounts?$orderby=nme", 400, json=error("0x80060888", "nme")),),
    ),
    Exchange(
        "top takes the first rows of an order",
        _PAGE,
        (_SETUP, Step("GET", f"{_PATH}&$orderby=name desc&$top=2", 200, json={"value": _rows("ED")})),
    ),
    Exchange(
        "pages follow each other in order until no link is left",
        _PAGE,
        (
            _SETUP,
            Step(
                "GET",
                f"{_PATH}&$orderby=name desc",
                200,
                sent=_pages(2),
                json={"value": _rows("ED")},
                capture={"second": "@odata.nextLink"},
            ),
            Step(
                "GET",
                "{second}",
                200,
                sent=_pages(2),
                json={"value": _rows("CB")},
                headers={"Preference-Applied": "odata.maxpagesize=2"},
                capture={"third": "@odata.nextLink"},
            ),
            Step(
                "GET",
                "{third}",
                200,
                sent=_pages(2),
                json={"value": _rows("A"), "@odata.nextLink": absent},
            ),
        ),
    ),
    Exchange(
        "a page is read again by its link",
        _PAGE,
        (
            _SETUP,
            Step(
                "GET",
                f"{_PATH}&$orderby=revenue,name",
                200,
                sent=_pages(3),
                json={"value": _rows("ACE")},
                capture={"next": "@odata.nextLink"},
            ),
            Step("GET", "{next}", 200, sent=_pages(3), json={"value": _rows("BD")}),
            Step("GET", "{next}", 200, sent=_pages(3), json={"value": _rows("BD")}),
        ),
    ),
    Exchange(
        "pages keep the filter and the columns of the query",
        _PAGE,
        (
            _SETUP,
            Step(
                "GET",
                f"{_PATH}&$filter=revenue ge 200&$orderby=name",
                200,
                sent=_pages(2),
                json={"value": _rows("BD"), "@odata.nextLink": matching(r"\$select=name.*\$skiptoken=")},
                capture={"next": "@odata.nextLink"},
            ),
            Step(
                "GET",
                "{next}",
                200,
                sent=_pages(2),
                json={"value": [{"name": "E", "revenue": absent}], "@odata.nextLink": absent},
            ),
        ),
    ),
    Exchange(
        "rows that fit one page have no link",
        _PAGE,
        (
            _SETUP,
            Step("GET", _PATH, 200, sent=_pages(50), json={"value": counting(5), "@odata.nextLink": absent}),
        ),
    ),
    Exchange(
        "several preferences come joined by commas",
        _COUNT,
        (
            _SETUP,
            Step(
                "GET",
                f"{_PATH}&$count=true&$orderby=name",
                200,
                sent={"Prefer": 'odata.maxpagesize=3,odata.include-annotations="Microsoft.Dynamics.CRM.*"'},
                json={"@odata.count": 5, "value": _rows("ABC"), "@odata.nextLink": matching("skiptoken")},
                headers={"Preference-Applied": matching("odata.maxpagesize=3.*odata.include-annotations=")},
            ),
        ),
    ),
    Exchange(
        "the count is of the rows that the filter finds",
        _COUNT,
        (
            _SETUP,
            Step(
                "GET",
                f"{_PATH}&$filter=revenue eq 300&$count=true",
                200,
                json={"@odata.count": 2, "value": counting(2)},
            ),
        ),
    ),
    Exchange(
        "there is no count unless it is asked for",
        _COUNT,
        (_SETUP, Step("GET", _PATH, 200, json={"@odata.count": absent})),
    ),
    _totals(
        "the number of rows is told as an annotation too",
        "&$count=true",
        {"@odata.count": 5, _TOTAL: 5, _EXCEEDED: False},
    ),
    _totals(
        "the annotation of the number of rows is -1 without a count",
        "",
        {"@odata.count": absent, _TOTAL: -1, _EXCEEDED: False},
    ),
    Exchange(
        "the number of a collection is plain text",
        _COUNT,
        (
            _SETUP,
            Step(
                "GET",
                "accounts({new1})/account_parent_account/$count",
                200,
                text=matching("^\ufeff?5$"),
                headers={"Content-Type": matching("^text/plain")},
            ),
        ),
    ),
    Exchange(
        "a count ends at five thousand and says so",
        _COUNT,
        (
            *(
                Step(
                    "POST",
                    "contacts/Microsoft.Dynamics.CRM.CreateMultiple",
                    200,
                    {
                        "Targets": [
                            {"@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": "Many"}
                            for _ in range(number)
                        ]
                    },
                )
                for number in (1000, 1000, 1000, 1000, 1000, 1)
            ),
            Step(
                "GET",
                "contacts?$select=lastname&$filter=lastname eq 'Many'&$count=true",
                200,
                sent={
                    "Prefer": "odata.maxpagesize=1,odata.include-annotations="
                    '"Microsoft.Dynamics.CRM.totalrecordcount,'
                    'Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"'
                },
                json={"@odata.count": 5000, _TOTAL: 5000, _EXCEEDED: True, "value": counting(1)},
            ),
            Step(
                "GET",
                "contacts?$select=lastname&$filter=lastname eq 'Many'",
                200,
                json={"value": counting(5000), "@odata.nextLink": matching("skiptoken")},
                capture={"next": "@odata.nextLink"},
            ),
            Step("GET", "{next}", 200, json={"value": counting(1), "@odata.nextLink": absent}),
        ),
    ),
    Exchange(
        "only the annotations asked for come",
        _SELECT,
        (
            _SETUP,
            Step(
                "GET",
                f"{_PATH},revenue,_primarycontactid_value&$filter=name eq 'A'",
                200,
                sent=_ONLY_FORMATTED,
                json={
                    "value": [
                        {
                            f"revenue{_FORMATTED}": "$100.00",
                            f"_primarycontactid_value{_FORMATTED}": "Xenia Sample",
                            f"_primarycontactid_value{_LOOKUP}": absent,
                        }
                    ]
                },
                headers={"Preference-Applied": _ONLY_FORMATTED["Prefer"]},
            ),
        ),
    ),
    Exchange(
        "no formatted value comes unless it is asked for",
        _SELECT,
        (
            _SETUP,
            Step(
                "GET",
                f"{_PATH},revenue&$filter=name eq 'A'",
                200,
                json={"value": [{"revenue": 100, f"revenue{_FORMATTED}": absent}]},
            ),
        ),
    ),
    Exchange(
        "choices and lookups are formatted as their labels and names",
        _SELECT,
        (
            _SETUP,
            Step(
                "GET",
                f"{_PATH},customertypecode,_primarycontactid_value&$filter=name eq 'C'",
                200,
                sent=ANNOTATED,
                json={
                    "value": [
                        {
                            "customertypecode": 6,
                            f"customertypecode{_FORMATTED}": "Influencer",
                            "_primarycontactid_value": "{new12}",
                            f"_primarycontactid_value{_FORMATTED}": "Zoe Sample",
                            f"_primarycontactid_value{_LOOKUP}": "contact",
                        }
                    ]
                },
            ),
        ),
    ),
]
