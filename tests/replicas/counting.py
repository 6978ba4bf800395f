"""What there is in the end: in the state that the replicas share, and in the CRM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import httpx

from tests.replicas.clients import BROKEN, Tally
from tests.replicas.deployment import Deployment

Leads = dict[str, list[tuple[str, str]]]
"""Id and subject of the leads that clients created, by name."""


class Change(NamedTuple):
    """A line of the journal. ``process`` is that of the server which made the change."""

    action: str
    record: str
    state: str
    error: str | None
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
    calls: int
    """The calls in the audit."""
    ends: Counter[str]
    """How often the audit has the end of each change."""


def kept(deployment: Deployment) -> Kept:
    with deployment.connected() as state:
        writes = state.execute("SELECT caller, count(*) FROM uses WHERE kind = 'writes' GROUP BY caller")
        changes = state.execute("SELECT action, record, state, error, plan, process, id FROM changes")
        plans = state.execute("SELECT id, status FROM plans")
        events = state.execute(
            "SELECT body::json ->> 'plan', outcome FROM events WHERE body::json ->> 'kind' LIKE 'plan %'"
        )
        calls = state.execute("SELECT count(*) FROM events WHERE body::json ->> 'kind' = 'call'").fetchone()
        ends = state.execute(
            "SELECT body::json ->> 'change' FROM events WHERE body::json ->> 'kind' = 'write ended'"
        )
        assert calls is not None
        return Kept(
            Counter(dict(writes.fetchall())),
            [Change(*row) for row in changes],
            dict(plans.fetchall()),
            Counter(events.fetchall()),
            calls[0],
            Counter(change for (change,) in ends),
        )


def leads_of(deployment: Deployment) -> Leads:
    """The leads that clients of the deployment created."""
    found: Leads = {}
    question = f"leads?$select=lastname,subject&$filter=startswith(lastname,'{deployment.mark}')"
    link: str | None = f"{deployment.crm}/{question}"
    while link is not None:
        page = httpx.get(link, timeout=60).raise_for_status().json()
        for row in page["value"]:
            found.setdefault(row["lastname"], []).append((row["leadid"], row["subject"]))
        link = page.get("@odata.nextLink")
    return found


def is_there(deployment: Deployment, lead: str) -> bool:
    """Whether the CRM has a lead."""
    answer = httpx.get(f"{deployment.crm}/leads({lead})?$select=leadid", timeout=60)
    return answer.status_code == httpx.codes.OK


def check_budget(state: Kept, in_all: int) -> None:
    """Nothing more was used than there was, and all of it; each write was taken from it once."""
    assert sum(state.writes.values()) == in_all == len(state.changes)


def check_writes(tally: Tally, leads: Leads) -> None:
    """What was told as done is done once, what was refused is not, and nothing is there twice."""
    assert [name for name, rows in leads.items() if len(rows) > 1] == []
    assert leads.keys() <= tally.created.keys()
    there = {key: subject for rows in leads.values() for key, subject in rows}
    deleted = {key for key, told in tally.deleted.items() if "done" in told}
    unsure = {key for key, told in tally.deleted.items() if "unknown" in told} - deleted
    assert deleted.isdisjoint(there)
    assert {name for name, told in tally.created.items() if told == "refused"}.isdisjoint(leads)
    done = {key for key, name in tally.names.items() if tally.created[name] == "done"}
    assert done - deleted - unsure <= there.keys()
    for key, told in tally.changed.items():
        if key in there and told != "unknown":
            assert there[key] == ("Pencils" if told == "done" else "Pens"), key


def check_plans(tally: Tally, state: Kept) -> None:
    """Each plan is there, was approved at most once, and used at most once, as its change says."""
    events = state.plan_events
    assert {plan for plan, what in events if what == "proposed"} == state.plans.keys()
    assert tally.plans <= state.plans.keys()
    assert all(count == 1 for (_, what), count in events.items() if what in ("proposed", "approved"))
    used = Counter(change.plan for change in state.changes if change.plan is not None)
    assert all(count == 1 for count in used.values())
    assert used.keys() == {plan for plan, status in state.plans.items() if status == "used"}
    assert all(change.plan is not None for change in state.changes if change.action == "delete")
    agreed = {plan for plan, status in state.plans.items() if status in ("used", "approved")}
    assert agreed == {plan for plan, what in events if what == "approved"}
    assert agreed >= tally.approved
    assert len(agreed) <= tally.asked + len(tally.approved)
    # One approval is one delete, however often it was tried.
    assert all(told.count("done") <= 1 for told in tally.deleted.values())
    assert 0 < sum("done" in told for told in tally.deleted.values()) <= len(used)


def check_journal(tally: Tally, state: Kept, leads: Leads, killed: Mapping[int, str]) -> None:
    """What killed processes had begun was settled once, by what the CRM has; all else ended as it was told.

    ``killed`` has of each process a lead that it had created without telling anybody.
    """
    there = {key for rows in leads.values() for key, _ in rows}
    for process, lead in killed.items():
        (change,) = (
            change for change in state.changes if change.record == lead and change.action == "create"
        )
        assert (change.process, change.state, change.error) == (process, "done", "interrupted")
        (name,) = (name for name, rows in leads.items() if lead in {key for key, _ in rows})
        assert tally.created[name] == "unknown"
    for change in state.changes:
        if change.process not in killed:
            assert (change.state, change.error) == ("done", None), change
        elif change.action == "create" and change.error == "interrupted":
            # Nobody was told its id, and so nobody has deleted it since.
            assert (change.state == "done") == (change.record in there), change
    assert state.ends == Counter(change.id for change in state.changes if change.state != "begun")


def check_troubles(deployment: Deployment, tally: Tally, killed: int) -> None:
    """Whoever was not answered was at a replica that was killed; nginx sent no call a second time."""
    assert tally.answers[BROKEN] == len(deployment.errors()) >= killed
