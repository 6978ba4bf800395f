"""What there is in the end: in the state that the replicas share, and in the CRM."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import httpx
import psycopg

from tests.replicas.clients import Tally
from tests.replicas.deployment import Deployment

Leads = dict[str, list[tuple[str, str]]]
"""Id and subject of the leads that clients created, by name."""


class Change(NamedTuple):
    """A line of the journal. ``process`` is that of the server which made the change."""

    action: str
    record: str
    state: str
    plan: str | None
    process: int
    id: str


@dataclass(frozen=True)
class Kept:
    """What the state has."""

    writes: Counter[str]
    """What was taken from the budgets, by caller."""
    changes: list[Change]
    plans: dict[str, str]
    """The status of each plan."""
    plan_events: Counter[tuple[str, str]]
    """How often the audit has each event of each plan."""


def kept(database: str) -> Kept:
    with psycopg.connect(database) as state:
        writes = state.execute("SELECT caller, count(*) FROM uses WHERE kind = 'writes' GROUP BY caller")
        changes = state.execute("SELECT action, record, state, plan, process, id FROM changes")
        plans = state.execute("SELECT id, status FROM plans")
        events = state.execute(
            "SELECT body::json ->> 'plan', outcome FROM events WHERE body::json ->> 'kind' LIKE 'plan %'"
        )
        return Kept(
            Counter(dict(writes.fetchall())),
            [Change(*row) for row in changes],
            dict(plans.fetchall()),
            Counter(events.fetchall()),
        )


def leads_of(deployment: Deployment) -> Leads:
    found: Leads = {}
    question = "leads?$select=lastname,subject&$filter=startswith(lastname,'caller')"
    link: str | None = f"{deployment.crm}/{question}"
    while link is not None:
        page = httpx.get(link, timeout=60).raise_for_status().json()
        for row in page["value"]:
            found.setdefault(row["lastname"], []).append((row["leadid"], row["subject"]))
        link = page.get("@odata.nextLink")
    return found


def check_budgets(state: Kept, of_one: int, in_all: int) -> None:
    """All of it was used and nothing more, and each write was taken from it once."""
    assert sum(state.writes.values()) == in_all == len(state.changes)
    assert max(state.writes.values()) <= of_one


def check_writes(tally: Tally, leads: Leads) -> None:
    """What was told as done is done once, what was refused is not, and nothing is there twice."""
    there = {key: subject for rows in leads.values() for key, subject in rows}
    assert [name for name, rows in leads.items() if len(rows) > 1] == []
    deleted = {tally.names[key] for key, told in tally.deleted.items() if told == "done"}
    unsure = {tally.names[key] for key, told in tally.deleted.items() if told == "unknown"}
    for name, told in tally.created.items():
        if told == "done" and name not in unsure:
            assert (name in leads) == (name not in deleted), name
        if told == "refused":
            assert name not in leads, name
    assert leads.keys() <= tally.created.keys()
    for key, told in tally.changed.items():
        if key in there and told != "unknown":
            assert there[key] == ("Pencils" if told == "done" else "Pens"), key


def check_plans(tally: Tally, state: Kept) -> None:
    """Each plan is there, was approved at most once, and used at most once, as its change says."""
    events = state.plan_events
    assert {plan for plan, what in events if what == "proposed"} == state.plans.keys()
    assert all(count == 1 for (_, what), count in events.items() if what in ("proposed", "approved"))
    used = Counter(change.plan for change in state.changes if change.plan is not None)
    assert all(count == 1 for count in used.values())
    assert used.keys() == {plan for plan, status in state.plans.items() if status == "used"}
    assert all(change.plan is not None for change in state.changes if change.action == "delete")
    agreed = {plan for plan, status in state.plans.items() if status in ("used", "approved")}
    assert agreed == {plan for plan, what in events if what == "approved"}
    assert len(agreed) <= tally.asked + tally.approved_elsewhere
    done = sum(told == "done" for told in tally.deleted.values())
    assert 0 < done <= len(used)


def check_journal(before: Kept, after: Kept, leads: Leads, killed: int) -> None:
    """Only what the killed process had begun was left open, and it was settled by what the CRM has."""
    left_open = {change.id for change in before.changes if change.state == "begun"}
    assert {change.process for change in before.changes if change.id in left_open} <= {killed}
    there = {key for rows in leads.values() for key, _ in rows}
    for change in after.changes:
        if change.id in left_open and change.action == "create":
            assert change.state == ("done" if change.record in there else "begun")
        elif change.process != killed:
            assert change.state == "done", change


def check_troubles(deployment: Deployment, tally: Tally, killed: tuple[float, float]) -> None:
    """Connections broke at the first replica, between being killed and started again, and nowhere else."""
    assert tally.broken
    first, last = killed
    killed_one = f'upstream: "http://127.0.0.1:{deployment.replicas[0].port}/'
    lines = (deployment.folder / "nginx.log").read_text(encoding="utf-8").splitlines()
    # Where a connection was refused nothing had been sent, and another replica answered.
    cut_off = [line for line in lines if "[error]" in line and "(111: Connection refused)" not in line]
    assert [line for line in cut_off if killed_one not in line] == []
    late = [(at - first, words) for at, words in tally.broken if not first <= at <= last]
    assert late == [], f"after {last - first:.1f} s the replica was back: {late}"
