"""Queries in FetchXML: conditions, filters and links."""

from typing import Any

from tests.contract.exchange import ANNOTATED, Exchange, Step, absent, error, matching

_PAGES = "power-apps/developer/data-platform/fetchxml/"
_FILTER = _PAGES + "filter-rows"
_JOIN = _PAGES + "join-tables"
_OPERATORS = _PAGES + "reference/operators"

SETUP = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Holding",
        "account_parent_account": [
            {
                "accountid": "{new2}",
                "name": "Amber",
                "numberofemployees": 10,
                "address1_city": "Berlin",
                "customertypecode": 12,
                "fax": "1",
                "contact_customer_accounts": [
                    {"firstname": "Ann", "lastname": "Ashe"},
                    {"firstname": "Ben", "lastname": "Beck"},
                ],
            },
            {
                "accountid": "{new3}",
                "name": "Birch",
                "numberofemployees": 20,
                "address1_city": "Berlin",
                "customertypecode": 5,
                "contact_customer_accounts": [{"firstname": "Cal", "lastname": "Birch"}],
            },
            {
                "accountid": "{new4}",
                "name": "Cedar",
                "numberofemployees": 20,
                "address1_city": "Cedar",
                "customertypecode": 6,
            },
            {"accountid": "{new5}", "name": "Dogwood"},
        ],
    },
)
_OURS = "<filter><condition attribute='parentaccountid' operator='eq' value='{new1}'/></filter>"


def fetch(content: str, attributes: str = "") -> str:
    """The address of a query on the four companies."""
    return f"accounts?fetchXml=<fetch {attributes}><entity name='account'>{content}{_OURS}</entity></fetch>"


def answers(name: str, source: str, path: str, value: Any, **expected: Any) -> Exchange:
    """An exchange in which a query gives these rows, and annotations if any are expected."""
    asked = Step("GET", path, 200, sent=ANNOTATED if expected else {}, json={"value": value, **expected})
    return Exchange(name, source, (SETUP, asked))


def rows(letters: str) -> list[dict[str, Any]]:
    return [{"name": matching(f"^{letter}")} for letter in letters]


def _finds(name: str, source: str, content: str, letters: str) -> Exchange:
    """An exchange in which filters and links find companies, sorted by name."""
    path = fetch(f"<attribute name='name'/><order attribute='name'/>{content}")
    return answers(name, source, path, rows(letters))


def _meets(name: str, condition: str, letters: str, source: str = _OPERATORS) -> Exchange:
    """An exchange in which one condition finds companies."""
    return _finds(name, source, f"<filter><condition {condition}</filter>", letters)


def _refuses(name: str, source: str, query: str, code: str, message: str | None = None) -> Exchange:
    """An exchange in which a query is refused."""
    return Exchange(
        name, source, (Step("GET", f"accounts?fetchXml={query}", 400, json=error(code, message)),)
    )


def _linked(content: str = "", attributes: str = "") -> str:
    return (
        "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='person' "
        f"{attributes}>{content}</link-entity>"
    )


def _people(kind: str, condition: str) -> str:
    """A filter on the contacts of a company by a type of link."""
    linked = _linked(f"<filter><condition {condition}</filter>", f"link-type='{kind}'").replace(
        "alias='person'", ""
    )
    return f"<filter>{linked}</filter>"


_LASTNAME = "<attribute name='lastname'/>"
_PAIRS = [
    {"name": "Amber", "person.lastname": "Ashe"},
    {"name": "Amber", "person.lastname": "Beck"},
    {"name": "Birch", "person.lastname": "Birch"},
]
NAMES = "<attribute name='name'/><order attribute='name'/>"

