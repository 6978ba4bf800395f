"""The network misbehaves; nothing is doubled, nothing is lost without saying so."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

import httpx
import pytest

from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.sender import DEADLINE_SECONDS, TRIES, Sender
from crm_tools.description import load
from crm_tools.errors import (
    ConflictError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
    UnreadableAnswerError,
    UpstreamError,
)
from crm_tools.operations import Create, Delete, Fetch, Query, Update
from tests.dataverse.faulty_crm import FaultyCrm, answer, faulty_crm

pytestmark = pytest.mark.anyio
TABLES = load().tables
QUERY = Query("account", select=("accountid", "name"), top=5)


class Slept(list[float]):
    """A clock that is moved by whoever waits, and remembers how long that was."""

    now = 0.0

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def client_of(crm: FaultyCrm, slept: Slept | None = None) -> DataverseClient:
    time = Slept() if slept is None else slept
    return DataverseClient(Sender(crm.url, sleep=time, clock=time.clock, rng=random.Random(7)), TABLES)


def new_lead() -> Create:
    return Create("lead", str(uuid4()), {"lastname": "Only once"}, returning=("leadid", "lastname"))


async def leads_named(client: DataverseClient) -> int:
    query = Query("lead", select=("leadid",), filter="lastname eq 'Only once'", count=True, top=200)
    return (await client.query(query)).total or 0


@pytest.mark.parametrize("fault", ["drop", "drop after", "cut", answer(502), answer(503), answer(504)])
async def test_a_create_whose_answer_was_lost_is_recognised_and_never_doubled(fault: Any) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [fault]
        row = await client.create(new_lead())
        assert row["lastname"] == "Only once"
        assert await leads_named(client) == 1
        await client.aclose()


async def test_fifty_creates_with_random_faults_give_fifty_rows() -> None:
    rng = random.Random(2026)
    async with faulty_crm() as crm:
        client = client_of(crm)
        for _ in range(50):
            crm.script = [rng.choice([None, "drop", "drop after", "cut", answer(503)])]
            await client.create(new_lead())
        crm.script = []
        assert await leads_named(client) == 50
        await client.aclose()


async def test_a_key_that_exists_at_the_first_try_is_a_conflict_and_not_a_success() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        create = new_lead()
        await client.create(create)
        with pytest.raises(ConflictError):
            await client.create(create)
        await client.aclose()


async def test_a_create_that_stays_unclear_says_to_look_before_creating_again() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = ["drop"] * 40
        with pytest.raises(UnavailableError, match="look for it"):
            await client.create(new_lead())
        assert [method for method, _ in crm.seen] == ["POST", *["GET"] * TRIES]
        await client.aclose()


async def test_a_create_is_looked_for_before_it_is_sent_again() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = ["drop after"]
        await client.create(new_lead())
        assert [method for method, _ in crm.seen] == ["POST", "GET"]
        crm.seen.clear()
        crm.script = ["drop"]
        await client.create(new_lead())
        assert [method for method, _ in crm.seen] == ["POST", "GET", "POST"]
        assert await leads_named(client) == 2
        await client.aclose()


async def test_a_create_that_is_carried_out_after_it_was_looked_for_is_recognised() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        lead = new_lead()
        await client.create(lead)
        not_yet = answer(404, b'{"error": {"code": "0x80040217", "message": ""}}')
        crm.script = ["drop", not_yet, None]
        assert (await client.create(lead))["leadid"] == lead.key
        assert await leads_named(client) == 1
        await client.aclose()


@pytest.mark.parametrize("fault", ["drop", answer(502), answer(503), answer(504)])
async def test_a_read_is_asked_again(fault: Any) -> None:
    async with faulty_crm() as crm:
        slept = Slept()
        client = client_of(crm, slept)
        crm.script = [fault, fault]
        assert len((await client.query(QUERY)).rows) == 5
        assert len(crm.seen) == 3
        assert 0.25 <= slept[0] <= 0.5 <= slept[1] <= 1
        await client.aclose()


UNCLEAR = ["drop", "drop after", "cut", answer(502), answer(503), answer(504)]


@pytest.mark.parametrize("fault", UNCLEAR)
@pytest.mark.parametrize("versioned", [False, True])
async def test_an_update_whose_answer_was_lost_is_made_once_and_told_as_made(
    fault: Any, versioned: bool
) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        key = (await client.create(new_lead()))["leadid"]
        etag = (await client.fetch(Fetch("lead", key)))["@odata.etag"] if versioned else None
        crm.seen.clear()
        crm.script = [fault]
        changed = await client.update(
            Update("lead", key, {"jobtitle": "Buyer"}, etag=etag, returning=("leadid", "jobtitle"))
        )
        assert changed["jobtitle"] == "Buyer"
        patches = [method for method, _ in crm.seen].count("PATCH")
        assert patches == (1 if fault in ("drop after", "cut") else 2)
        assert (await client.fetch(Fetch("lead", key)))["jobtitle"] == "Buyer"
        await client.aclose()


@pytest.mark.parametrize("fault", UNCLEAR)
async def test_a_delete_whose_answer_was_lost_is_told_as_made(fault: Any) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        key = (await client.create(new_lead()))["leadid"]
        crm.script = [fault]
        await client.delete(Delete("lead", key))
        with pytest.raises(NotFoundError):
            await client.fetch(Fetch("lead", key))
        await client.aclose()


async def test_a_write_that_somebody_else_overtakes_is_a_conflict_and_not_a_success() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        key = (await client.create(new_lead()))["leadid"]
        old = (await client.fetch(Fetch("lead", key)))["@odata.etag"]
        await client.update(Update("lead", key, {"jobtitle": "Other"}))
        for write, call in (
            (Update("lead", key, {"jobtitle": "Ours"}, etag=old), client.update),
            (Delete("lead", key, etag=old), client.delete),
        ):
            crm.script = ["drop"]
            with pytest.raises(ConflictError):
                await call(write)  # type: ignore[operator]  # each call takes its own kind of write
        assert (await client.fetch(Fetch("lead", key)))["jobtitle"] == "Other"
        await client.aclose()


async def test_a_write_that_stays_unclear_says_to_read_before_writing_again() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        key = (await client.create(new_lead()))["leadid"]
        crm.script = ["drop"] * 40
        with pytest.raises(UnavailableError, match="read the record"):
            await client.update(Update("lead", key, {"jobtitle": "Buyer"}))
        crm.script = ["drop"] * 40
        with pytest.raises(UnavailableError, match="read it before"):
            await client.delete(Delete("lead", key))
        await client.aclose()


PROXY = answer(200, b"<html>The network sign-in page</html>")


async def test_a_page_of_something_in_between_is_no_success_of_a_write() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [PROXY]
        key = (await client.create(new_lead()))["leadid"]
        crm.script = [PROXY]
        await client.update(Update("lead", key, {"jobtitle": "Buyer"}))
        assert (await client.fetch(Fetch("lead", key)))["jobtitle"] == "Buyer"
        crm.script = [PROXY]
        await client.delete(Delete("lead", key))
        with pytest.raises(NotFoundError):
            await client.fetch(Fetch("lead", key))
        crm.script = [PROXY] * 40
        with pytest.raises(UnavailableError, match="answered for it"):
            await client.update(Update("lead", key, {"jobtitle": "Boss"}))
        await client.aclose()


async def test_a_record_that_vanished_meanwhile_is_told() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = ["drop"]
        with pytest.raises(NotFoundError, match="deleted while"):
            await client.update(Update("lead", str(uuid4()), {"jobtitle": "Buyer"}))
        await client.aclose()


async def test_no_more_is_shown_of_a_row_that_was_looked_at_than_the_write_asked_for() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        key = (await client.create(new_lead()))["leadid"]
        crm.script = ["drop after"]
        update = Update("lead", key, {"jobtitle": "Buyer"}, returning=("leadid", "lastname"))
        row = await client.update(update)
        assert {name for name in row if "@" not in name} == {"leadid", "lastname"}
        crm.script = ["drop after"]
        assert await client.update(Update("lead", key, {"jobtitle": "Boss"})) == {"leadid": key}
        await client.aclose()


async def test_throttling_waits_as_told_for_every_kind_of_request() -> None:
    async with faulty_crm() as crm:
        slept = Slept()
        client = client_of(crm, slept)
        crm.script = [answer(429, Retry_After="7"), None]
        await client.query(QUERY)
        crm.script = [answer(429, Retry_After="3"), answer(429, Retry_After="4"), None]
        await client.create(new_lead())
        assert slept == [7, 3, 4]
        assert await leads_named(client) == 1
        await client.aclose()


async def test_throttling_that_would_last_too_long_is_said_with_how_long() -> None:
    async with faulty_crm() as crm:
        slept = Slept()
        client = client_of(crm, slept)
        crm.script = [answer(429, Retry_After=str(int(DEADLINE_SECONDS) + 1))]
        with pytest.raises(ThrottledError) as caught:
            await client.query(QUERY)
        assert caught.value.retry_after == DEADLINE_SECONDS + 1
        assert slept == []
        await client.aclose()


async def test_a_call_ends_at_its_deadline_however_often_it_is_told_to_wait() -> None:
    async with faulty_crm() as crm:
        slept = Slept()
        client = client_of(crm, slept)
        crm.script = [answer(429, Retry_After="50")] * 9
        with pytest.raises(ThrottledError):
            await client.query(QUERY)
        assert slept == [50, 50]
        await client.aclose()


@pytest.mark.parametrize("body", [b"<html>proxy</html>", b'{"value": [{"name"', b"[]"])
async def test_an_answer_that_is_not_the_api_is_an_error_and_never_an_empty_list(body: bytes) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [answer(200, body)]
        with pytest.raises(UnreadableAnswerError):
            await client.query(QUERY)
        await client.aclose()


async def test_an_answer_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_server.dataverse.sender.LARGEST_ANSWER", 1000)
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [answer(200, b'{"value": [' + b" " * 2000 + b"]}")]
        with pytest.raises(UnreadableAnswerError, match="larger"):
            await client.query(QUERY)
        await client.aclose()


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/api/data/v9.2/accounts?$skiptoken=x",
        "http://127.0.0.1:1/api/data/v9.2/accounts",
        "{url}/other/path",
        "{url}@evil.example/api/data/v9.2/accounts",
        "https{url}",
    ],
)
async def test_a_next_link_to_another_place_is_not_followed(link: str) -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        with pytest.raises(UnreadableAnswerError, match="another address"):
            await client.next_page(link.replace("{url}", crm.url), 5)
        assert crm.seen == []
        await client.aclose()


async def test_a_next_link_reaches_the_service_byte_for_byte() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        page = await client.query(QUERY)
        assert page.next_link is not None
        await client.next_page(page.next_link, 5)
        assert crm.url + crm.seen[-1][1] == page.next_link
        odd = (
            f"{crm.url}/api/data/v9.2/accounts?$skiptoken=%253Ccookie%2520a%253D'%257B%2522'+x%252F&$top=1;2"
        )
        with pytest.raises(UpstreamError):
            await client.next_page(odd, 5)
        assert crm.url + crm.seen[-1][1] == odd
        await client.aclose()


async def test_no_connection_says_that_nothing_was_changed() -> None:
    time = Slept()
    sender = Sender("http://127.0.0.1:9", sleep=time, clock=time.clock)
    client = DataverseClient(sender, TABLES)
    with pytest.raises(UnavailableError, match="Nothing was changed"):
        await client.update(Update("lead", str(uuid4()), {"lastname": "x"}))
    await client.aclose()


async def test_a_redirect_is_not_followed() -> None:
    async with faulty_crm() as crm:
        client = client_of(crm)
        crm.script = [answer(302, Location="https://evil.example/")]
        with pytest.raises(UnreadableAnswerError, match="redirect"):
            await client.fetch(Fetch("account", str(uuid4())))
        assert len(crm.seen) == 1
        await client.aclose()


def every_subclass(kind: type[BaseException]) -> set[type[BaseException]]:
    return {kind}.union(*(every_subclass(child) for child in kind.__subclasses__()))


FAULTS = every_subclass(httpx.HTTPError) | every_subclass(httpx.StreamError) | {httpx.InvalidURL}


@pytest.mark.parametrize("kind", sorted(FAULTS, key=lambda kind: kind.__name__))
async def test_every_fault_that_httpx_knows_becomes_one_of_ours(kind: type[Exception]) -> None:
    class Failing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if issubclass(kind, httpx.HTTPStatusError):
                raise kind("secret", request=request, response=httpx.Response(500))
            raise (
                kind()
                if issubclass(kind, httpx.StreamError) and kind is not httpx.StreamError
                else kind("secret")
            )

    time = Slept()
    sender = Sender("https://crm.example", transport=Failing(), sleep=time, clock=time.clock)
    client = DataverseClient(sender, TABLES)
    with pytest.raises(UpstreamError) as caught:
        await client.query(QUERY)
    assert "secret" not in caught.value.message
    await client.aclose()
