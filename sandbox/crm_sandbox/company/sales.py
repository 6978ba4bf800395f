"""Leads, opportunities and how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crm_sandbox.company.customers import Person, make_people, phone, someone
from crm_sandbox.company.days import LAST_DAY, changed, iso, moment, working
from crm_sandbox.company.dice import Dice, weighted
from crm_sandbox.company.layout import OWNED, OWNED_BY_USER, Layout, Values
from crm_sandbox.company.organisation import Owner
from crm_sandbox.company.places import CITIES, City
from crm_sandbox.company.plan import Block
from crm_sandbox.company.sizes import is_closed, is_qualified
from crm_sandbox.company.texts import LEAD_NOTES, LOST_REASONS, NEEDS, SITUATIONS, SOLUTIONS, WON_REASONS
from crm_sandbox.company.words import JOB_TITLES, LEAD_SOURCES, OFFERS, STAGES

OPEN, WON, LOST = 0, 1, 2
_PROBABILITIES = (15, 35, 60, 80)
_RATINGS = weighted({1: 1, 2: 2, 3: 1})
_QUALITIES = weighted({1: 2, 2: 5, 3: 3})
_TIMEFRAMES = weighted({0: 1, 1: 4, 2: 3, 3: 2, 4: 2})
_STAGES_OF_OPEN = weighted({0: 5, 1: 6, 2: 5, 3: 3})
_REASONS_OPEN, _REASONS_LOST = weighted({1: 6, 2: 1}), weighted({4: 1, 5: 2})
_LEAD_OPEN, _LEAD_LOST = weighted({1: 3, 2: 2}), weighted({4: 3, 5: 2, 6: 3, 7: 1})
_NEWEST_OPEN, _LEAD_AGE = 220, 260
_QUALIFYING_TAKES = 45


@dataclass(slots=True, eq=False)
class Deal:
    """What an opportunity is about. ``closes`` is the day it closed, or is to close; days as in ``days``.

    ``created`` is the moment of ``made``, ``closed`` that of ``closes`` unless it is open.
    """

    id: str
    name: str
    offer: str
    person: Person
    value: float
    state: int
    made: int
    created: str
    closes: int
    closed: str | None
    lead_id: str | None = None

    @property
    def seller(self) -> Owner:
        """Who sells it."""
        return self.person.customer.seller


@dataclass(slots=True, eq=False)
class Prospect:
    """Who a lead is. ``deal`` is what became of it when it is qualified."""

    id: str
    first_name: str
    last_name: str
    company: str
    mail: str
    city: City
    offer: str
    amount: float
    seller: Owner
    state: int
    made: int
    created: str
    deal: Deal | None

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


def make_deals(block: Block) -> list[Deal]:
    """The deals of a block, each with someone who works for an account of it."""
    dice = block.dice("deal")
    people = block.part(make_people)
    return [_deal(dice, dice.pick(people), is_closed(number)) for number in block.numbers("opportunity")]


def _deal(dice: Dice, person: Person, closed: bool) -> Deal:
    offer, price, fewest, most = dice.pick(OFFERS)
    units = dice.between(fewest, most - 1)
    rate = person.customer.currency.rate
    if closed:
        state = WON if dice.roll() < 0.62 else LOST
        made = working(dice.between(person.made, max(person.made, LAST_DAY - 14)))
        closes = max(made, working(min(LAST_DAY, made + 10 + dice.below(150))))
    else:
        state = OPEN
        made = working(max(person.made, LAST_DAY - int(dice.roll() * dice.roll() * _NEWEST_OPEN)))
        # Some are overdue, most are due within the next half year.
        closes = max(made + 5, working(int(dice.roll() * dice.roll() * 260) - 20))
    created = moment(dice, made, person.created)
    return Deal(
        id=dice.guid(),
        name=f"{units} {offer} for {person.customer.name}",
        offer=f"{units} {offer}",
        person=person,
        value=max(100.0, round(units * price * (0.9 + 0.2 * dice.roll()) * rate, -2)),
        state=state,
        made=made,
        created=created,
        closes=closes,
        closed=moment(dice, closes, created) if closed else None,
    )


def make_prospects(block: Block) -> list[Prospect]:
    """The leads of a block; a qualified one became one of its deals."""
    dice = block.dice("prospect")
    numbers = block.numbers("lead")
    waiting = [deal for deal in block.part(make_deals) if deal.made > deal.person.customer.made]
    return [
        _qualified(dice, waiting.pop(dice.below(len(waiting))))
        if waiting and is_qualified(number)
        else _prospect(block, dice, number)
        for number in numbers
    ]


def _qualified(dice: Dice, deal: Deal) -> Prospect:
    person = deal.person
    made = min(deal.made, max(person.customer.made, working(deal.made - dice.below(_QUALIFYING_TAKES))))
    deal.lead_id = dice.guid()
    return Prospect(
        id=deal.lead_id,
        first_name=person.first.text,
        last_name=person.last.text,
        company=person.customer.name,
        mail=person.mail,
        city=person.customer.city,
        offer=deal.offer,
        amount=deal.value,
        seller=deal.seller,
        state=1,
        made=made,
        created=min(deal.created, moment(dice, made)),
        deal=deal,
    )


def _prospect(block: Block, dice: Dice, number: int) -> Prospect:
    city = dice.pick(CITIES)
    first, last, _ = someone(dice, city)
    # Names of companies that are no customers follow those of the customers.
    company = block.plan.names.name(block.plan.accounts + number)
    offer, price, fewest, most = dice.pick(OFFERS)
    units = dice.between(fewest, most - 1)
    organisation = block.organisation
    sellers = organisation.sellers_in_europe if city.country.in_europe else organisation.sellers_in_america
    rate = organisation.currencies[city.country.currency].rate
    made = working(LAST_DAY - int(dice.roll() * dice.roll() * _LEAD_AGE))
    return Prospect(
        id=dice.guid(),
        first_name=first.text,
        last_name=last.text,
        company=company.text,
        mail=f"{first.mail}.{last.mail}@{company.domain}.example",
        city=city,
        offer=f"{units} {offer}",
        amount=round(units * price * rate, -2),
        seller=dice.pick(sellers),
        state=2 if dice.roll() < 0.26 else 0,
        made=made,
        created=moment(dice, made),
        deal=None,
    )


LEAD = Layout(
    "lead",
    (
        "leadid", "subject", "firstname", "lastname", "fullname", "companyname", "jobtitle", "emailaddress1",
        "telephone1", "mobilephone", "numberofemployees", "estimatedamount", "estimatedclosedate",
        "leadsourcecode", "leadqualitycode", "industrycode", "address1_city", "address1_stateorprovince",
        "address1_postalcode", "address1_country", "description", "budgetstatus", "purchasetimeframe",
        "statecode", "statuscode", "parentaccountid", "parentcontactid", "customerid", "customerid.table",
        "qualifyingopportunityid", "transactioncurrencyid", "exchangerate", *OWNED,
    ),
    OWNED_BY_USER,
)  # fmt: skip


def lead_rows(block: Block) -> Iterator[Values]:
    """The rows of the leads of a block."""
    dice = block.dice("lead")
    for prospect, version in zip(block.part(make_prospects), block.versions("lead"), strict=False):
        deal, city, seller = prospect.deal, prospect.city, prospect.seller
        customer = deal.person.customer if deal else None
        currency = block.organisation.currencies[city.country.currency]
        state = prospect.state
        yield (
            prospect.id,
            f"Interested in {prospect.offer.partition(' ')[2]}",
            prospect.first_name,
            prospect.last_name,
            prospect.full_name,
            prospect.company,
            dice.pick(JOB_TITLES)[0],
            prospect.mail,
            customer.phone if customer else phone(dice, city),
            city.country.mobile.format(digits=f"1{dice.below(100):02}")[:20] if dice.roll() < 0.4 else None,
            customer.employees if customer else 2 + int(2_000 * dice.roll() ** 5),
            prospect.amount,
            iso(min(700, prospect.made + 30 + dice.below(200))),
            dice.pick(LEAD_SOURCES),
            dice.pick(_QUALITIES),
            customer.industry if customer else 1 + dice.below(33),
            city.name,
            city.region,
            customer.postal_code if customer else dice.pick(city.postal_codes),
            city.country.name,
            dice.pick(LEAD_NOTES) if dice.roll() < 0.4 else None,
            dice.below(4) if dice.roll() < 0.5 else None,
            dice.pick(_TIMEFRAMES) if dice.roll() < 0.6 else None,
            state,
            (dice.pick(_LEAD_OPEN), 3, dice.pick(_LEAD_LOST))[state],
            customer.id if customer else None,
            deal.person.id if deal else None,
            customer.id if customer else None,
            "account" if customer else None,
            deal.id if deal else None,
            currency.id,
            currency.rate,
            prospect.created,
            deal.created if deal else changed(dice, prospect.made, prospect.created),
            seller.id,
            seller.id,
            seller.id,
            seller.unit_id,
            version,
        )


OPPORTUNITY = Layout(
    "opportunity",
    (
        "opportunityid", "name", "estimatedvalue", "estimatedclosedate", "actualvalue", "actualclosedate",
        "stepname", "salesstage", "closeprobability", "opportunityratingcode", "customerneed",
        "currentsituation", "proposedsolution", "budgetamount", "purchasetimeframe", "statecode",
        "statuscode", "customerid", "parentaccountid", "parentcontactid", "originatingleadid",
        "transactioncurrencyid",
        "exchangerate", *OWNED,
    ),
    {**OWNED_BY_USER, "customerid.table": "account"},
)  # fmt: skip


def opportunity_rows(block: Block) -> Iterator[Values]:
    """The rows of the opportunities of a block."""
    dice = block.dice("opportunity")
    block.part(make_prospects)  # deals know their leads once those are made
    for deal, version in zip(block.part(make_deals), block.versions("opportunity"), strict=False):
        customer, seller, state = deal.person.customer, deal.seller, deal.state
        stage = dice.pick(_STAGES_OF_OPEN) if state == OPEN else 3
        closed = iso(deal.closes) if state != OPEN else None
        yield (
            deal.id,
            deal.name,
            deal.value,
            iso(deal.closes),
            (None, deal.value, 0.0)[state],
            closed,
            STAGES[stage],
            stage,
            (_PROBABILITIES[stage], 100, 0)[state],
            dice.pick(_RATINGS),
            dice.pick(NEEDS) if dice.roll() < 0.5 else None,
            dice.pick(SITUATIONS) if dice.roll() < 0.4 else None,
            dice.pick(SOLUTIONS).format(offer=deal.offer) if stage > 1 else None,
            round(deal.value * (0.8 + 0.5 * dice.roll()), -2) if dice.roll() < 0.5 else None,
            dice.pick(_TIMEFRAMES) if state == OPEN and dice.roll() < 0.6 else None,
            state,
            (dice.pick(_REASONS_OPEN), 3, dice.pick(_REASONS_LOST))[state],
            customer.id,
            customer.id,
            deal.person.id,
            deal.lead_id,
            customer.currency.id,
            customer.currency.rate,
            deal.created,
            deal.closed or changed(dice, deal.made, deal.created),
            seller.id,
            seller.id,
            seller.id,
            seller.unit_id,
            version,
        )


OPPORTUNITY_CLOSE = Layout(
    "opportunityclose",
    (
        "activityid", "subject", "description", "actualend", "actualrevenue", "opportunitystatecode",
        "opportunityid", "regardingobjectid", "transactioncurrencyid", "exchangerate", *OWNED,
    ),
    {
        **OWNED_BY_USER,
        "activitytypecode": "opportunityclose",
        "statecode": 1,
        "statuscode": 2,
        "regardingobjectid.table": "opportunity",
    },
)  # fmt: skip


def opportunity_close_rows(block: Block) -> Iterator[Values]:
    """The rows of the activities that closed opportunities of a block."""
    dice = block.dice("opportunityclose")
    closed = (deal for deal in block.part(make_deals) if deal.state != OPEN)
    for deal, version in zip(closed, block.versions("opportunityclose"), strict=False):
        seller, currency = deal.seller, deal.person.customer.currency
        yield (
            dice.guid(),
            f"{'Won' if deal.state == WON else 'Lost'}: {deal.name}"[:200],
            dice.pick(WON_REASONS if deal.state == WON else LOST_REASONS),
            deal.closed,
            deal.value if deal.state == WON else 0.0,
            deal.state,
            deal.id,
            deal.id,
            currency.id,
            currency.rate,
            deal.closed,
            deal.closed,
            seller.id,
            seller.id,
            seller.id,
            seller.unit_id,
            version,
        )
