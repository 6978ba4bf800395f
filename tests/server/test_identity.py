"""What is known of the environment: for each caller, learned once, waited for with patience."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from crm_server.approval import InputNeededError
from crm_server.dataverse.client import Environment
from crm_server.identity import MOST_CALLERS, Identities
from crm_server.sign_in.callers import Caller, called_by

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Crm:
    """Answers every question with another user, or never."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        self.asked = 0

    async def identify(self) -> Environment:
        self.asked += 1
        if self.silent:
            await anyio.sleep_forever()
        return Environment("Contoso\nLtd", "production", f"user {self.asked}")


def identities(crm: Any) -> Identities:
    return Identities("https://contoso.crm.dynamics.com", "Contoso's address", lambda: crm, lambda: NOW)


async def test_each_caller_has_an_identity_of_their_own() -> None:
    known = identities(Crm())
    for token in ("a" * 20, "b" * 20, "a" * 20):
        with called_by(Caller("a name of many", subject=token)):
            await known.learn()
            assert known.facts()["user"] == ("user 1" if token[0] == "a" else "user 2")
    assert "user" not in known.facts()


async def test_only_so_many_callers_are_kept() -> None:
    known = identities(Crm())
    for number in range(MOST_CALLERS + 5):
        with called_by(Caller("a name of many", subject=str(number))):
            known.facts()
    assert len(known._entries) == MOST_CALLERS


async def test_an_answer_waits_no_longer_than_its_patience() -> None:
    crm = Crm(silent=True)
    known = identities(crm)
    known.patience = 0.0
    for _ in range(2):
        async with known.learning() as asked:
            asked()
            await anyio.lowlevel.checkpoint()
        assert known.facts()["kind"] == "unknown"
    assert crm.asked == 1
    assert "could not be found out" in await known.named()


async def test_who_waits_goes_on_when_the_one_who_asks_is_cancelled() -> None:
    crm = Crm(silent=True)
    known = identities(crm)
    async with anyio.create_task_group() as second, anyio.create_task_group() as first:
        first.start_soon(known.learn)
        await anyio.wait_all_tasks_blocked()
        second.start_soon(known.learn)
        await anyio.wait_all_tasks_blocked()
        crm.silent = False
        first.cancel_scope.cancel()
    assert (crm.asked, known.facts()["user"]) == (2, "user 2")


async def test_a_question_of_the_call_comes_through_as_it_is() -> None:
    async def call() -> None:
        async with identities(Crm()).learning() as asked:
            asked()
            raise InputNeededError("ask")

    with pytest.raises(InputNeededError):
        await call()


async def test_the_name_stands_on_one_line() -> None:
    assert await identities(Crm()).named() == "Contoso Ltd (production), Contoso's address"
