"""Three replicas behind nginx: one is killed, the others are started anew, and nothing is lost or doubled.

Hundreds of clients of both eras create, change and delete under budgets; a human agrees to each delete, at
the client or elsewhere. What they were told is held against what the CRM and the state have in the end.
"""

from __future__ import annotations

import random
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
import pytest

from crm_server.state import State, open_state
from crm_server.state.proposals import APPROVED
from tests.interaction.connecting import Era
from tests.replicas.clients import Tally, Worker, worker
from tests.replicas.counting import (
    Kept,
    Leads,
    check_budgets,
    check_journal,
    check_plans,
    check_troubles,
    check_writes,
    kept,
    leads_of,
)
from tests.replicas.deployment import Deployment, Replica, deployed

pytestmark = pytest.mark.anyio
CALLERS = tuple(f"caller{number:02}" for number in range(20))
CLIENTS_OF_EACH = 10
CLIENTS = len(CALLERS) * CLIENTS_OF_EACH
OF_ONE, IN_ALL = 28, 420
THINKS_SECONDS = 16.0
"""How long at most a client does nothing between its rounds."""
POLICY = f"""
name = "of the test"

[[rules]]
id = "work"
effect = "allow"
actions = ["read", "create", "update", "delete"]
tables = ["*"]

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
TOLD = {"done", "denied_by_policy", "not_approved", "not_found", "turned away", "broken"}
"""What clients may be told; the last is told by connections."""
STATUSES = {200, 202, 405, 429, 502, 503}
PLAN = re.compile(r"It waits as plan (\w+)")


@dataclass
class Course:
    """How far it is: who works, whether the replicas have been through what they go through."""

    deployment: Deployment
    state: State
    tally: Tally = field(default_factory=Tally)
    working: int = 0
    over: anyio.Event = field(default_factory=anyio.Event)
    steps: list[str] = field(default_factory=list)
    is_busy: anyio.Event = field(default_factory=anyio.Event)
    """All clients are at work, and many have written."""

    def look(self) -> None:
        """See whether it has come to that."""
        if self.working == CLIENTS and len(self.tally.created) >= CLIENTS // 2:
            self.is_busy.set()

    def note(self, step: str) -> None:
        """Note what happens next; clients are at work then."""
        assert self.working == CLIENTS, f"{CLIENTS - self.working} clients had no work left: {step}"
        self.steps.append(f"{step} (after {sum(self.tally.answers.values()):,} answers)")


@dataclass
class Killed:
    """A process that was killed, when, and when another had taken its place."""

    process: int
    at: float
    back: float = 0.0


async def work(course: Course, name: str, caller: str, era: Era) -> None:
    """Go on until the replicas have been through it all and the budget is used up."""
    chance = random.Random(name)
    async with worker(course.deployment.address, name, caller, era, course.tally) as one:
        course.working += 1
        number, left = 0, True
        while left or not course.over.is_set():
            number += 1
            if number % 2:
                await one.read()
            key = await one.create(number)
            course.look()
            if key is not None and chance.random() < 0.5:
                await one.change(key)
            if key is not None and number % 2:
                await delete(one, key, course)
            left = course.tally.created[f"{name}-{number}"] != "refused"
            with anyio.move_on_after(chance.uniform(0, THINKS_SECONDS)):
                await course.over.wait()
        course.working -= 1


async def delete(one: Worker, key: str, course: Course) -> None:
    """Delete a lead. If the client cannot ask its human, somebody else approves, and then it calls twice."""
    plan = PLAN.search(await one.delete(key))
    if plan is None:
        return
    await course.state.decide(plan[1], APPROVED, "somebody else")
    course.tally.approved_elsewhere += 1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.delete, key)
        tasks.start_soon(one.delete, key)


async def go_through(course: Course) -> Killed:
    """Kill one replica, rotate the key, start the others anew."""
    first, *others = course.deployment.replicas
    await course.is_busy.wait()
    killed = Killed(first.pid, time.monotonic())
    course.note("killed one in the middle of its calls")
    await anyio.to_thread.run_sync(first.kill)
    await anyio.to_thread.run_sync(first.start)
    killed.back = time.monotonic()
    course.note("rotated the key")
    rotated = await anyio.to_thread.run_sync(course.deployment.command, "state", "rotate-key")
    assert rotated.returncode == 0, rotated.stderr
    for other in others:
        course.note("started another one anew")
        await anyio.to_thread.run_sync(started_anew, other)
    course.over.set()
    return killed


def started_anew(replica: Replica) -> None:
    replica.stop()
    replica.start()


async def look_at_changes(deployment: Deployment) -> None:
    """Each caller looks at changes once: those that were interrupted are settled by what the CRM has."""
    for caller in CALLERS:
        async with worker(deployment.address, f"{caller}-looks", caller, "auto", Tally()) as one:
            assert (await one.call("list_changes"))[0] == "done"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Course]:
    with deployed(CALLERS, POLICY) as deployment:
        key = Path(deployment.settings["DYNAMICS_STATE_KEY"])
        with closing(open_state(deployment.database, tmp_path, key, now)) as state:
            yield Course(deployment, state)


async def test_nothing_is_lost_doubled_or_overspent(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment, tally, began = course.deployment, course.tally, time.monotonic()
    with anyio.fail_after(300):
        async with anyio.create_task_group() as tasks:
            for number in range(CLIENTS_OF_EACH):
                for caller in CALLERS:
                    era: Era = "auto" if number % 2 else "legacy"
                    tasks.start_soon(work, course, f"{caller}-{number}", caller, era)
            killed = await go_through(course)
    seconds = time.monotonic() - began
    before, leads = kept(deployment.database), leads_of(deployment)
    await look_at_changes(deployment)
    after = kept(deployment.database)
    verified = await anyio.to_thread.run_sync(deployment.command, "audit", "verify")
    with capsys.disabled():
        # What it came to is worth seeing in each run.
        sys.stdout.write(f"\n{said(course, before, leads, seconds)}\n{verified.stdout}")

    assert verified.returncode == 0, verified.stdout
    check_budgets(before, OF_ONE, IN_ALL)
    check_writes(tally, leads)
    check_plans(tally, before)
    check_journal(before, after, leads, killed.process)
    check_troubles(deployment, tally, (killed.at, killed.back))
    assert tally.answers.keys() <= TOLD
    assert tally.statuses.keys() <= STATUSES


def said(course: Course, state: Kept, leads: Leads, seconds: float) -> str:
    """The counts."""
    tally = course.tally
    doubled = sum(len(rows) > 1 for rows in leads.values())
    most = max(state.writes.values())
    counts: dict[str, Any] = {
        f"{CLIENTS} clients of {len(CALLERS)} callers": f"{seconds:.0f} s",
        "answers": dict(tally.answers.most_common()),
        "HTTP statuses": dict(tally.statuses),
        "creates, as told": dict(Counter(tally.created.values())),
        "changes, as told": dict(Counter(tally.changed.values())),
        "deletes, as told": dict(Counter(tally.deleted.values())),
        "leads in the CRM": f"{len(leads)}, {doubled} doubled",
        "budget": f"{sum(state.writes.values())} of {IN_ALL} used, by one at most {most} of {OF_ONE}",
        "plans": dict(Counter(state.plans.values())),
        "agreed": f"{tally.asked} at clients, {tally.approved_elsewhere} elsewhere",
        "journal": dict(Counter(change.state for change in state.changes)),
    }
    return "\n".join([*course.steps, *(f"{what:30} {count}" for what, count in counts.items())])