EXCHANGES = [
    _meets("eq of FetchXML ignores case", "attribute='name' operator='eq' value='AMBER'/>", "A"),
    _meets(
        "gt of FetchXML leaves out the value",
        "attribute='numberofemployees' operator='gt' value='10'/>",
        "BC",
    ),
    _meets(
        "le of FetchXML includes the value", "attribute='numberofemployees' operator='le' value='10'/>", "A"
    ),
    _meets("null of FetchXML takes no value", "attribute='numberofemployees' operator='null'/>", "D"),
    _meets(
        "not-null of FetchXML takes no value", "attribute='numberofemployees' operator='not-null'/>", "ABC"
    ),
    _meets("like of FetchXML takes wildcards", "attribute='name' operator='like' value='%25d_g%25'/>", "D"),
    _meets(
        "like of FetchXML matches within a text", "attribute='name' operator='like' value='%25wo%25'/>", "D"
    ),
    _meets(
        "not-like of FetchXML turns it round", "attribute='name' operator='not-like' value='%25r%25'/>", "D"
    ),
    _meets(
        "begins-with of FetchXML finds the beginning of a text",
        "attribute='name' operator='begins-with' value='bi'/>",
        "B",
    ),
    _meets(
        "ends-with of FetchXML finds the end of a text",
        "attribute='name' operator='ends-with' value='R'/>",
        "AC",
    ),
    _meets(
        "eq-userid of FetchXML finds the caller's rows", "attribute='ownerid' operator='eq-userid'/>", "ABCD"
    ),
    _meets("today of FetchXML finds rows made today", "attribute='createdon' operator='today'/>", "ABCD"),
    _meets(
        "last-x-days of FetchXML takes a number",
        "attribute='createdon' operator='last-x-days' value='2'/>",
        "ABCD",
    ),
    _meets(
        "older-than-x-months of FetchXML takes a number",
        "attribute='createdon' operator='olderthan-x-months' value='1'/>",
        "",
    ),
    _meets(
        "in of FetchXML takes values as elements",
        "attribute='name' operator='in'><value>Amber</value><value>Cedar</value></condition>",
        "AC",
        _FILTER,
    ),
    _meets(
        "not-in of FetchXML leaves out the values",
        "attribute='name' operator='not-in'><value>Amber</value><value>Cedar</value></condition>",
        "BD",
    ),
    _meets(
        "between of FetchXML includes both ends",
        "attribute='numberofemployees' operator='between'><value>10</value><value>20</value></condition>",
        "ABC",
        _FILTER,
    ),
    _meets(
        "a condition of FetchXML compares columns of one row",
        "attribute='name' operator='eq' valueof='address1_city'/>",
        "C",
        _FILTER,
    ),
    _finds(
        "a filter of type or needs one of its conditions",
        _FILTER,
        "<filter type='or'><condition attribute='name' operator='eq' value='Dogwood'/>"
        "<condition attribute='address1_city' operator='eq' value='Berlin'/></filter>",
        "ABD",
    ),
    _finds(
        "filters of FetchXML may be nested",
        _FILTER,
        "<filter type='and'><condition attribute='numberofemployees' operator='eq' value='20'/>"
        "<filter type='or'><condition attribute='name' operator='eq' value='Amber'/>"
        "<condition attribute='name' operator='eq' value='Cedar'/></filter></filter>",
        "C",
    ),
    answers(
        "an inner link gives a row for each pair, columns named by its alias",
        _JOIN,
        fetch(NAMES + _linked(_LASTNAME + "<order attribute='lastname'/>", "link-type='inner'")),
        _PAIRS,
    ),
    answers(
        "a link is inner unless told otherwise",
        _JOIN,
        fetch(NAMES + _linked(_LASTNAME + "<order attribute='lastname'/>")),
        _PAIRS,
    ),
    answers(
        "an outer link keeps rows without a partner",
        _JOIN,
        fetch(NAMES + _linked(_LASTNAME + "<order attribute='lastname'/>", "link-type='outer'")),
        [
            *_PAIRS,
            {"name": "Cedar", "person.lastname": absent},
            {"name": "Dogwood", "person.lastname": absent},
        ],
    ),
    answers(
        "a many-to-one link reads columns of the row looked up",
        _JOIN,
        fetch(
            NAMES + "<link-entity name='account' from='accountid' to='parentaccountid' alias='parent'>"
            "<attribute name='name'/></link-entity>",
            "top='1'",
        ),
        [{"name": "Amber", "parent.name": "Holding"}],
    ),
    _finds(
        "rows without a partner are found by a null after an outer link",
        _JOIN,
        _linked(attributes="link-type='outer'")
        + "<filter><condition entityname='person' attribute='parentcustomerid' operator='null'/></filter>",
        "CD",
    ),
    _finds(
        "a filter within an inner link narrows the rows",
        _FILTER,
        _linked("<filter><condition attribute='lastname' operator='eq' value='Beck'/></filter>"),
        "A",
    ),
    _finds(
        "columns of linked tables are compared through the alias",
        _FILTER,
        _linked() + "<filter><condition attribute='name' operator='eq' valueof='person.lastname'/></filter>",
        "B",
    ),
    _finds(
        "a link of type exists gives each row once",
        _JOIN,
        _linked(attributes="link-type='exists'"),
        "AB",
    ),
    _finds("a link of type in gives each row once", _JOIN, _linked(attributes="link-type='in'"), "AB"),
    _finds(
        "any within a filter asks for one related row",
        _FILTER,
        _people("any", "attribute='lastname' operator='not-null'/>"),
        "AB",
    ),
    _finds(
        "not any within a filter asks for no such row",
        _FILTER,
        _people("not any", "attribute='lastname' operator='eq' value='Beck'/>"),
        "BCD",
    ),
    _finds(
        "not all within a filter is the same as any",
        _FILTER,
        _people("not all", "attribute='lastname' operator='eq' value='Beck'/>"),
        "A",
    ),
    _finds(
        "all within a filter asks for related rows of which none is such",
        _FILTER,
        _people("all", "attribute='lastname' operator='eq' value='Beck'/>"),
        "B",
    ),
    Exchange(
        "a link without an alias is named after its table and a number",
        _JOIN,
        (
            Step("POST", "contacts", 204, {"contactid": "{new6}", "lastname": "Prime"}),
            Step(
                "POST", "accounts", 204, {"name": "Led", "primarycontactid@odata.bind": "/contacts({new6})"}
            ),
            Step(
                "GET",
                "contacts?fetchXml=<fetch><entity name='contact'><attribute name='lastname'/>"
                "<link-entity name='account' from='primarycontactid' to='contactid'><attribute name='name'/>"
                "</link-entity><filter><condition attribute='contactid' operator='eq' value='{new6}'/>"
                "</filter></entity></fetch>",
                200,
                json={"value": [{"lastname": "Prime", "account1.name": "Led"}]},
            ),
        ),
    ),
    Exchange(
        "many-to-many rows are linked through the intersect table",
        _JOIN,
        (
            Step("POST", "contacts", 204, {"contactid": "{new6}", "lastname": "Member"}),
            Step("POST", "new_projects", 204, {"new_projectid": "{new7}", "new_name": "Joint"}),
            Step(
                "POST",
                "new_projects({new7})/new_project_contact/$ref",
                204,
                {"@odata.id": "{root}contacts({new6})"},
            ),
            Step(
                "GET",
                "new_projects?fetchXml=<fetch><entity name='new_project'><attribute name='new_name'/>"
                "<link-entity name='new_project_contact' from='new_projectid' to='new_projectid' "
                "intersect='true'><link-entity name='contact' from='contactid' to='contactid' alias='person'>"
                "<attribute name='lastname'/></link-entity></link-entity></entity></fetch>",
                200,
                json={"value": [{"new_name": "Joint", "person.lastname": "Member"}]},
            ),
        ),
    ),
    _refuses(
        "more than fifteen links are refused",
        _JOIN,
        "<fetch><entity name='account'>"
        + "<link-entity name='contact' from='parentcustomerid' to='accountid'/>" * 16
        + "</entity></fetch>",
        "0x8004430d",
        "Number of link entities in query exceeded maximum limit",
    ),
    _refuses(
        "more than five hundred conditions are refused",
        _FILTER,
        "<fetch><entity name='account'><filter type='or'>"
        + "<condition attribute='name' operator='null'/>" * 501
        + "</filter></entity></fetch>",
        "0x8004430c",
        "Number of conditions in query exceeded maximum limit",
    ),
]
