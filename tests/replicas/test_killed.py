"""Replicas are killed in the middle of their calls, and nothing is lost or doubled, and nothing overspent.

Hundreds of clients of both eras create, change and delete under budgets; a human agrees to each delete, at
the client or elsewhere. What they were told is held against what the CRM and the state have in the end.
"""

from __future__ import annotations

import random
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
import pytest

from crm_server.state import State, chain, open_state
from crm_server.state.proposals import APPROVED
from crm_tools.errors import ApprovalError
from tests.interaction.connecting import Era
from tests.replicas.clients import BROKEN, Tally, Worker, worker
from tests.replicas.counting import (
    Kept,
    Leads,
    check_budget,
    check_journal,
    check_plans,
    check_troubles,
    check_writes,
    kept,
    leads_of,
)
from tests.replicas.deployment import Deployment, deployed
from tests.replicas.loading import in_thread
from tests.replicas.moments import kill_when_it_has_written
from tests.state.postgresql import PostgreSQL

pytestmark = pytest.mark.anyio
CALLERS = tuple(f"killed{number:02}" for number in range(20))
CLIENTS_OF_EACH = 10
CLIENTS = len(CALLERS) * CLIENTS_OF_EACH
OF_ONE, IN_ALL = 18, 350
"""Both are reached: twenty callers who each stay below their own could not use up what all have together."""
AT_ONCE = 40
"""So many clients do something at the same time; the others have it before them."""
POLICY = f"""
name = "of the test"

[[rules]]
id = "work"
effect = "allow"
actions = ["read", "create", "update", "delete"]
tables = ["lead"]

[[rules]]
id = "ask-before-delete"
effect = "confirm"
actions = ["delete"]
tables = ["lead"]

[limits]
writes_per_day = {IN_ALL}

[limits.each_caller]
writes_per_day = {OF_ONE}
"""
TOLD = {"done", "denied_by_policy", "not_approved", "not_found", BROKEN}
"""What clients may be told; the last is told by connections."""
STATUSES = {200, 202, 502}


@dataclass
class Course:
    """How far it is. ``approvers`` decide elsewhere, as two people at two terminals do."""

    deployment: Deployment
    approvers: tuple[State, State]
    tally: Tally = field(default_factory=Tally)
    connected: int = 0
    killed: dict[int, str] = field(default_factory=dict)
    """The processes that were killed, each with a lead that it had created and not told of."""
    spent: set[str] = field(default_factory=set)
    """The callers for whom nothing is left."""
    steps: list[str] = field(default_factory=list)
    over: anyio.Event = field(default_factory=anyio.Event)
    turns: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(AT_ONCE))

    def is_busy(self) -> bool:
        """Whether all clients are connected, and some have written."""
        return self.connected == CLIENTS and len(self.tally.created) >= AT_ONCE


async def work(course: Course, name: str, caller: str, era: Era) -> None:
    """Write as long as there is a budget, and be there until it is over."""
    chance = random.Random(name)
    async with worker(course.deployment.address, name, caller, era, course.tally) as one:
        course.connected += 1
        number = 0
        while not number or caller not in course.spent:
            number += 1
            async with course.turns:
                if chance.random() < 0.3:
                    await read_through(one)
                key = await one.create(number)
                assert len(course.tally.created) < 2 * IN_ALL, "nobody was refused"
                if key is not None and chance.random() < 0.4:
                    await one.change(key)
                if key is not None and chance.random() < 0.4:
                    await delete(one, key, course)
            if course.tally.created[f"{name}-{number}"] == "refused":
                course.spent.add(caller)
        await course.over.wait()


async def read_through(one: Worker) -> None:
    """Two pages, each of them from whichever replica."""
    if (cursor := await one.read()) is not None:
        await one.read_on(cursor)


async def delete(one: Worker, key: str, course: Course) -> None:
    """Delete a lead. If the client cannot ask its human, others approve at once, and then it calls twice."""
    plan = await one.delete(key)
    if plan is None:
        return
    decided: list[bool] = []
    async with anyio.create_task_group() as tasks:
        for approver in course.approvers:
            tasks.start_soon(approve, approver, plan, decided)
    assert sorted(decided) == [False, True], "it was approved twice"
    course.tally.approved.add(plan)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.delete, key)
        tasks.start_soon(one.delete, key)


