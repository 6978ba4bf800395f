"""Reads asked for at the same moment: few trips, each its own answer, whatever happens to the others."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_server.dataverse import reading
from crm_server.dataverse import sender as sending
from crm_server.dataverse.batching import answers_in
from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.pacing import Pacer
from crm_server.dataverse.reading import LONGEST_ADDRESS, MOST_PARTS
from crm_server.dataverse.responses import CrmResponse
from crm_server.dataverse.sender import Sender
from crm_server.sign_in.callers import Caller, called_by
from crm_tools.description import load
from crm_tools.errors import InputError, NotFoundError, SignInError, UnavailableError, UpstreamError
from crm_tools.operations import Fetch, Query
from tests.dataverse.faulty_crm import FaultyCrm, answer, faulty_crm

pytestmark = pytest.mark.anyio
TABLES = load().tables
UNKNOWN = "0a1b2c3d-0000-4000-8000-0123456789ab"


async def no_wait(_seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


def client_of(crm: FaultyCrm, turns: int = 1) -> DataverseClient:
    sender = Sender(crm.url, sleep=no_wait, rng=random.Random(7))
    sender.pacer = Pacer(sender.clock, no_wait, first=turns)
    return DataverseClient(sender, TABLES)


async def account_ids(crm: FaultyCrm, number: int) -> list[str]:
    client = client_of(crm)
    page = await client.query(Query("account", select=("accountid",), top=number))
    await client.aclose()
    crm.seen.clear()
    return [row["accountid"] for row in page.rows]


def fetch(key: str) -> Fetch:
    return Fetch("account", key, ("accountid", "name"))


async def outcomes(client: DataverseClient, keys: list[str]) -> list[Any]:
    """What each of the reads asked for at once came to: its row's id, or its error."""
    found: list[Any] = [None] * len(keys)

    async def one(place: int, key: str) -> None:
        try:
            found[place] = (await client.fetch(fetch(key)))["accountid"]
        except UpstreamError as error:
            found[place] = type(error)

    async with anyio.create_task_group() as tasks:
        for place, key in enumerate(keys):
            tasks.start_soon(one, place, key)
    return found


async def test_reads_that_can_leave_leave_by_themselves() -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 5)
        client = client_of(crm, turns=5)
        assert await outcomes(client, keys) == keys
        assert [method for method, _ in crm.seen] == ["GET"] * 5
        await client.aclose()


async def test_reads_that_would_have_to_wait_travel_together() -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 45)
        client = client_of(crm)
        assert await outcomes(client, keys) == keys
        trips = [method for method, _ in crm.seen]
        assert trips.count("GET") == 1
        assert trips.count("POST") == -(-44 // MOST_PARTS)
        await client.aclose()


async def test_one_that_is_not_found_is_so_for_itself() -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 8)
        client = client_of(crm)
        asked = [*keys[:4], UNKNOWN, *keys[4:]]
        assert await outcomes(client, asked) == [*keys[:4], NotFoundError, *keys[4:]]
        await client.aclose()


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"


@pytest.mark.parametrize("fault", ["drop", "drop after", "cut", answer(503), answer(429), answer(400), HTML])
async def test_every_read_is_answered_when_its_batch_is_not(fault: Any) -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 12)
        client = client_of(crm)
        crm.script = [None, fault]
        assert await outcomes(client, keys) == keys
        assert crm.script == []
        await client.aclose()


async def test_a_crm_that_stays_away_is_told_to_every_read() -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 6)
        client = client_of(crm)
        crm.script = [None, *[answer(503)] * 100]
        assert await outcomes(client, keys) == [keys[0], *[UnavailableError] * 5]
        assert len(crm.seen) == 1 + sending.TRIES
        await client.aclose()


async def test_a_sign_in_that_is_not_accepted_is_told_to_every_read() -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 4)
        client = client_of(crm)
        crm.script = [None, answer(401)]
        assert await outcomes(client, keys) == [keys[0], *[SignInError] * 3]
        await client.aclose()


async def test_answers_too_large_for_one_batch_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LARGEST_ANSWER", 2_000)
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 10)
        client = client_of(crm)
        assert await outcomes(client, keys) == keys
        await client.aclose()


