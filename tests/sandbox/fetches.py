"""A store with a handful of rows, and fetches run against it."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from crm_sandbox.errors import ODataError
from crm_sandbox.queries.fetchxml import compile_fetch, run
from crm_sandbox.queries.sql import Asker
from crm_sandbox.schema.loading import load_schema
from crm_sandbox.store import Store

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def guid(number):
    return f"00000000-0000-4000-8000-{number:012x}"


ME, TEAM, UNIT, EURO = guid(0xE1), guid(0xE2), guid(0xE3), guid(0xE4)
ASKER = Asker(NOW, ME, UNIT, (TEAM,))

# key, name, city, employees, created, industry, parent, primary contact
ACCOUNTS = [
    (1, "Adventure Works", "Santa Cruz", 4300, "2023-03-25T10:00:00Z", 5, None, 12),
    (2, "Contoso", "Redmond", 1500, "2023-03-25T11:00:00Z", 1, 1, 11),
    (3, "City Power", "REDMOND", 2900, "2023-08-27T00:00:00Z", 5, 2, 11),
    (4, "A. Datum", "Redmond", 6200, "2024-12-31T23:59:59Z", 33, 1, None),
    (5, "Example Account", None, None, "2024-01-01T00:00:00Z", None, None, None),
]
# key, first name, last name, parent customer, its table
CONTACTS = [
    (11, "Yvonne", "McKay", 2, "account"),
    (12, "Susanna", "Stubberod", 1, "account"),
    (13, "Nancy", "Anderson", 1, "account"),
    (14, "Sidney", "Sidney", None, None),
]


def open_store():
    store = Store(load_schema(), lambda: NOW)
    store.create_tables()
    schema = store.schema
    store.insert(
        schema["account"],
        (
            {
                "accountid": guid(key),
                "name": name,
                "address1_city": city,
                "numberofemployees": employees,
                "revenue": None if employees is None else employees * 10.5,
                "createdon": created,
                "industrycode": industry,
                "parentaccountid": parent and guid(parent),
                "primarycontactid": contact and guid(contact),
                "ownerid": TEAM if key == 3 else ME,
                "ownerid.table": "team" if key == 3 else "systemuser",
                "transactioncurrencyid": EURO,
                "statecode": 0,
                "versionnumber": 1000 + key,
            }
            for key, name, city, employees, created, industry, parent, contact in ACCOUNTS
        ),
    )
    store.insert(
        schema["contact"],
        (
            {
                "contactid": guid(key),
                "firstname": first,
                "lastname": last,
                "fullname": f"{first} {last}",
                "parentcustomerid": parent and guid(parent),
                "parentcustomerid.table": kind,
                "statecode": 0,
            }
            for key, first, last, parent, kind in CONTACTS
        ),
    )
    store.insert(schema["systemuser"], [{"systemuserid": ME, "fullname": "Zoe"}])
    store.insert(schema["team"], [{"teamid": TEAM, "name": "Anglers"}])
    store.connection.execute("INSERT INTO teammembership (systemuserid, teamid) VALUES (?, ?)", [ME, TEAM])
    store.create_indexes()
    return store


def compiled(store, xml):
    return compile_fetch(xml, store.schema, ASKER)


def answered(fetch, rows):
    """Rows by the names of their properties; the key and the currency only where they are asked for."""
    hidden = {fetch.table.key, "_transactioncurrencyid_value"}
    return [{item.name: row[item.place] for item in fetch.columns if item.name not in hidden} for row in rows]


def rows(store, xml):
    fetch = compiled(store, xml)
    return answered(fetch, run(fetch, store).rows)


def names(store, inner, table="account", shown="name"):
    xml = (
        f"<fetch><entity name='{table}'><attribute name='{shown}'/>"
        f"<order attribute='{shown}'/>{inner}</entity></fetch>"
    )
    return [row[shown] for row in rows(store, xml)]


def code_of(store, xml):
    with pytest.raises(ODataError) as refusal:
        compiled(store, xml)
    assert refusal.value.status == 400
    assert len(refusal.value.message) < 400
    return refusal.value.code


ACCOUNT = "<fetch><entity name='account'>{}</entity></fetch>"


AGGREGATE = "<fetch aggregate='true'{}><entity name='account'>{}</entity></fetch>"
PAGED = "<fetch count='2' page='{}'{}><entity name='account'><attribute name='name'/>{}</entity></fetch>"


def element(text):
    """The root of an XML text that the sandbox wrote."""
    return ElementTree.fromstring(text)  # noqa: S314 - the sandbox is trusted here
