"""Accounts and contacts: companies, who owns whom, and the people who work there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp, sqrt

from crm_sandbox.company.days import LAST_DAY, changed, moment, working
from crm_sandbox.company.dice import Dice, weighted
from crm_sandbox.company.layout import OWNED, OWNED_BY_USER, Layout, Values
from crm_sandbox.company.organisation import Currency, Owner
from crm_sandbox.company.person_names import CULTURES, Name
from crm_sandbox.company.places import CITIES, HOME_CITIES, City
from crm_sandbox.company.plan import Block
from crm_sandbox.company.texts import ACCOUNT_NOTES, CONTACT_NOTES
from crm_sandbox.company.words import JOB_TITLES, KINDS, KNOWN_COMPANIES

_SMALL, _LARGEST = 80, 100_000
_DEEPEST = 3
_OLDEST = 1_500

_RELATIONS = weighted({3: 14, 8: 8, 5: 2, 9: 2, 10: 1, 6: 1})
_OWNERSHIPS = weighted({1: 2, 2: 8, 4: 1})
_SUBSIDIARY = 3
_CATEGORIES = weighted({1: 1, 2: 3})
_TERMS = weighted({1: 6, 2: 1, 3: 3, 4: 2})
_METHODS = weighted({1: 12, 2: 4, 3: 3, 5: 1})
_INDUSTRIES = tuple(industry for _, industry in KINDS)


@dataclass(slots=True, eq=False)
class Customer:
    """A company. ``short_name`` is its name without the legal form.

    ``made`` is the day of its account, ``created`` the moment.
    """

    id: str
    number: int
    name: str
    short_name: str
    domain: str
    industry: int
    city: City
    owner: Owner
    seller: Owner
    currency: Currency
    employees: int
    phone: str
    street: str
    postal_code: str
    made: int
    created: str
    is_active: bool
    parent: Customer | None
    level: int
    people: list[Person] = field(default_factory=list)

    @property
    def root(self) -> Customer:
        """The head of the group of companies."""
        return self if self.parent is None else self.parent.root


@dataclass(slots=True, eq=False)
class Person:
    """Someone who works for a company."""

    id: str
    first: Name
    last: Name
    full_name: str
    is_woman: bool
    mail: str
    customer: Customer
    made: int
    created: str


def make_customers(block: Block) -> list[Customer]:
    """The companies of a block; a parent comes before its subsidiaries."""
    dice = block.dice("customer")
    made: list[Customer] = []
    branches: set[tuple[str, str]] = set()
    for number in block.numbers("account"):
        parent = _parent(dice, made) if number >= len(KNOWN_COMPANIES) else None
        city = dice.pick(CITIES if number >= len(KNOWN_COMPANIES) else HOME_CITIES)
        if parent is not None:
            branch = (parent.root.id, city.name)
            if parent.root.city is city or branch in branches:
                parent = None
            branches.add(branch)
        made.append(_customer(block, dice, number, city, parent))
    return made


def _parent(dice: Dice, made: list[Customer]) -> Customer | None:
    if dice.roll() > 0.1 or not made:
        return None
    parent = dice.pick(made)
    return parent if parent.level < _DEEPEST and parent.is_active else None


def _customer(block: Block, dice: Dice, number: int, city: City, parent: Customer | None) -> Customer:
    name, short_name, domain, industry = _naming(block, dice, number, city, parent)
    organisation = block.organisation
    seller = dice.pick(
        organisation.sellers_in_europe if city.country.in_europe else organisation.sellers_in_america
    )
    employees = _employees(dice)
    made = (
        working(-3 - int(dice.roll() * dice.roll() * _OLDEST))
        if parent is None
        else _after(dice, parent.made)
    )
    street = city.country.street.format(number=1 + dice.below(240), street=dice.pick(city.country.streets))
    return Customer(
        id=dice.guid(),
        number=number,
        name=name,
        short_name=short_name,
        domain=domain,
        industry=industry,
        city=city,
        owner=organisation.key_accounts if employees > 600 and dice.roll() < 0.4 else seller,
        seller=seller,
        currency=organisation.currencies[city.country.currency],
        employees=employees,
        phone=phone(dice, city),
        street=street,
        postal_code=dice.pick(city.postal_codes),
        made=made,
        created=moment(dice, made, parent.created if parent else ""),
        is_active=dice.roll() > 0.06,
        parent=parent,
        level=1 if parent is None else parent.level + 1,
    )


def _naming(
    block: Block, dice: Dice, number: int, city: City, parent: Customer | None
) -> tuple[str, str, str, int]:
    """Name, name without legal form, domain and industry."""
    if parent is not None:
        head = parent.root
        name = f"{head.short_name} {city.name}"
        return name, name, head.domain, head.industry
    if number < len(KNOWN_COMPANIES):
        name = KNOWN_COMPANIES[number]
        short_name = _without_form(name)
        letters = "".join(char for char in short_name.lower() if char.isalnum())
        return name, short_name, f"{letters}.example", dice.pick(_INDUSTRIES)
    made = block.plan.names.name(number)
    name = f"{made.text} {dice.pick(city.country.forms)}" if dice.roll() < 0.55 else made.text
    return name, made.text, f"{made.domain}.example", made.industry


def _without_form(name: str) -> str:
    return name.partition(",")[0].removesuffix(" Ltd").removesuffix(" Corporation").removesuffix(" (sample)")


def _employees(dice: Dice) -> int:
    """Sizes of companies are spread log-normally; the sum of four rolls is close to a normal one."""
    normal = (dice.roll() + dice.roll() + dice.roll() + dice.roll() - 2) * sqrt(3)
    return min(_LARGEST, 3 + int(exp(4.4 + 1.3 * normal)))


def phone(dice: Dice, city: City) -> str:
    """A telephone number of a city."""
    return city.phone.format(digits=f"1{dice.below(100):02}")


def _after(dice: Dice, day: int) -> int:
    return working(dice.between(day, LAST_DAY))


def make_people(block: Block) -> list[Person]:
    """The people of a block: first one for each company, then more at the larger ones."""
    dice = block.dice("person")
    customers = block.part(make_customers)
    people = []
    total = len(block.numbers("contact"))
    first = min(total, len(customers))
    ranked = sorted(customers, key=lambda customer: -customer.employees) if total > first else []
    for number in range(total):
        if number < first:
            customer = customers[number * len(customers) // first]
        else:
            customer = ranked[int((1 - sqrt(1 - dice.roll())) * len(ranked))]
        person = _person(dice, customer)
        customer.people.append(person)
        people.append(person)
    return people


def _person(dice: Dice, customer: Customer) -> Person:
    first, last, is_woman = someone(dice, customer.city)
    made = _after(dice, customer.made)
    return Person(
        id=dice.guid(),
        first=first,
        last=last,
        full_name=f"{first.text} {last.text}",
        is_woman=is_woman,
        mail=f"{first.mail}.{last.mail}@{customer.domain}",
        customer=customer,
        made=made,
        created=moment(dice, made, customer.created),
    )


def someone(dice: Dice, city: City) -> tuple[Name, Name, bool]:
    """First name, last name, and whether it is a woman, as common in a city."""
    culture = CULTURES[dice.pick(city.country.cultures)]
    is_woman = dice.roll() < 0.5
    return dice.pick(culture.women if is_woman else culture.men), dice.pick(culture.last), is_woman


def _birthday(dice: Dice) -> str:
    """A birth date of someone between 22 and 62."""
    return f"{1964 + dice.below(41)}-{1 + dice.below(12):02}-{1 + dice.below(28):02}"


ACCOUNT = Layout(
    "account",
    (
        "accountid", "name", "accountnumber", "revenue", "numberofemployees", "telephone1", "fax",
        "emailaddress1", "websiteurl", "address1_line1", "address1_city", "address1_stateorprovince",
        "address1_postalcode", "address1_country", "description", "industrycode", "statecode", "statuscode",
        "primarycontactid", "parentaccountid", "transactioncurrencyid", "exchangerate", "accountcategorycode",
        "customertypecode", "ownershipcode", "preferredcontactmethodcode", "paymenttermscode", "creditlimit",
        "creditonhold", "donotbulkemail", "ownerid.table", *OWNED,
    ),
)  # fmt: skip


def account_rows(block: Block) -> Iterator[Values]:
    """The rows of the accounts of a block."""
    dice = block.dice("account")
    block.part(make_people)  # companies know their people once those are made
    for customer, version in zip(block.part(make_customers), block.versions("account"), strict=False):
        city, owner, rate = customer.city, customer.owner, customer.currency.rate
        # The first of the people is the primary contact; some small companies have named none.
        unnamed = customer.employees < _SMALL and customer.number % 5 == 0
        primary = customer.people[0].id if customer.people and not unnamed else None
        inactive = int(not customer.is_active)
        yield (
            customer.id,
            customer.name,
            f"AC-{10_000 + customer.number * 7}",
            round(customer.employees * (90_000 + 230_000 * dice.roll()) * rate, -3),
            customer.employees,
            customer.phone,
            customer.phone[:-2] + f"{dice.below(100):02}" if dice.roll() < 0.2 else None,
            f"info@{customer.domain}",
            f"https://www.{customer.domain}",
            customer.street,
            city.name,
            city.region,
            customer.postal_code,
            city.country.name,
            dice.pick(ACCOUNT_NOTES) if dice.roll() < 0.2 else None,
            customer.industry,
            inactive,
            1 + inactive,
            primary,
            customer.parent.id if customer.parent else None,
            customer.currency.id,
            rate,
            dice.pick(_CATEGORIES) if dice.roll() < 0.4 else None,
            dice.pick(_RELATIONS),
            _SUBSIDIARY if customer.parent else dice.pick(_OWNERSHIPS),
            dice.pick(_METHODS),
            dice.pick(_TERMS) if dice.roll() < 0.8 else None,
            float(5_000 * (1 + customer.employees // 20)) if dice.roll() < 0.6 else None,
            int(dice.roll() < 0.03),
            int(dice.roll() < 0.1),
            owner.table,
            customer.created,
            changed(dice, customer.made, customer.created),
            customer.seller.id,
            customer.seller.id,
            owner.id,
            owner.unit_id,
            version,
        )


CONTACT = Layout(
    "contact",
    (
        "contactid", "firstname", "lastname", "fullname", "salutation", "gendercode", "jobtitle",
        "department", "emailaddress1", "telephone1", "mobilephone", "birthdate", "address1_line1",
        "address1_city",
        "address1_stateorprovince", "address1_postalcode", "address1_country", "description", "statecode",
        "statuscode", "parentcustomerid", "preferredcontactmethodcode", "donotbulkemail",
        "transactioncurrencyid", "exchangerate", *OWNED,
    ),
    {**OWNED_BY_USER, "parentcustomerid.table": "account"},
)  # fmt: skip


def contact_rows(block: Block) -> Iterator[Values]:
    """The rows of the contacts of a block."""
    dice = block.dice("contact")
    for person, version in zip(block.part(make_people), block.versions("contact"), strict=False):
        customer = person.customer
        city, seller = customer.city, customer.seller
        title, department = dice.pick(JOB_TITLES)
        inactive = int(not customer.is_active or dice.roll() < 0.04)
        yield (
            person.id,
            person.first.text,
            person.last.text,
            person.full_name,
            "Ms." if person.is_woman else "Mr.",
            2 if person.is_woman else 1,
            title,
            department,
            person.mail,
            customer.phone,
            city.country.mobile.format(digits=f"1{dice.below(100):02}") if dice.roll() < 0.6 else None,
            _birthday(dice) if dice.roll() < 0.25 else None,
            customer.street,
            city.name,
            city.region,
            customer.postal_code,
            city.country.name,
            dice.pick(CONTACT_NOTES) if dice.roll() < 0.15 else None,
            inactive,
            1 + inactive,
            customer.id,
            dice.pick(_METHODS),
            int(dice.roll() < 0.12),
            customer.currency.id,
            customer.currency.rate,
            person.created,
            changed(dice, person.made, person.created),
            seller.id,
            seller.id,
            seller.id,
            seller.unit_id,
            version,
        )