async def approve(approver: State, plan: str, decided: list[bool]) -> None:
    try:
        await approver.decide(plan, APPROVED, "somebody else")
    except ApprovalError:
        decided.append(False)
    else:
        decided.append(True)


async def go_through(course: Course) -> None:
    """Kill each replica in the middle of a write, and start it anew."""
    await course.tally.until(course.is_busy)
    for replica in course.deployment.replicas:
        process = replica.pid
        course.killed[process] = await in_thread(kill_when_it_has_written, course.deployment, replica)
        course.steps.append(f"killed {replica.name} (after {course.tally.answered:,} answers)")
        await in_thread(replica.start)
        await course.tally.until_more(AT_ONCE // 2)


async def look_at_changes(deployment: Deployment) -> None:
    """Each caller looks at changes, at each replica: those that were interrupted are settled."""
    async with anyio.create_task_group() as tasks:
        for caller in CALLERS:
            for replica in deployment.replicas:
                tasks.start_soon(look, replica.endpoint, caller)


async def look(address: str, caller: str) -> None:
    async with worker(address, f"{caller}-looks", caller, "auto", Tally()) as one:
        assert (await one.call("list_changes"))[0] == "done"


@pytest.fixture
def course(postgresql: PostgreSQL, crm: str, tmp_path: Path) -> Iterator[Course]:
    with deployed(postgresql, crm, CALLERS, POLICY) as deployment:
        one, other = (
            open_state(deployment.database, tmp_path, deployment.key, lambda: datetime.now(UTC))
            for _ in range(2)
        )
        with closing(one), closing(other):
            yield Course(deployment, (one, other))


async def test_nothing_is_lost_doubled_or_overspent(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment, tally, began = course.deployment, course.tally, time.monotonic()
    with anyio.fail_after(300):
        async with anyio.create_task_group() as clients:
            for number in range(CLIENTS_OF_EACH):
                for caller in CALLERS:
                    era: Era = "auto" if number % 2 else "legacy"
                    clients.start_soon(work, course, f"{deployment.mark}-{caller}-{number}", caller, era)
            await go_through(course)
            course.over.set()
    seconds = time.monotonic() - began
    await look_at_changes(deployment)
    state, leads = kept(deployment), leads_of(deployment)
    verified = await chain.verify(course.approvers[0].run)
    with capsys.disabled():
        # What it came to is worth seeing in each run.
        sys.stdout.write(f"\n{said(course, state, leads, seconds)}\n")

    assert verified.broken is None, verified.problem
    assert tally.answers.keys() <= TOLD, tally.messages
    assert tally.statuses.keys() <= STATUSES
    check_budget(state, IN_ALL)
    assert max(state.writes.values()) == OF_ONE
    check_writes(tally, leads)
    check_plans(tally, state)
    check_journal(tally, state, leads, course.killed)
    check_troubles(deployment, tally, len(course.killed))


def said(course: Course, state: Kept, leads: Leads, seconds: float) -> str:
    """The counts."""
    tally = course.tally
    doubled = sum(len(rows) > 1 for rows in leads.values())
    most = max(state.writes.values())
    deletes = Counter("done" if "done" in told else told[-1] for told in tally.deleted.values())
    counts: dict[str, Any] = {
        f"{CLIENTS} clients of {len(CALLERS)} callers": f"{seconds:.0f} s",
        "answers": dict(tally.answers.most_common()),
        "HTTP statuses": dict(tally.statuses),
        "creates, as told": dict(Counter(tally.created.values())),
        "changes, as told": dict(Counter(tally.changed.values())),
        "deletes, as told": dict(deletes),
        "leads in the CRM": f"{len(leads)}, {doubled} doubled",
        "budget": f"{sum(state.writes.values())} of {IN_ALL} used, by one at most {most} of {OF_ONE}",
        "plans": dict(Counter(state.plans.values())),
        "agreed": f"{tally.asked} at clients, {len(tally.approved)} elsewhere",
        "journal": dict(Counter(change.state for change in state.changes)),
    }
    return "\n".join([*course.steps, *(f"{what:30} {count}" for what, count in counts.items())])
