"""Tasks, telephone calls, appointments, who takes part in them, and notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crm_sandbox.company.customers import Person, make_people
from crm_sandbox.company.days import LAST_DAY, SLOT_MINUTES, moment, slot, slot_time, working
from crm_sandbox.company.dice import Dice, weighted
from crm_sandbox.company.layout import OWNED, OWNED_BY_USER, Layout, Values
from crm_sandbox.company.organisation import Owner
from crm_sandbox.company.plan import Block
from crm_sandbox.company.sales import Deal, make_deals
from crm_sandbox.company.texts import CALL_NOTES, CALLS, MEETINGS, NOTES, TASK_NOTES, TASKS

_SENDER, _TO, _REQUIRED, _ORGANIZER, _OWNER = 1, 2, 5, 7, 9
_PRIORITIES = weighted({0: 1, 1: 7, 2: 2})
_CALL_SLOTS, _MEETING_SLOTS = (1, 1, 2), (2, 4, 4, 6, 8)
_OPEN_TASKS = weighted({2: 6, 3: 3, 4: 1, 7: 1})
_CALL_MADE, _CALL_RECEIVED, _CALL_CANCELED = 2, 4, 3
_FUTURE = 45


@dataclass(slots=True, eq=False)
class Happening:
    """A call or a meeting with someone. ``ahead`` says that it is still to come; ``outgoing`` who called.

    ``created`` is the moment at which it was planned.
    """

    id: str
    person: Person
    deal: Deal | None
    day: int
    created: str
    slot: int
    length: int
    ahead: bool
    outgoing: bool

    @property
    def seller(self) -> Owner:
        """Who of the company takes part."""
        return self.person.customer.seller


def make_calls(block: Block) -> list[Happening]:
    """The telephone calls of a block."""
    return _happenings(block, "phonecall", _CALL_SLOTS)


def make_meetings(block: Block) -> list[Happening]:
    """The appointments of a block."""
    return _happenings(block, "appointment", _MEETING_SLOTS)


def _happenings(block: Block, table: str, lengths: tuple[int, ...]) -> list[Happening]:
    dice = block.dice(f"happening {table}")
    people, deals = block.part(make_people), block.part(make_deals)
    return [_happening(dice, people, deals, lengths) for _ in block.numbers(table)]


def _happening(dice: Dice, people: list[Person], deals: list[Deal], lengths: tuple[int, ...]) -> Happening:
    deal = dice.pick(deals) if deals and dice.roll() < 0.6 else None
    person = deal.person if deal else dice.pick(people)
    made, day, ahead = _days(dice, deal.made if deal else person.made)
    return Happening(
        id=dice.guid(),
        person=person,
        deal=deal,
        day=day,
        created=moment(dice, made, (deal or person).created),
        slot=slot(dice),
        length=dice.pick(lengths),
        ahead=ahead,
        outgoing=dice.roll() < 0.75,
    )


def _days(dice: Dice, since: int) -> tuple[int, int, bool]:
    """When an activity was planned, the day it is for, and whether that is still to come."""
    if dice.roll() < 0.2:
        made = working(max(since, LAST_DAY - dice.below(30)))
        return made, working(3 + dice.below(_FUTURE)), True
    made = working(dice.between(since, LAST_DAY))
    return made, max(made, working(min(LAST_DAY, made + dice.below(14)))), False


_ACTIVITY = (
    "activityid",
    "subject",
    "description",
    "scheduledstart",
    "scheduledend",
    "actualstart",
    "actualend",
)
_REGARDING = ("prioritycode", "statecode", "statuscode", "regardingobjectid", "regardingobjectid.table")

TASK = Layout(
    "task",
    (
        "activityid", "subject", "description", "category", "scheduledend", "actualend", "percentcomplete",
        *_REGARDING, *OWNED,
    ),
    {**OWNED_BY_USER, "activitytypecode": "task"},
)  # fmt: skip


def task_rows(block: Block) -> Iterator[Values]:
    """The rows of the tasks of a block."""
    dice = block.dice("task")
    people, deals = block.part(make_people), block.part(make_deals)
    for version in (number for number, _ in zip(block.versions("task"), block.numbers("task"), strict=False)):
        deal = dice.pick(deals) if deals and dice.roll() < 0.65 else None
        person = deal.person if deal else dice.pick(people)
        made, due, ahead = _days(dice, deal.made if deal else person.made)
        text, category = dice.pick(TASKS)
        done = not ahead and dice.roll() < 0.85
        dropped = not done and not ahead and dice.roll() < 0.3
        state = 1 if done else 2 if dropped else 0
        status = (dice.pick(_OPEN_TASKS), 5, 6)[state]
        created = moment(dice, made, (deal or person).created)
        finished = moment(dice, due, created) if state else None
        seller = person.customer.seller
        yield (
            dice.guid(),
            text.format(what=deal.offer if deal else "the framework order", who=person.full_name),
            dice.pick(TASK_NOTES) if dice.roll() < 0.3 else None,
            category,
            slot_time(due, slot(dice)),
            finished,
            100 if done else 50 if status == 3 else 0,
            dice.pick(_PRIORITIES),
            state,
            status,
            deal.id if deal else person.customer.id,
            "opportunity" if deal else "account",
            created,
            finished or created,
            seller.id,
            seller.id,
            seller.id,
            seller.unit_id,
            version,
        )


PHONE_CALL = Layout(
    "phonecall",
    (
        *_ACTIVITY,
        "actualdurationminutes",
        "phonenumber",
        "directioncode",
        "leftvoicemail",
        *_REGARDING,
        *OWNED,
    ),
    {**OWNED_BY_USER, "activitytypecode": "phonecall"},
)


def phone_call_rows(block: Block) -> Iterator[Values]:
    """The rows of the telephone calls of a block."""
    dice = block.dice("phonecall")
    for call, version in zip(block.part(make_calls), block.versions("phonecall"), strict=False):
        person, seller = call.person, call.seller
        canceled = not call.ahead and dice.roll() < 0.06
        done = not call.ahead and not canceled
        start, end = slot_time(call.day, call.slot), slot_time(call.day, call.slot + call.length)
        done_status = _CALL_MADE if call.outgoing else _CALL_RECEIVED
        yield (
            call.id,
            dice.pick(CALLS).format(
                who=person.full_name, what=call.deal.offer if call.deal else "the framework order"
            ),
            dice.pick(CALL_NOTES) if done and dice.roll() < 0.5 else None,
            start,
            end,
            start if done else None,
            end if done else None,
            call.length * SLOT_MINUTES if done else None,
            person.customer.phone,
            int(call.outgoing),
            int(done and call.outgoing and dice.roll() < 0.1),
            dice.pick(_PRIORITIES),
            1 if done else 2 if canceled else 0,
            done_status if done else _CALL_CANCELED if canceled else 1,
            *_regarding(call),
            call.created,
            call.created if call.ahead else moment(dice, call.day, max(call.created, end)),
            seller.id,
            seller.id,
            seller.id,
            seller.unit_id,
            version,
        )


APPOINTMENT = Layout(
    "appointment",
    (*_ACTIVITY, "scheduleddurationminutes", "location", *_REGARDING, *OWNED),
    {**OWNED_BY_USER, "activitytypecode": "appointment"},
)


def appointment_rows(block: Block) -> Iterator[Values]:
    """The rows of the appointments of a block."""
    dice = block.dice("appointment")
    for meeting, version in zip(block.part(make_meetings), block.versions("appointment"), strict=False):
        customer, seller = meeting.person.customer, meeting.seller
        canceled = not meeting.ahead and dice.roll() < 0.08
        done = not meeting.ahead and not canceled
        start, end = (
            slot_time(meeting.day, meeting.slot),
            slot_time(meeting.day, meeting.slot + meeting.length),
        )
        yield (
            meeting.id,
            dice.pick(MEETINGS).format(
                company=customer.name, what=meeting.deal.offer if meeting.deal else "the new products"
            ),
            dice.pick(CALL_NOTES) if done and dice.roll() < 0.3 else None,
            start,
            end,
            start if done else None,
            end if done else None,
            meeting.length * SLOT_MINUTES,
            f"{customer.street}, {customer.city.name}" if dice.roll() < 0.6 else "Online",
            dice.pick(_PRIORITIES),
            1 if done else 2 if canceled else 3,
            3 if done else 4 if canceled else 5,
            *_regarding(meeting),
            meeting.created,
            meeting.created if meeting.ahead else moment(dice, meeting.day, max(meeting.created, end)),
            seller.id,
            seller.id,
            seller.id,
            seller.unit_id,
            version,
        )


def _regarding(happening: Happening) -> tuple[str, str]:
    if happening.deal is not None:
        return happening.deal.id, "opportunity"
    return happening.person.customer.id, "account"


ACTIVITY_PARTY = Layout(
    "activityparty",
    (
        "activitypartyid", "activityid", "activityid.table", "partyid", "partyid.table",
        "participationtypemask", "addressused", "createdon", "modifiedon", "createdby", "modifiedby",
        "versionnumber",
    ),
)  # fmt: skip


def activity_party_rows(block: Block) -> Iterator[Values]:
    """The rows of who takes part in the calls and appointments of a block."""
    dice = block.dice("activityparty")
    versions = block.versions("activityparty")
    for table, happenings in (
        ("phonecall", block.part(make_calls)),
        ("appointment", block.part(make_meetings)),
    ):
        for happening in happenings:
            seller = happening.seller.id
            for party, kind, mask in _parties(table, happening):
                address = happening.person.mail if kind == "contact" else None
                yield (
                    dice.guid(),
                    happening.id,
                    table,
                    party,
                    kind,
                    mask,
                    address,
                    happening.created,
                    happening.created,
                    seller,
                    seller,
                    next(versions),
                )


def _parties(table: str, happening: Happening) -> tuple[tuple[str, str, int], ...]:
    """Who takes part: id, table and role; as many as ``sizes`` says."""
    seller, person = happening.seller.id, happening.person.id
    if table == "appointment":
        return (
            (seller, "systemuser", _ORGANIZER),
            (person, "contact", _REQUIRED),
            (seller, "systemuser", _OWNER),
        )
    caller, called = (_SENDER, _TO) if happening.outgoing else (_TO, _SENDER)
    return (seller, "systemuser", caller), (person, "contact", called)


ANNOTATION = Layout(
    "annotation",
    ("annotationid", "subject", "notetext", "objectid", "objectid.table", "objecttypecode", *OWNED),
    OWNED_BY_USER,
)


def annotation_rows(block: Block) -> Iterator[Values]:
    """The rows of the notes of a block."""
    dice = block.dice("annotation")
    people, deals = block.part(make_people), block.part(make_deals)
    for version in (
        number for number, _ in zip(block.versions("annotation"), block.numbers("annotation"), strict=False)
    ):
        deal = dice.pick(deals) if deals and dice.roll() < 0.5 else None
        person = deal.person if deal else dice.pick(people)
        about, table = (deal.id, "opportunity") if deal else (person.customer.id, "account")
        if deal is None and dice.roll() < 0.4:
            about, table = person.id, "contact"
        since = deal or person
        written = moment(dice, working(dice.between(since.made, LAST_DAY)), since.created)
        title, text = dice.pick(NOTES)
        seller = person.customer.seller
        yield (
            dice.guid(),
            title,
            text.format(who=person.full_name),
            about,
            table,
            table,
            written,
            written,
            seller.id,
            seller.id,
            seller.id,
            seller.unit_id,
            version,
        )
