"""Queries in FetchXML: columns, order, pages, counts and aggregates."""

from tests.contract.exchange import Exchange, Step, absent, containing, error, matching
from tests.contract.exchanges.fetchxml import NAMES, SETUP, answers, fetch, rows

_PAGES = "power-apps/developer/data-platform/fetchxml/"
_ORDER = _PAGES + "order-rows"
_PAGE = _PAGES + "page-results"
_COUNT = _PAGES + "count-rows"
_SUM = _PAGES + "aggregate-data"
_SELECT = _PAGES + "select-columns"
_FETCH = _PAGES + "reference/fetch"
_MORE = "@Microsoft.Dynamics.CRM.morerecords"
_COOKIE = "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
_TOTAL = "@Microsoft.Dynamics.CRM.totalrecordcount"
_EXCEEDED = "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"
_EMPLOYEES = "<attribute name='numberofemployees' "
_PERSON = "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='person'>"
# The cookie of the first page as text of an attribute: escaped for XML, its ampersands for the address.
_DECODED = (
    '%26lt;cookie page="1"%26gt;%26lt;name last="Cedar" first="Amber" /%26gt;'
    '%26lt;accountid last="{{new4}}" first="{{new2}}" /%26gt;%26lt;/cookie%26gt;'
)


EXCHANGES = [
    answers(
        "an attribute of FetchXML may have an alias",
        _SELECT,
        fetch(
            "<attribute name='name' alias='company'/><filter>"
            "<condition attribute='name' operator='eq' value='Amber'/></filter>"
        ),
        [{"company": "Amber", "name": absent}],
    ),
    Exchange(
        "the context of a query in FetchXML names its columns",
        "power-apps/developer/data-platform/multi-select-picklist",
        (
            SETUP,
            Step(
                "GET", fetch(NAMES), 200, json={"@odata.context": "{root}$metadata#accounts(name,accountid)"}
            ),
        ),
    ),
    answers(
        "an order of FetchXML may be descending",
        _ORDER,
        fetch("<attribute name='name'/><order attribute='name' descending='true'/>"),
        rows("DCBA"),
    ),
    answers(
        "choices are sorted by their labels in FetchXML",
        _ORDER,
        fetch(
            "<attribute name='name'/><order attribute='customertypecode'/><filter>"
            "<condition attribute='customertypecode' operator='not-null'/></filter>"
        ),
        rows("CAB"),
    ),
    answers(
        "choices are sorted by their numbers with useraworderby",
        _ORDER,
        fetch(
            "<attribute name='name'/><order attribute='customertypecode'/><filter>"
            "<condition attribute='customertypecode' operator='not-null'/></filter>",
            "useraworderby='true'",
        ),
        rows("BCA"),
    ),
    answers(
        "an order of a link comes after those of the table",
        _ORDER,
        fetch(
            f"<attribute name='name'/>{_PERSON}"
            "<attribute name='lastname'/><order attribute='lastname' descending='true'/></link-entity>"
            "<order attribute='name'/>"
        ),
        [{"person.lastname": "Beck"}, {"person.lastname": "Ashe"}, {"person.lastname": "Birch"}],
    ),
    answers(
        "an order by a link comes first if the table names it first",
        _ORDER,
        fetch(
            f"<attribute name='name'/>{_PERSON}"
            "<attribute name='lastname'/></link-entity>"
            "<order entityname='person' attribute='lastname' descending='true'/><order attribute='name'/>"
        ),
        [{"person.lastname": "Birch"}, {"person.lastname": "Beck"}, {"person.lastname": "Ashe"}],
    ),
    answers(
        "top of FetchXML limits the rows",
        _FETCH,
        fetch(NAMES, "top='2'"),
        rows("AB"),
    ),
    answers(
        "distinct of FetchXML leaves out rows that are the same",
        _FETCH,
        fetch(
            "<attribute name='address1_city'/><order attribute='address1_city'/><filter>"
            "<condition attribute='address1_city' operator='not-null'/></filter>",
            "distinct='true'",
        ),
        [{"address1_city": "Berlin"}, {"address1_city": "Cedar"}],
    ),
    answers(
        "a page of FetchXML tells of more with a cookie encoded twice",
        _PAGE,
        fetch(NAMES, "count='3' page='1'"),
        rows("ABC"),
        **{_MORE: True, _COOKIE: matching('^<cookie pagenumber="2" pagingcookie="%253ccookie%2520page%253d')},
    ),
    answers(
        "the next page of FetchXML is asked for by its number",
        _PAGE,
        fetch(NAMES, "count='3' page='2'"),
        rows("D"),
    ),
    answers(
        "the next page of FetchXML is asked for with the cookie decoded",
        _PAGE,
        fetch(
            NAMES,
            f"count='3' page='2' paging-cookie='{_DECODED}'",
        ),
        rows("D"),
    ),
    answers(
        "the last page of FetchXML has neither cookie nor word of more",
        _PAGE,
        fetch(NAMES, "count='3' page='2'"),
        rows("D"),
        **{_MORE: absent, _COOKIE: absent},
    ),
    answers(
        "the total of FetchXML comes with its pages",
        _COUNT,
        fetch(NAMES, "count='1' page='1' returntotalrecordcount='true'"),
        rows("A"),
        **{"@odata.count": 4, _TOTAL: 4, _EXCEEDED: False},
    ),
    answers(
        "the total of FetchXML may be asked for as in OData",
        _COUNT,
        fetch(NAMES, "count='1' page='1'") + "&$count=true",
        rows("A"),
        **{"@odata.count": 4},
    ),
    answers(
        "aggregates of FetchXML leave out what has no value, but count it",
        _SUM,
        fetch(
            f"{_EMPLOYEES} alias='Average' aggregate='avg'/>{_EMPLOYEES} alias='Count' aggregate='count'/>"
            f"{_EMPLOYEES} alias='ColumnCount' aggregate='countcolumn'/>"
            f"{_EMPLOYEES} alias='Maximum' aggregate='max'/>{_EMPLOYEES} alias='Minimum' aggregate='min'/>"
            f"{_EMPLOYEES} alias='Sum' aggregate='sum'/>",
            "aggregate='true'",
        ),
        [{"Count": 4, "ColumnCount": 3, "Maximum": 20, "Minimum": 10, "Sum": 50}],
    ),
    answers(
        "distinct values of a column are counted in FetchXML",
        _SUM,
        fetch(
            f"{_EMPLOYEES} alias='ColumnCount' aggregate='countcolumn' distinct='true'/>", "aggregate='true'"
        ),
        [{"ColumnCount": 2}],
    ),
    answers(
        "FetchXML groups by a column and sorts by its alias",
        _SUM,
        fetch(
            f"{_EMPLOYEES} alias='Total' aggregate='sum'/>"
            "<attribute name='address1_city' alias='City' groupby='true'/>"
            "<order alias='City' descending='true'/>"
            "<filter><condition attribute='address1_city' operator='not-null'/></filter>",
            "aggregate='true'",
        ),
        [{"City": "Cedar", "Total": 20}, {"City": "Berlin", "Total": 30}],
    ),
    answers(
        "FetchXML groups by parts of a date",
        _SUM,
        fetch(
            "<attribute name='accountid' alias='Number' aggregate='count'/>"
            "<attribute name='createdon' alias='Day' groupby='true' dategrouping='day'/>"
            "<attribute name='createdon' alias='Month' groupby='true' dategrouping='month'/>"
            "<attribute name='createdon' alias='Year' groupby='true' dategrouping='year'/>",
            "aggregate='true'",
        ),
        [{"Number": 4, "Day": 23, "Month": 11, "Year": 2026}],
    ),
    Exchange(
        "the children of a row are counted by a row aggregate",
        _SUM,
        (
            SETUP,
            Step(
                "GET",
                "accounts?fetchXml=<fetch top='5'><entity name='account'><attribute name='name'/>"
                "<attribute name='accountid' alias='CountChildren' rowaggregate='CountChildren'/>"
                "<filter><condition attribute='accountid' operator='eq' value='{new1}'/></filter>"
                "</entity></fetch>",
                200,
                json={"value": [{"name": "Holding", "CountChildren": 4}]},
            ),
        ),
    ),
    Exchange(
        "a limit for one aggregate query may be lower than the usual one",
        _SUM,
        (
            SETUP,
            Step(
                "GET",
                fetch(
                    "<attribute name='name' alias='n' aggregate='count'/>",
                    "aggregate='true' aggregatelimit='2'",
                ),
                400,
                json=error("0x8004e023", "AggregateQueryRecordLimit exceeded"),
            ),
        ),
    ),
    answers(
        "every column comes if none is chosen in FetchXML",
        _SELECT,
        fetch("<all-attributes/>"),
        containing({"name": "Amber", "fax": "1", "address1_city": "Berlin"}),
    ),
]
