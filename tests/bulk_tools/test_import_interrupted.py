"""An import that is interrupted says what it did, and goes on where it was: no row is lost or doubled."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from crm_sandbox import create_app
from tests.bulk_tools.desk import Desk, desk
from tests.interaction.connecting import ERAS, Era

pytestmark = pytest.mark.anyio
COUNT = 1_200
ROWS = [{"lastname": f"Lead {number}", "companyname": "Fjord Marine"} for number in range(COUNT)]


class Gate:
    """A CRM behind a gate: bulk messages after the first wait, or are answered that nobody is signed in."""

    def __init__(self, crm: Any) -> None:
        self._crm = crm
        self._messages = 0
        self.signed_out = False
        self.closed = False
        self.reached = anyio.Event()
        self.opened = anyio.Event()
        self.left = anyio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if "CreateMultiple" in scope["path"]:
            self._messages += 1
            if self._messages > 1 and self.signed_out:
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
            if self._messages > 1 and self.closed:
                self.reached.set()
                try:
                    await self.opened.wait()
                finally:
                    self.left.set()
        await self._crm(scope, receive, send)


@pytest.fixture
def crm() -> Iterator[Any]:
    sandbox = create_app()
    yield sandbox
    sandbox.close()


async def names(at: Desk, crm: Any) -> Counter[str]:
    """How often each lead is there."""
    at.crm = crm
    found: Counter[str] = Counter()
    for digit in range(10):
        path = (
            f"leads?$select=lastname&$filter=companyname eq 'Fjord Marine' and endswith(lastname,'{digit}')"
        )
        found.update(row["lastname"] for row in await at.rows(path))
    return found


async def prepared(at: Desk, rows: list[dict[str, Any]] = ROWS) -> str:
    return str((await at.call("import_records", table="lead", rows=rows))["job"])


def kept(tmp_path: Path) -> dict[str, Any]:
    """Settings of a server whose state outlives its process."""
    return {"state": f"sqlite:///{tmp_path / 'state.db'}"}


async def test_a_job_that_stops_says_how_far_it_is_and_goes_on_when_called_again(
    crm: Any, tmp_path: Path
) -> None:
    gate = Gate(crm)
    async with desk(tmp_path, crm=gate) as at:
        job = await prepared(at)
        gate.signed_out = True
        stopped = await at.call("import_records", job=job)
        assert 0 < stopped["created"] < COUNT
        assert stopped["without_outcome"] == COUNT - stopped["created"]
        assert "goes on where it was" in stopped["note"]
        (change,) = (await at.call("list_changes"))["records"]
        assert change["state"].startswith("unfinished; import_records with this id as job")
        assert (change["id"], change["rows"]) == (job, COUNT)

        gate.signed_out = False
        done = await at.call("import_records", job=job)
        assert (done["created"], done["refused"]) == (COUNT, 0)
        assert (
            f"Taken up again: {stopped['without_outcome']:,} of {COUNT:,} are left" in at.human.questions[1]
        )
        assert set((await names(at, crm)).values()) == {1}
        assert len(await names(at, crm)) == COUNT


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_is_cancelled_in_the_middle_is_taken_up_again(
    era: Era, crm: Any, tmp_path: Path
) -> None:
    gate = Gate(crm)
    async with desk(tmp_path, "full-access", crm=gate, era=era) as at:
        job = await prepared(at)
        gate.closed = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at.client.call_tool, "import_records", {"job": job})
            await gate.reached.wait()
            tasks.cancel_scope.cancel()
        gate.closed = False
        gate.opened.set()
        await gate.left.wait()
        await anyio.wait_all_tasks_blocked()
        done = await at.call("import_records", job=job)
        assert (done["created"], done["refused"]) == (COUNT, 0)
        assert set((await names(at, crm)).values()) == {1}
        assert len(await names(at, crm)) == COUNT


async def test_a_job_that_runs_is_not_begun_a_second_time(crm: Any, tmp_path: Path) -> None:
    gate = Gate(crm)
    async with desk(tmp_path, "full-access", crm=gate) as at:
        job = await prepared(at)
        gate.closed = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at.client.call_tool, "import_records", {"job": job})
            await gate.reached.wait()
            assert "running already" in await at.refused("import_records", job=job)
            gate.opened.set()
        assert (await at.call("import_records", job=job))["created"] == COUNT


async def test_a_job_outlives_the_server_that_began_it(crm: Any, tmp_path: Path) -> None:
    gate = Gate(crm)
    async with desk(tmp_path, crm=gate, **kept(tmp_path)) as at:
        job = await prepared(at)
        gate.signed_out = True
        stopped = await at.call("import_records", job=job)
    gate.signed_out = False
    async with desk(tmp_path, crm=gate, **kept(tmp_path)) as at:
        done = await at.call("import_records", job=job)
        assert done["created"] == COUNT > stopped["created"]
        assert len(await names(at, crm)) == COUNT


async def test_kept_jobs_are_forgotten_after_a_week(crm: Any, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with desk(tmp_path, crm=crm, now=lambda: now, **kept(tmp_path)) as at:
        job = await prepared(at, ROWS[:3])
        now += timedelta(days=8)
        other = await prepared(at, ROWS[:2])
        assert "no job of yours" in await at.refused("import_records", job=job)
        assert (await at.call("import_records", job=other))["created"] == 2


async def test_a_job_of_one_environment_is_none_of_another(crm: Any, tmp_path: Path) -> None:
    async with desk(tmp_path, crm=crm, **kept(tmp_path)) as at:
        job = await prepared(at, ROWS[:3])
        with sqlite3.connect(tmp_path / "state.db") as state:
            state.execute("UPDATE jobs SET address = 'https://other.invalid'")
        state.close()
        assert "no job of yours" in await at.refused("import_records", job=job)


async def test_rows_that_the_crm_refuses_are_named_and_the_others_go_in(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        first = await at.call("import_records", table="account", rows=[{"name": "Fjord Marine"}])
        await at.call("import_records", job=first["job"])
        (account,) = await at.rows("accounts?$filter=name eq 'Fjord Marine'")
        rows = [{"name": "New One"}, {"name": "New Two", "parentaccountid": account["accountid"]}]
        job = (await at.call("import_records", table="account", rows=rows))["job"]
        await at.call("delete_record", table="account", record=account["accountid"])
        done = await at.call("import_records", job=job)
        assert (done["created"], done["refused"]) == (1, 1)
        assert done["problems"][0]["row"] == 2
