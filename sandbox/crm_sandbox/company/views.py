"""The system views of the tables of selling, with the texts that Dataverse keeps of each.

https://learn.microsoft.com/power-apps/developer/data-platform/customize-entity-views
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from crm_sandbox.store import Row

PUBLIC, QUICK_FIND = 0, 4
"""Values of ``querytype``: a view that people choose, and the one behind the search field of a list."""

_CODES = {"account": 1, "contact": 2, "opportunity": 3, "lead": 4}
_NAMES = {"account": "name", "contact": "fullname", "opportunity": "name", "lead": "fullname"}
_WIDTH_OF_NAME, _WIDTH = "300", "100"

_Condition = tuple[str, ...]
"""Column, operator, and the value where the operator takes one."""

_MINE = ("ownerid", "eq-userid")
_OPEN = ("statecode", "eq", "0")
_CLOSED = ("statecode", "ne", "0")


@dataclass(frozen=True, slots=True)
class _View:
    table: str
    name: str
    description: str
    columns: tuple[str, ...]
    conditions: tuple[_Condition, ...]
    order: str
    descending: bool = False
    is_default: bool = False
    linked: tuple[str, ...] = ()
    """Columns of the primary contact, which stand beside those of an account."""
    query_type: int = PUBLIC

    def fetchxml(self) -> str:
        """What the view asks for."""
        fetch = Element("fetch", {"version": "1.0", "output-format": "xml-platform", "mapping": "logical"})
        entity = SubElement(fetch, "entity", name=self.table)
        for name in (*self.columns, f"{self.table}id"):
            SubElement(entity, "attribute", name=name)
        SubElement(entity, "order", attribute=self.order, descending=str(self.descending).lower())
        quick = {"isquickfindfields": "1"} if self.query_type == QUICK_FIND else {}
        parts = SubElement(entity, "filter", {"type": "or" if quick else "and", **quick})
        for condition in self.conditions:
            names = zip(("attribute", "operator", "value"), condition, strict=False)
            SubElement(parts, "condition", dict(names))
        if self.linked:
            link = SubElement(
                entity,
                "link-entity",
                {
                    "name": "contact",
                    "from": "contactid",
                    "to": "primarycontactid",
                    "alias": "accountprimarycontactidcontactcontactid",
                    "link-type": "outer",
                    "visible": "false",
                },
            )
            for name in self.linked:
                SubElement(link, "attribute", name=name)
        return tostring(fetch, encoding="unicode")

    def layoutxml(self) -> str:
        """How a list shows it."""
        jump = _NAMES[self.table]
        grid = Element(
            "grid",
            name="resultset",
            object=str(_CODES[self.table]),
            jump=jump,
            select="1",
            icon="1",
            preview="1",
        )
        row = SubElement(grid, "row", name="result", id=f"{self.table}id")
        for name in self.columns:
            SubElement(row, "cell", name=name, width=_WIDTH_OF_NAME if name == jump else _WIDTH)
        for name in self.linked:
            SubElement(row, "cell", name=f"accountprimarycontactidcontactcontactid.{name}", width=_WIDTH)
        return tostring(grid, encoding="unicode")


_ACCOUNT = ("name", "telephone1", "address1_city", "primarycontactid")
_CONTACT = ("fullname", "parentcustomerid", "emailaddress1", "telephone1")
_LEAD = ("fullname", "companyname", "leadqualitycode", "statuscode", "createdon")
_DEAL = ("name", "customerid", "estimatedclosedate", "estimatedvalue", "closeprobability", "ownerid")
_CLOSED_DEAL = ("name", "customerid", "actualclosedate", "actualvalue", "statuscode", "ownerid")

_VIEWS = (
    _View(
        "account",
        "My Active Accounts",
        "Active accounts that I own.",
        _ACCOUNT,
        (_MINE, _OPEN),
        "name",
        is_default=True,
        linked=("emailaddress1",),
    ),
    _View(
        "account",
        "Active Accounts",
        "All accounts that are active.",
        _ACCOUNT,
        (_OPEN,),
        "name",
        linked=("emailaddress1",),
    ),
    _View(
        "contact",
        "My Active Contacts",
        "Active contacts that I own.",
        _CONTACT,
        (_MINE, _OPEN),
        "fullname",
        is_default=True,
    ),
    _View("contact", "Active Contacts", "All contacts that are active.", _CONTACT, (_OPEN,), "fullname"),
    _View(
        "lead",
        "My Open Leads",
        "Open leads that I own.",
        _LEAD,
        (_MINE, _OPEN),
        "createdon",
        descending=True,
        is_default=True,
    ),
    _View("lead", "Open Leads", "All leads that are open.", _LEAD, (_OPEN,), "createdon", descending=True),
    _View(
        "opportunity",
        "My Open Opportunities",
        "Open opportunities that I own.",
        _DEAL,
        (_MINE, _OPEN),
        "estimatedclosedate",
        is_default=True,
    ),
    _View(
        "opportunity",
        "Open Opportunities",
        "All opportunities that are open.",
        _DEAL,
        (_OPEN,),
        "estimatedclosedate",
    ),
    _View(
        "account",
        "Inactive Accounts",
        "Accounts that were deactivated.",
        _ACCOUNT,
        (("statecode", "eq", "1"),),
        "name",
    ),
    _View(
        "contact",
        "Inactive Contacts",
        "Contacts that were deactivated.",
        _CONTACT,
        (("statecode", "eq", "1"),),
        "fullname",
    ),
    _View(
        "lead",
        "Closed Leads",
        "Leads that were qualified or disqualified.",
        _LEAD,
        (_CLOSED,),
        "createdon",
        descending=True,
    ),
    _View(
        "opportunity",
        "Closed Opportunities",
        "Opportunities that were won or lost.",
        _CLOSED_DEAL,
        (_CLOSED,),
        "actualclosedate",
        descending=True,
    ),
    _View(
        "opportunity",
        "Won Opportunities",
        "Opportunities that were won.",
        _CLOSED_DEAL,
        (("statecode", "eq", "1"),),
        "actualclosedate",
        descending=True,
    ),
    _View(
        "opportunity",
        "Lost Opportunities",
        "Opportunities that were lost.",
        _CLOSED_DEAL,
        (("statecode", "eq", "2"),),
        "actualclosedate",
        descending=True,
    ),
    _View(
        "opportunity",
        "Opportunities Closing Next Month",
        "Open opportunities whose estimated close date is in the next month.",
        _DEAL,
        (_OPEN, ("estimatedclosedate", "next-month")),
        "estimatedclosedate",
    ),
    _View(
        "opportunity",
        "Opportunities Opened Last Week",
        "Opportunities that were made in the last week.",
        (*_DEAL, "createdon"),
        (("createdon", "last-week"),),
        "createdon",
        descending=True,
    ),
    _View(
        "account",
        "Quick Find Active Accounts",
        "What the search field of a list of accounts looks through.",
        _ACCOUNT,
        (("name", "like", "{0}"), ("accountnumber", "like", "{0}")),
        "name",
        query_type=QUICK_FIND,
    ),
)
"""The views, in the order of their ids."""


def view_rows() -> Iterator[Row]:
    """The rows of savedquery. System views have the same ids in every organisation, as

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/retrieve-and-execute-predefined-queries
    shows for Active Accounts.
    """
    for number, view in enumerate(_VIEWS, start=1):
        yield {
            "savedqueryid": f"00000000-0000-0000-00aa-00001000{1000 + number}",
            "name": view.name,
            "description": view.description,
            "returnedtypecode": view.table,
            "querytype": view.query_type,
            "fetchxml": view.fetchxml(),
            "layoutxml": view.layoutxml(),
            "isdefault": int(view.is_default),
            "isquickfindquery": int(view.query_type == QUICK_FIND),
            "statecode": 0,
            "statuscode": 1,
        }
