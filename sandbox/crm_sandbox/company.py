"""The sample company: a sales team with its accounts, contacts, leads and opportunities.

The same seed gives the same rows with the same ids, whatever the clock says. Days are spread round
:data:`TODAY`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from crm_sandbox.names import (
    CITIES,
    COMPANY_KINDS,
    COMPANY_WORDS,
    FIRST_NAMES,
    JOB_TITLES,
    KNOWN_COMPANIES,
    LAST_NAMES,
    PRODUCTS,
    STAGES,
    City,
)
from crm_sandbox.schema.base_columns import CREATED, CURRENCY, MODIFIED, OWNER, VERSION
from crm_sandbox.store import Store

TODAY = date(2026, 11, 23)
ACCOUNTS, CONTACTS, LEADS, OPPORTUNITIES = 200, 500, 300, 250
_NAMESPACE = UUID("6f1d2c9a-3f57-4a86-9a34-6a2c5f0f9b11")

Row = dict[str, Any]


def fill(store: Store, seed: int, accounts: int = 200) -> None:
    """Put the company into an empty store."""
    company = _Company(store, seed)
    store.connection.execute("BEGIN")
    for table, rows in company.rows().items():
        store.insert(store.schema[table], rows)
    store.connection.execute("COMMIT")


class _Company:
    """Makes the rows, in the order in which they refer to each other."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - sample data, no secret

    def rows(self) -> dict[str, list[Row]]:
        unit = self._small("businessunit", "Contoso Sales", name="Contoso Sales")
        self._users = [
            self._small(
                "systemuser", name, fullname=name, internalemailaddress=_mail(name, "contoso.example")
            )
            for name in (
                "Alex Baker",
                "Dana Ortiz",
                "Kim Akers",
                "Robin Counts",
                "Sanjay Shah",
                "Veronica Quek",
            )
        ]
        self._currency = self._small(
            "transactioncurrency",
            "US Dollar",
            currencyname="US Dollar",
            isocurrencycode="USD",
            currencysymbol="$",
            exchangerate=1.0,
        )
        role = self._small("role", "System Administrator", name="System Administrator")
        for user in self._users:
            user["businessunitid"] = unit["businessunitid"]
            user["isdisabled"] = 0
            self._store.connection.execute(
                "INSERT INTO systemuserroles (systemuserid, roleid) VALUES (?, ?)",
                [user["systemuserid"], role["roleid"]],
            )
        team = self._small("team", "Contoso Sales", name="Contoso Sales")
        accounts = [self._account(number, name) for number, name in enumerate(self._company_names())]
        contacts = [self._contact(number, accounts) for number in range(CONTACTS)]
        _choose_primary_contacts(accounts, contacts)
        opportunities = [self._opportunity(number, accounts, contacts) for number in range(OPPORTUNITIES)]
        leads = [self._lead(number) for number in range(LEADS)]
        return {
            "businessunit": [unit],
            "role": [role],
            "systemuser": self._users,
            "team": [team],
            "transactioncurrency": [self._currency],
            "account": accounts,
            "contact": contacts,
            "opportunity": opportunities,
            "lead": leads,
        }

    def _company_names(self) -> Iterator[str]:
        yield from KNOWN_COMPANIES
        made = [f"{word} {kind}" for word in COMPANY_WORDS for kind in COMPANY_KINDS]
        yield from self._random.sample(made, ACCOUNTS - len(KNOWN_COMPANIES))

    def _account(self, number: int, name: str) -> Row:
        city = self._random.choices(CITIES, [city.weight for city in CITIES])[0]
        domain = "".join(char for char in name.lower() if char.isalnum())[:24] + ".example"
        size = round(self._random.lognormvariate(4.6, 1.3)) + 3
        active = self._random.random() > 0.06
        return self._row("account", str(number), self._past_day(1500)) | {
            "name": name,
            "accountnumber": f"AC-{10_000 + number * 7}",
            "revenue": round(size * self._random.uniform(90_000, 320_000), -3),
            "numberofemployees": size,
            "telephone1": self._phone(city),
            "emailaddress1": f"info@{domain}",
            "websiteurl": f"https://www.{domain}",
            **self._address(city),
            "industrycode": self._random.choice(
                (1, 5, 6, 7, 9, 10, 12, 15, 16, 17, 20, 21, 22, 25, 30, 32, 33)
            ),
            "statecode": 0 if active else 1,
            "statuscode": 1 if active else 2,
            **self._money_currency(),
        }

    def _contact(self, number: int, accounts: list[Row]) -> Row:
        # Every account has someone; the rest gather at the larger ones.
        ranked = sorted(accounts, key=lambda row: -row["revenue"])
        place = number if number < ACCOUNTS else int(self._random.triangular(0, ACCOUNTS - 1, 0))
        account = (accounts if number < ACCOUNTS else ranked)[place]
        first, last = self._random.choice(FIRST_NAMES), self._random.choice(LAST_NAMES)
        domain = account["emailaddress1"].partition("@")[2]
        address = {name: value for name, value in account.items() if name.startswith("address1_")}
        return self._row("contact", str(number), self._past_day(1200)) | {
            "firstname": first,
            "lastname": last,
            "fullname": f"{first} {last}",
            "jobtitle": self._random.choice(JOB_TITLES),
            "emailaddress1": _mail(f"{first} {last}", domain),
            "telephone1": account["telephone1"],
            "mobilephone": f"+1 555 01{self._random.randrange(100):02}"
            if self._random.random() < 0.6
            else None,
            **address,
            "statecode": 0,
            "statuscode": 1,
            **_lookup("parentcustomerid", "account", account["accountid"]),
        }

    def _opportunity(self, number: int, accounts: list[Row], contacts: list[Row]) -> Row:
        contact = self._random.choice(contacts)
        account_id = contact["parentcustomerid"]
        name = next(row["name"] for row in accounts if row["accountid"] == account_id)
        product, unit_price, low, high = self._random.choice(PRODUCTS)
        units = self._random.randrange(low, high)
        value = round(units * unit_price * self._random.uniform(0.9, 1.1), -2)
        state = self._random.choices((0, 1, 2), (60, 25, 15))[0]
        stage = self._random.randrange(4) if state == 0 else 3
        close = TODAY + timedelta(days=round(self._random.triangular(-40, 240, 45)))
        if state:
            close = TODAY - timedelta(days=self._random.randrange(3, 400))
        made = min(close, TODAY) - timedelta(days=self._random.randrange(10, 160))
        return self._row("opportunity", str(number), made) | {
            "name": f"{units} {product} for {name}",
            "estimatedvalue": value,
            "estimatedclosedate": close.isoformat(),
            "actualvalue": value if state == 1 else 0 if state == 2 else None,
            "actualclosedate": close.isoformat() if state else None,
            "stepname": STAGES[stage],
            "salesstage": stage,
            "closeprobability": {0: (15, 35, 60, 80)[stage], 1: 100, 2: 0}[state],
            "opportunityratingcode": self._random.choices((1, 2, 3), (25, 50, 25))[0],
            "statecode": state,
            "statuscode": {
                0: self._random.choices((1, 2), (85, 15))[0],
                1: 3,
                2: self._random.choice((4, 5)),
            }[state],
            **_lookup("customerid", "account", account_id),
            **_lookup("parentaccountid", "account", account_id),
            **_lookup("parentcontactid", "contact", contact["contactid"]),
            **self._money_currency(),
        }

    def _lead(self, number: int) -> Row:
        first, last = self._random.choice(FIRST_NAMES), self._random.choice(LAST_NAMES)
        company = f"{self._random.choice(COMPANY_WORDS)} {self._random.choice(COMPANY_KINDS)}"
        product, unit_price, low, high = self._random.choice(PRODUCTS)
        state = self._random.choices((0, 1, 2), (62, 16, 22))[0]
        reasons = {0: (1, 2), 1: (3,), 2: (4, 5, 6, 7)}[state]
        domain = "".join(char for char in company.lower() if char.isalnum()) + ".example"
        return self._row("lead", str(number), self._past_day(180)) | {
            "subject": f"Interested in {product}",
            "firstname": first,
            "lastname": last,
            "fullname": f"{first} {last}",
            "companyname": company,
            "jobtitle": self._random.choice(JOB_TITLES),
            "emailaddress1": _mail(f"{first} {last}", domain),
            "telephone1": f"+1 555 01{self._random.randrange(100):02}",
            "numberofemployees": round(self._random.lognormvariate(4, 1.2)) + 1,
            "estimatedamount": round(unit_price * self._random.randrange(low, high), -2),
            "leadsourcecode": self._random.choices(range(1, 11), (6, 8, 10, 12, 3, 9, 14, 26, 9, 3))[0],
            "leadqualitycode": self._random.choices((1, 2, 3), (2, 5, 3))[0],
            "industrycode": self._random.randrange(1, 34),
            "statecode": state,
            "statuscode": self._random.choice(reasons),
            **self._money_currency(),
        }

    def _small(self, table: str, identity: str, **columns: Any) -> Row:
        made = f"{TODAY - timedelta(days=2000)}T08:00:00Z"
        key = self._store.schema[table].key
        stamps = {CREATED: made, MODIFIED: made, VERSION: self._store.next_version()}
        return {key: self._id(table, identity), **columns, **stamps}

    def _row(self, table: str, identity: str, made: date) -> Row:
        owner = self._random.choice(self._users)["systemuserid"]
        changed = min(TODAY, made + timedelta(days=self._random.randrange(60)))
        return {
            self._store.schema[table].key: self._id(table, identity),
            CREATED: self._moment(made),
            MODIFIED: self._moment(changed),
            VERSION: self._store.next_version(),
            **_lookup(OWNER, "systemuser", owner),
        }

    def _id(self, table: str, identity: str) -> str:
        return str(uuid5(_NAMESPACE, f"{self._seed}/{table}/{identity}"))

    def _past_day(self, most: int) -> date:
        return TODAY - timedelta(days=self._random.randrange(2, most))

    def _moment(self, day: date) -> str:
        return f"{day}T{self._random.randrange(8, 18):02}:{self._random.randrange(60):02}:00Z"

    def _phone(self, city: City) -> str:
        return f"{city.prefix} 555 01{self._random.randrange(100):02}"

    def _address(self, city: City) -> Row:
        return {
            "address1_line1": f"{self._random.randrange(1, 400)} {self._random.choice(city.streets)}",
            "address1_city": city.name,
            "address1_stateorprovince": city.region,
            "address1_postalcode": city.postal_code,
            "address1_country": city.country,
        }

    def _money_currency(self) -> Row:
        return _lookup(CURRENCY, "transactioncurrency", self._currency["transactioncurrencyid"])


def _lookup(column: str, table: str, key: str) -> Row:
    return {column: key, f"{column}.table": table}


def _choose_primary_contacts(accounts: list[Row], contacts: list[Row]) -> None:
    """The first contact of most accounts is its primary one."""
    for number, (account, contact) in enumerate(zip(accounts, contacts, strict=False)):
        if number % 10 != 9:
            account |= _lookup("primarycontactid", "contact", contact["contactid"])


def _mail(name: str, domain: str) -> str:
    return f"{name.lower().replace(' ', '.').replace(chr(39), '')}@{domain}"
