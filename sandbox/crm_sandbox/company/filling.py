"""Puts the company into a store, block by block, so that memory does not grow with its size."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from crm_sandbox.company import activities, customers, sales
from crm_sandbox.company.layout import Layout, Values
from crm_sandbox.company.organisation import Organisation
from crm_sandbox.company.plan import Block, Plan
from crm_sandbox.store import Store

_TABLES: tuple[tuple[Layout, Callable[[Block], Iterator[Values]]], ...] = (
    (customers.ACCOUNT, customers.account_rows),
    (customers.CONTACT, customers.contact_rows),
    (sales.LEAD, sales.lead_rows),
    (sales.OPPORTUNITY, sales.opportunity_rows),
    (sales.OPPORTUNITY_CLOSE, sales.opportunity_close_rows),
    (activities.TASK, activities.task_rows),
    (activities.PHONE_CALL, activities.phone_call_rows),
    (activities.APPOINTMENT, activities.appointment_rows),
    (activities.ACTIVITY_PARTY, activities.activity_party_rows),
    (activities.ANNOTATION, activities.annotation_rows),
)


def fill(store: Store, seed: int, accounts: int = 200) -> None:
    """Put the company into an empty store: so many accounts, and the rest in proportion (``sizes``)."""
    with store.transaction():
        Organisation(seed).insert(store)
        plan = Plan(seed, accounts, store.next_version())
        for block in plan.blocks():
            for layout, rows in _TABLES:
                layout.insert(store, rows(block))
        store.continue_from(plan.last_version)
