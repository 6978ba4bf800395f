"""The rows that the company has once: business units, users, teams, roles, currencies, products, views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crm_sandbox.company.days import FIRST_DAY, iso
from crm_sandbox.company.dice import Dice
from crm_sandbox.company.people import (
    AMERICA,
    DEFAULT_USER,
    EUROPE,
    HEAD_OFFICE,
    ROLES,
    SALES_PEOPLE,
    SELLER,
    User,
    fixed_id,
    users,
)
from crm_sandbox.company.views import view_rows
from crm_sandbox.company.words import PRODUCTS
from crm_sandbox.store import Row, Store

KEY_ACCOUNTS = "Key Accounts"
_UNITS: Mapping[str, str | None] = {HEAD_OFFICE: None, AMERICA: HEAD_OFFICE, EUROPE: HEAD_OFFICE}
_CURRENCIES = (
    ("USD", "US Dollar", "$", 1.0),
    ("EUR", "Euro", "€", 0.92),
    ("GBP", "Pound Sterling", "£", 0.79),
)
_FOUNDED = f"{iso(FIRST_DAY)}T08:00:00Z"
_COST_SHARE = 0.55
_NON_INTERACTIVE = 4


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a row, and the business unit that it then belongs to. ``table`` is systemuser or team."""

    id: str
    table: str
    unit_id: str


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency: its id, its code, and how many of it the base currency's unit is worth."""

    id: str
    code: str
    rate: float


class Organisation:
    """The company itself, as the other parts need it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.users = users(seed)
        self.units = {name: fixed_id(seed, "businessunit", name) for name in _UNITS}
        self.roles = {name: fixed_id(seed, "role", name) for name in ROLES}
        self.teams = {name: fixed_id(seed, "team", name) for name in (*_UNITS, KEY_ACCOUNTS)}
        self.currencies = {
            code: Currency(fixed_id(seed, "transactioncurrency", code), code, rate)
            for code, _, _, rate in _CURRENCIES
        }
        sellers = [user for user in self.users if user.full_name in SALES_PEOPLE]
        self.sellers_in_europe = tuple(self._owner(user) for user in sellers if user.business_unit == EUROPE)
        self.sellers_in_america = tuple(self._owner(user) for user in sellers if user.business_unit != EUROPE)
        self.key_accounts = Owner(self.teams[KEY_ACCOUNTS], "team", self.units[HEAD_OFFICE])

    def insert(self, store: Store) -> None:
        """Put the rows into the store, with its next version numbers."""
        for table, rows in self._rows().items():
            described = store.schema[table]
            defaults = {
                column.name: int(column.default)
                for column in described.columns.values()
                if column.default is not None
            }
            stamps = self._stamps()
            store.insert(
                described, [defaults | row | stamps | {"versionnumber": store.next_version()} for row in rows]
            )
        for user in self.users:
            self._associate(store, "systemuserroles", systemuserid=user.id, roleid=self.roles[user.role])
            self._associate(
                store, "teammembership", systemuserid=user.id, teamid=self.teams[user.business_unit]
            )
            if user.full_name in SALES_PEOPLE[:3]:
                self._associate(store, "teammembership", systemuserid=user.id, teamid=self.key_accounts.id)
        self._associate(store, "teamroles", teamid=self.key_accounts.id, roleid=self.roles[SELLER])

    def _owner(self, user: User) -> Owner:
        return Owner(user.id, "systemuser", self.units[user.business_unit])

    def _stamps(self) -> Row:
        first = next(user.id for user in self.users if user.full_name == DEFAULT_USER)
        return {"createdon": _FOUNDED, "modifiedon": _FOUNDED, "createdby": first, "modifiedby": first}

    def _associate(self, store: Store, intersect: str, **keys: str) -> None:
        names = ", ".join(keys)
        store.connection.execute(f"INSERT INTO {intersect} ({names}) VALUES (?, ?)", [*keys.values()])  # noqa: S608 - names of the schema

    def _rows(self) -> dict[str, list[Row]]:
        return {
            "businessunit": list(self._business_units()),
            "systemuser": list(self._system_users()),
            "role": [
                {"roleid": key, "name": name, "businessunitid": self.units[HEAD_OFFICE]}
                for name, key in self.roles.items()
            ],
            "team": list(self._teams()),
            "transactioncurrency": list(self._currencies()),
            "product": list(self._products()),
            "savedquery": list(view_rows()),
        }

    def _business_units(self) -> Iterator[Row]:
        for name, parent in _UNITS.items():
            yield {
                "businessunitid": self.units[name],
                "name": name,
                "divisionname": name.removeprefix(HEAD_OFFICE).strip() or None,
                "parentbusinessunitid": self.units[parent] if parent else None,
            }

    def _system_users(self) -> Iterator[Row]:
        ids = {user.full_name: user.id for user in self.users}
        for user in self.users:
            yield {
                "systemuserid": user.id,
                "fullname": user.full_name,
                "firstname": user.first_name,
                "lastname": user.last_name,
                "internalemailaddress": user.mail,
                "domainname": user.mail,
                "jobtitle": user.job_title,
                "title": user.job_title,
                "azureactivedirectoryobjectid": user.object_id,
                "applicationid": user.application_id,
                "accessmode": 0 if user.application_id is None else _NON_INTERACTIVE,
                "businessunitid": self.units[user.business_unit],
                "parentsystemuserid": ids[user.manager] if user.manager else None,
            }

    def _teams(self) -> Iterator[Row]:
        # Every business unit has a default team of its name with all of its users:
        # https://learn.microsoft.com/power-platform/admin/manage-teams
        default = (
            "Default team for the parent business unit. The name and membership are managed by the system."
        )
        administrators = {KEY_ACCOUNTS: DEFAULT_USER, AMERICA: "Kim Akers", EUROPE: "Veronica Quek"}
        ids = {user.full_name: user.id for user in self.users}
        for name, key in self.teams.items():
            yield {
                "teamid": key,
                "name": name,
                "description": default if name in _UNITS else "Looks after the largest customers.",
                "isdefault": int(name in _UNITS),
                "businessunitid": self.units.get(name, self.units[HEAD_OFFICE]),
                "administratorid": ids[administrators.get(name, DEFAULT_USER)],
            }

    def _currencies(self) -> Iterator[Row]:
        for code, name, symbol, rate in _CURRENCIES:
            yield {
                "transactioncurrencyid": self.currencies[code].id,
                "currencyname": name,
                "isocurrencycode": code,
                "currencysymbol": symbol,
                "exchangerate": rate,
                **_ACTIVE,
            }

    def _products(self) -> Iterator[Row]:
        dice = Dice(self.seed, "product")
        for number, (name, price) in enumerate(PRODUCTS, start=1):
            cost = round(price * _COST_SHARE, 2)
            yield {
                "productid": fixed_id(self.seed, "product", name),
                "name": name,
                "productnumber": f"P-{1_000 + number * 10}",
                "price": price,
                "currentcost": cost,
                "standardcost": cost,
                "quantityonhand": float(dice.below(400)),
                "transactioncurrencyid": self.currencies["USD"].id,
                "exchangerate": self.currencies["USD"].rate,
                **_ACTIVE,
            }


_ACTIVE: Mapping[str, Any] = {"statecode": 0, "statuscode": 1}
