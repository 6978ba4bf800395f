"""Three replicas behind nginx, of which one is killed and the others are started anew: nothing is lost or doubled.

Hundreds of clients of both eras create, change and delete under budgets; a human agrees to each delete, at the
client or elsewhere. What they were told is held against what the CRM and the state have in the end.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import psycopg
import pytest

from crm_server.state import State, open_state
from crm_server.state.proposals import APPROVED
from tests.interaction.connecting import Era
from tests.replicas.clients import Tally, Worker, worker
from tests.replicas.deployment import Deployment, Replica, deployed

pytestmark = pytest.mark.anyio
CALLERS = tuple(f"caller{number:02}" for number in range(20))
CLIENTS_OF_EACH = 12
OF_ONE, IN_ALL = 45, 800
POLICY = f"""
extends = "full-access"

[[rules]]
id = "ask-before-delete"
effect = "confirm"
actions = ["delete"]
tables = ["*"]

[limits]
writes_per_day = {IN_ALL}

[limits.each_caller]
writes_per_day = {OF_ONE}
"""
TOLD = {"done", "denied_by_policy", "not_approved", "turned away"}
"""What clients may be told, besides of a connection that broke."""
PLAN = re.compile(r"It waits as plan (\w+)")


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    with deployed(CALLERS, POLICY) as running:
        yield running


@dataclass
class Course:
    """How far it is: who works, whether the replicas have been through what they go through."""

    tally: Tally
    working: int = 0
    over: bool = False
    approved_elsewhere: int = 0
    steps: list[str] = field(default_factory=list)

    def note(self, step: str) -> None:
        assert self.working, f"nobody worked when this happened: {step}"
        self.steps.append(f"{step} (after {sum(self.tally.answers.values()):,} answers)")


async def work(
    deployment: Deployment, course: Course, state: State, name: str, caller: str, era: Era
) -> None:
    """Go on until the replicas have been through it all and the budget is used up."""
    async with worker(deployment.address, name, caller, era, course.tally) as one:
        course.working += 1
        number, left = 0, True
        while left or not course.over:
            number += 1
            await one.read()
            key = await one.create(number)
            if key is not None:
                await one.change(key)
                if number % 2:
                    await delete(one, key, course, state)
            left = course.tally.created[f"{name}-{number}"] != "refused"
        course.working -= 1


async def delete(one: Worker, key: str, course: Course, state: State) -> None:
    """Delete a lead; where the client cannot ask its human, somebody else approves, and two calls come at once."""
    message = await one.delete(key)
    if (plan := PLAN.search(message)) is None:
        return
    await state.decide(plan[1], APPROVED, "somebody else")
    course.approved_elsewhere += 1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.delete, key)
        tasks.start_soon(one.delete, key)


async def go_through(deployment: Deployment, course: Course) -> int:
    """Kill one replica, rotate the key, start the others anew; the number of the process that was killed."""
    first, *others = deployment.replicas
    await until(course, answers=500)
    killed = first.pid
    course.note("killed one in the middle of its calls")
    await anyio.to_thread.run_sync(first.kill)
    await anyio.to_thread.run_sync(first.start)
    course.note("rotated the key")
    rotated = await anyio.to_thread.run_sync(deployment.command, "state", "rotate-key")
    assert rotated.returncode == 0, rotated.stderr
    for other in others:
        course.note("started another one anew")
        await anyio.to_thread.run_sync(started_anew, other)
    course.over = True
    return killed


def started_anew(replica: Replica) -> None:
    replica.stop()
    replica.start()


async def until(course: Course, *, answers: int) -> None:
    while course.working < len(CALLERS) * CLIENTS_OF_EACH or sum(course.tally.answers.values()) < answers:
        await anyio.sleep(0.01)


@dataclass(frozen=True)
class Kept:
    """What the state has in the end."""

    writes: Counter[str]
    """What was taken from the budgets, by caller."""
    changes: list[Any]
    plans: dict[str, str]
    """The status of each plan."""
    plan_events: Counter[tuple[str, str]]
    """How often the audit has each event of each plan."""


def kept(database: str) -> Kept:
    with psycopg.connect(database) as state:
        writes = state.execute("SELECT caller, count(*) FROM uses WHERE kind = 'writes' GROUP BY caller")
        changes = state.execute(
            "SELECT action, record, state, plan, process, id FROM changes ORDER BY number"
        )
        plans = state.execute("SELECT id, status FROM plans")
        events = state.execute(
            "SELECT body::json ->> 'plan', outcome FROM events WHERE body::json ->> 'kind' LIKE 'plan %'"
        )
        return Kept(
            Counter(dict(writes.fetchall())),
            changes.fetchall(),
            dict(plans.fetchall()),
            Counter(events.fetchall()),
        )


def leads_of(deployment: Deployment) -> dict[str, list[tuple[str, str]]]:
    """The leads that clients created, as the CRM has them: id and subject, by name."""
    found: dict[str, list[tuple[str, str]]] = {}
    link: str | None = (
        f"{deployment.crm}/leads?$select=lastname,subject&$filter=startswith(lastname,'caller')"
    )
    while link is not None:
        page = httpx.get(link, timeout=60).raise_for_status().json()
        for row in page["value"]:
            found.setdefault(row["lastname"], []).append((row["leadid"], row["subject"]))
        link = page.get("@odata.nextLink")
    return found


async def look_at_changes(deployment: Deployment, tally: Tally) -> None:
    """Each caller looks at changes once: those that were interrupted are settled by what the CRM has."""
    for caller in CALLERS:
        async with worker(deployment.address, f"{caller}-looks", caller, "auto", tally) as one:
            assert (await one.call("list_changes"))[0] == "done"


def now() -> datetime:
    return datetime.now(UTC)


async def test_nothing_is_lost_doubled_or_overspent(
    deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course, began = Course(Tally()), time.monotonic()
    key = Path(deployment.settings["DYNAMICS_STATE_KEY"])
    with closing(open_state(deployment.database, tmp_path, key, now)) as state, anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            for number in range(CLIENTS_OF_EACH):
                for caller in CALLERS:
                    era: Era = "auto" if number % 2 else "legacy"
                    tasks.start_soon(work, deployment, course, state, f"{caller}-{number}", caller, era)
            killed = await go_through(deployment, course)
    tally, seconds = course.tally, time.monotonic() - began
    before, leads = kept(deployment.database), leads_of(deployment)
    await look_at_changes(deployment, Tally())
    after = kept(deployment.database)
    verified = await anyio.to_thread.run_sync(deployment.command, "audit", "verify")
    with capsys.disabled():
        # What it came to is worth seeing in each run.
        sys.stdout.write(f"\n{said(course, before, leads, seconds)}\n{verified.stdout}")

    assert verified.returncode == 0, verified.stdout
    check_budgets(before)
    check_writes(tally, leads)
    check_plans(course, before)
    check_journal(before, after, leads, killed)
    check_troubles(deployment, tally)


def said(course: Course, state: Kept, leads: dict[str, list[tuple[str, str]]], seconds: float) -> str:
    """The counts."""
    tally = course.tally
    lines = [
        f"{len(CALLERS) * CLIENTS_OF_EACH} clients of {len(CALLERS)} callers, {seconds:.0f} s",
        *course.steps,
        f"answers: {dict(tally.answers.most_common())}",
        f"creates told: {dict(Counter(tally.created.values()))}; leads in the CRM: {len(leads)}, "
        f"doubled: {sum(len(rows) > 1 for rows in leads.values())}",
        f"changes told: {dict(Counter(tally.changed.values()))}; "
        f"deletes told: {dict(Counter(tally.deleted.values()))}",
        f"budget: {sum(state.writes.values())} of {IN_ALL} used, most by one: "
        f"{max(state.writes.values())} of {OF_ONE}",
        f"plans: {dict(Counter(state.plans.values()))}; asked at clients: {tally.asked}, "
        f"approved elsewhere: {course.approved_elsewhere}",
        f"journal: {dict(Counter(change[2] for change in state.changes))}",
    ]
    return "\n".join(lines)


def check_budgets(state: Kept) -> None:
    """All of it was used and nothing more, and each write was taken from it once."""
    assert sum(state.writes.values()) == IN_ALL == len(state.changes)
    assert max(state.writes.values()) <= OF_ONE


def check_writes(tally: Tally, leads: dict[str, list[tuple[str, str]]]) -> None:
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
            assert there[key] == ("Pencils" if told == "done" else "Pens")


def check_plans(course: Course, state: Kept) -> None:
    """Each plan is there, was approved at most once, and used at most once, as its change says."""
    events = state.plan_events
    assert {plan for plan, what in events if what == "proposed"} == state.plans.keys()
    assert all(count == 1 for (_, what), count in events.items() if what in ("proposed", "approved"))
    used = Counter(change[3] for change in state.changes if change[3] is not None)
    assert all(count == 1 for count in used.values())
    assert used.keys() == {plan for plan, status in state.plans.items() if status == "used"}
    assert all(change[3] is not None for change in state.changes if change[0] == "delete")
    agreed = sum(status in ("used", "approved") for status in state.plans.values())
    broken = sum(told == "unknown" for told in course.tally.deleted.values())
    assert agreed <= course.tally.asked + course.approved_elsewhere <= agreed + broken


def check_journal(before: Kept, after: Kept, leads: dict[str, list[tuple[str, str]]], killed: int) -> None:
    """Only what the killed process had begun was left open, and it was settled by what the CRM has."""
    left_open = {change[5] for change in before.changes if change[2] == "begun"}
    assert {change[4] for change in before.changes if change[5] in left_open} <= {killed}
    there = {key for rows in leads.values() for key, _ in rows}
    for action, record, state, _, process, number in after.changes:
        if number in left_open and action == "create":
            assert state == ("done" if record in there else "begun")
        elif process != killed:
            assert state == "done"


def check_troubles(deployment: Deployment, tally: Tally) -> None:
    """Nothing broke but at the replica that was killed, and what was told is what may be told."""
    broken = {answer: count for answer, count in tally.answers.items() if answer not in TOLD}
    assert 0 < sum(broken.values()) == tally.statuses[502], broken
    upstreams = set(re.findall(r"upstream: \"http://127.0.0.1:(\d+)", "\n".join(cut_off(deployment))))
    assert upstreams == {str(deployment.replicas[0].port)}
    assert tally.statuses.keys() <= {200, 202, 405, 429, 502, 503}


def cut_off(deployment: Deployment) -> list[str]:
    """The lines in nginx's log of requests that were sent and not answered."""
    lines = (deployment.folder / "nginx.log").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if "upstream:" in line and "Connection refused" not in line]