@pytest.mark.parametrize("given_up", [1, 2, 9])
async def test_who_gives_up_leaves_the_others_their_answers(given_up: int) -> None:
    """The second read leads the batch, the ones after it follow."""
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 10)
        client = client_of(crm)
        found: dict[int, str] = {}
        scopes = [anyio.CancelScope() for _ in keys]

        async def one(place: int) -> None:
            with scopes[place]:
                found[place] = (await client.fetch(fetch(keys[place])))["accountid"]

        async with anyio.create_task_group() as tasks:
            for place in range(len(keys)):
                tasks.start_soon(one, place)
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
            scopes[given_up].cancel()
        assert found == {place: key for place, key in enumerate(keys) if place != given_up}
        assert await outcomes(client, keys) == keys
        await client.aclose()


async def test_who_leads_may_give_up_while_the_batch_is_under_way() -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 10)
        client = client_of(crm)
        found: list[str] = []
        scope = anyio.CancelScope()

        async def leading() -> None:
            with scope:
                await client.fetch(fetch(keys[1]))

        async def one(key: str) -> None:
            found.append((await client.fetch(fetch(key)))["accountid"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, keys[0])
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(leading)
            for key in keys[2:]:
                tasks.start_soon(one, key)
            while len(crm.seen) < 2:
                await anyio.lowlevel.checkpoint()
            scope.cancel()
        assert sorted(found) == sorted([keys[0], *keys[2:]])
        await client.aclose()


async def test_who_is_given_up_just_when_its_turn_to_lead_comes_leaves_it_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, MOST_PARTS + 4)
        client = client_of(crm)
        tasks = [asyncio.ensure_future(client.fetch(fetch(key))) for key in keys]
        next_leader = 1 + MOST_PARTS
        pack = reading.batch_of

        def pack_and_give_up(*batch: Any) -> Any:
            tasks[next_leader].cancel()
            return pack(*batch)

        monkeypatch.setattr(reading, "batch_of", pack_and_give_up)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found.pop(next_leader), asyncio.CancelledError)
        assert [row["accountid"] for row in found] == [*keys[:next_leader], *keys[next_leader + 1 :]]
        await client.aclose()


async def test_callers_do_not_share_a_batch() -> None:
    async with faulty_crm() as crm:
        keys = await account_ids(crm, 12)
        client = client_of(crm)

        async def as_caller(name: str, some: list[str]) -> None:
            with called_by(Caller("a name of many", subject=name)):
                assert await outcomes(client, some) == some

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(as_caller, "a", keys[:6])
            tasks.start_soon(as_caller, "b", keys[6:])
        assert sorted(method for method, _ in crm.seen) == ["GET", "GET", "POST", "POST"]
        await client.aclose()


def query_of(length: int) -> Query:
    """A query that finds Fabrikam-like names, with a filter of about so many characters."""
    names = " or ".join(f"name eq 'nobody {number:06}'" for number in range(length // 35))
    return Query("account", select=("accountid", "name"), filter=f"statecode eq 0 and not ({names})", top=3)


async def test_a_long_question_travels_inside_a_batch_and_so_do_its_next_pages() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        page = await client.query(query_of(12_000))
        assert len(page.rows) == 3
        assert page.next_link is not None
        assert len(page.next_link) > LONGEST_ADDRESS
        second = await client.next_page(page.next_link, 3)
        assert len(second.rows) == 3
        assert {row["accountid"] for row in page.rows}.isdisjoint(row["accountid"] for row in second.rows)
        assert [(method, target.rpartition("/")[2]) for method, target in crm.seen] == [
            ("POST", "$batch")
        ] * 2
        await client.aclose()


async def test_a_question_longer_than_the_crm_takes_is_refused_before_it_is_sent() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        with pytest.raises(InputError, match="longer than the CRM takes"):
            await client.query(query_of(70_000))
        assert crm.seen == []
        await client.aclose()


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    st.binary()
    | st.lists(st.sampled_from([b"--b", b"\r\n", b"HTTP/1.1 200 OK", b"{}", b": ", b"--"])).map(b"".join)
)
def test_any_answer_to_a_batch_is_read_or_refused(body: bytes) -> None:
    headers = {"content-type": "multipart/mixed; boundary=b"}
    try:
        answers = answers_in(CrmResponse(200, headers, body))
    except ValueError:
        return
    assert all(100 <= one.status < 1000 for one in answers)


@pytest.mark.parametrize(
    "kind", ["", "text/html", "multipart/mixed", "multipart/mixed; boundary=", "application/json"]
)
def test_an_answer_of_another_kind_is_no_batch(kind: str) -> None:
    with pytest.raises(ValueError, match="no batch"):
        answers_in(CrmResponse(200, {"content-type": kind}, b"--b--"))
