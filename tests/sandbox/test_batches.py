"""Batches: what single requests do, in one; change sets are all or nothing."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sandbox import create_app
from tests.sandbox.batches import HEADERS, Part, PartAnswer, batch_body, part_answers
from tests.sandbox.conftest import NOW, ROOT, Crm, error

pytestmark = pytest.mark.anyio
KEY = "0a1b2c3d-0000-4000-8000-0000000000{:02}"
MISSING = "accounts(00000000-0000-0000-0000-000000000000)"


async def send(crm: Crm, *items: Part | list[Part], **headers: str) -> httpx.Response:
    sent = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await crm.client.post(ROOT + "$batch", content=batch_body(*items), headers=sent)


def answers(response: httpx.Response) -> list[Any]:
    return part_answers(response.headers["Content-Type"], response.content)


async def test_requests_are_answered_in_their_order(crm: Crm) -> None:
    response = await send(
        crm,
        Part("POST", "accounts", {"accountid": KEY.format(1), "name": "First"}),
        Part("GET", f"accounts({KEY.format(1)})?$select=name"),
        Part("DELETE", f"accounts({KEY.format(1)})"),
    )
    assert response.status_code == 200
    made, read, gone = answers(response)
    assert (made.status, read.status, gone.status) == (204, 200, 204)
    assert made.headers["OData-EntityId"] == f"{ROOT}accounts({KEY.format(1)})"
    assert read.content["name"] == "First"


async def test_an_address_in_a_batch_is_read_as_utf_8(crm: Crm) -> None:
    await crm.new("accounts", name="Überland")
    head = "--b\r\nContent-Type: application/http\r\n\r\n"
    path = f"{ROOT}accounts?$select=name&$filter=name eq 'Überland'"
    for raw, status in ((path.encode(), 200), (path.encode("latin-1"), 400)):
        content = head.encode() + b"GET " + raw + b" HTTP/1.1\r\n\r\n\r\n--b--\r\n"
        kind = {"Content-Type": "multipart/mixed; boundary=b"}
        response = await crm.client.post(ROOT + "$batch", content=content, headers=kind)
        assert response.status_code == status
        if status == 200:
            (found,) = answers(response)
            assert [row["name"] for row in found.content["value"]] == ["Überland"]


async def test_one_batch_tells_the_organisation_and_who_asks(crm: Crm) -> None:
    own = "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='systemuserid')"
    kind = "Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    response = await send(
        crm,
        Part("GET", "WhoAmI"),
        Part("GET", f"RetrieveCurrentOrganization(AccessType=@p1)?@p1={kind}"),
        Part("GET", f"systemusers?$select=fullname&$filter={own}"),
    )
    who, organization, users = (answer.content for answer in answers(response))
    (user,) = users["value"]
    assert user["systemuserid"] == who["UserId"]
    assert organization["Detail"]["OrganizationId"] == who["OrganizationId"]


async def test_the_first_failure_ends_a_batch_with_400_and_the_answers_so_far(crm: Crm) -> None:
    response = await send(
        crm, Part("GET", "WhoAmI"), Part("GET", MISSING), Part("POST", "accounts", {"name": "Never"})
    )
    assert response.status_code == 400
    first, second = answers(response)
    assert (first.status, second.status) == (200, 404)
    assert second.content["error"]["code"] == "0x80040217"
    assert not await crm.rows("accounts?$filter=name eq 'Never'")


async def test_continue_on_error_answers_every_request(crm: Crm) -> None:
    parts = (Part("GET", MISSING), Part("POST", "accounts", {"name": "After"}))
    response = await send(crm, *parts, Prefer="odata.continue-on-error")
    assert response.status_code == 200
    assert response.headers["Preference-Applied"] == "odata.continue-on-error"
    assert [answer.status for answer in answers(response)] == [404, 204]
    assert len(await crm.rows("accounts?$filter=name eq 'After'")) == 1


async def test_a_change_set_refers_to_rows_it_made_by_content_id(crm: Crm) -> None:
    response = await send(
        crm,
        [
            Part("POST", "accounts", {"accountid": KEY.format(2), "name": "Parent"}, "1"),
            Part("POST", "contacts", {"contactid": KEY.format(3), "lastname": "A"}, "2"),
            Part("PATCH", "$2", {"parentcustomerid_account@odata.bind": "$1"}, "3"),
            Part("PUT", "$1/primarycontactid/$ref", {"@odata.id": "$2"}, "4"),
            Part("POST", "$1/Account_Tasks", {"subject": "Call"}, "5"),
        ],
    )
    assert response.status_code == 200
    ((first, *rest),) = answers(response)
    assert [answer.status for answer in (first, *rest)] == [204] * 5
    assert [answer.content_id for answer in (first, *rest)] == ["1", "2", "3", "4", "5"]
    account = (await crm("GET", f"accounts({KEY.format(2)})?$expand=Account_Tasks")).json()
    assert account["_primarycontactid_value"] == KEY.format(3)
    assert [task["subject"] for task in account["Account_Tasks"]] == ["Call"]


async def test_a_failed_change_takes_the_whole_change_set_back(crm: Crm) -> None:
    changes = [
        Part("POST", "accounts", {"name": "Gone"}, "1"),
        Part("POST", "accounts", {"nme": "wrong"}, "2"),
    ]
    response = await send(crm, changes, Part("GET", "WhoAmI"), Prefer="odata.continue-on-error")
    failed, who = answers(response)
    assert (response.status_code, failed.status, who.status) == (200, 400, 200)
    assert failed.content_id == "2"
    assert not await crm.rows("accounts?$filter=name eq 'Gone'")


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (([Part("GET", "WhoAmI", content_id="1")],), "GET"),
        (([Part("POST", "accounts", {"name": "x"})],), "Content-Id"),
        (tuple(Part("GET", "WhoAmI") for _ in range(1_001)), "1000"),
    ],
)
async def test_a_batch_that_breaks_a_rule_is_refused(crm: Crm, items: Any, why: str) -> None:
    response = await send(crm, *items)
    assert error(response)[0] == 400
    assert why in response.text


async def test_a_reference_to_nothing_is_an_error_of_its_request(crm: Crm) -> None:
    response = await send(crm, [Part("PATCH", "$7", {"name": "x"}, "1")])
    (failed,) = answers(response)
    assert (response.status_code, failed.status) == (400, 400)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"--b",
        b"--b\n\nGET x HTTP/1.1\n--b--\n",
        b"--b\r\n--b--\r\n",
        b"--b\r\nContent-Type: text/plain\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n--b--\r\n",
        b"--b\r\nContent-Type: application/http\r\n\r\nGRAB WhoAmI HTTP/1.1\r\n\r\n--b--\r\n",
        b"--b\r\nContent-Type: application/http\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n",
        b"--b\r\n\xff\xfe: x\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n--b--\r\n",
        b"--b\r\nno colon\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n--b--\r\n",
        batch_body(Part("GET", "WhoAmI")).replace(b"\r\n", b"\n"),
        batch_body([Part("POST", "accounts", {}, "1")]).replace(b"boundary=c0", b"limit=c0"),
    ],
)
async def test_a_body_that_is_no_batch_is_refused(crm: Crm, content: bytes) -> None:
    response = await crm.client.post(ROOT + "$batch", content=content, headers=HEADERS)
    assert error(response)[0] == 400


@settings(derandomize=True, max_examples=200, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_answered_and_never_break_it(content: bytes) -> None:
    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=APP)) as client:
            body = b"--b\r\n" + content + b"\r\n--b--\r\n"
            return await client.post(ROOT + "$batch", content=body, headers=HEADERS)

    assert anyio.run(post).status_code in (200, 400)


APP = create_app()

KEYS = st.integers(0, 5).map(KEY.format)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["A", "B", "x" * 200]),
        "numberofemployees": st.sampled_from([1, 2, -1, None]),
        "statecode": st.sampled_from([0, 1, 9]),
        "nme": st.just("wrong"),
    },
)
CHANGES = st.one_of(
    st.builds(lambda key, body: Part("POST", "accounts", {**body, "accountid": key}), KEYS, BODIES),
    st.builds(lambda key, body: Part("PATCH", f"accounts({key})", body), KEYS, BODIES),
    st.builds(lambda key: Part("DELETE", f"accounts({key})"), KEYS),
    st.builds(
        lambda key, name: Part("PUT", f"accounts({key})/name", {"value": name}), KEYS, st.text(max_size=5)
    ),
)
READS = st.builds(lambda key: Part("GET", f"accounts({key})?$select=name,numberofemployees,statecode"), KEYS)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(parts=st.lists(st.one_of(CHANGES, READS), min_size=1, max_size=12))
def test_a_batch_does_and_answers_what_its_requests_do_one_by_one(parts: list[Part]) -> None:
    async def both() -> None:
        batched, single = create_app(now=lambda: NOW), create_app(now=lambda: NOW)
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(app=batched)) as one,
            httpx.AsyncClient(transport=httpx.ASGITransport(app=single)) as many,
        ):
            headers = {**HEADERS, "Prefer": "odata.continue-on-error"}
            response = await one.post(ROOT + "$batch", content=batch_body(*parts), headers=headers)
            together = part_answers(response.headers["Content-Type"], response.content)
            apart = [await many.request(part.method, ROOT + part.path, json=part.body) for part in parts]
            assert [_seen(answer) for answer in together] == [
                (answer.status_code, answer.json() if answer.content else None) for answer in apart
            ]
            path = (
                f"{ROOT}accounts?$filter=startswith(name,'A') or name eq null or accountid eq {KEY.format(0)}"
            )
            assert (await one.get(path)).json() == (await many.get(path)).json()
        batched.close()
        single.close()

    anyio.run(both)


def _seen(answer: Any) -> tuple[int, Any]:
    assert isinstance(answer, PartAnswer)
    return answer.status, answer.content


@settings(derandomize=True, max_examples=30, deadline=None)
@given(parts=st.lists(CHANGES, min_size=2, max_size=6))
def test_a_change_set_leaves_either_everything_or_nothing(parts: list[Part]) -> None:
    async def check() -> None:
        app = create_app(now=lambda: NOW)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
            path = f"{ROOT}accounts?$filter=" + " or ".join(f"accountid eq {KEY.format(n)}" for n in range(6))
            before = (await client.get(path)).json()
            numbered = [
                Part(part.method, part.path, part.body, str(place)) for place, part in enumerate(parts)
            ]
            response = await client.post(ROOT + "$batch", content=batch_body(numbered), headers=HEADERS)
            (answer,) = part_answers(response.headers["Content-Type"], response.content)
            if response.status_code == 400:
                assert isinstance(answer, PartAnswer)
                assert (await client.get(path)).json() == before
            else:
                assert isinstance(answer, list)
                assert len(answer) == len(parts)
        app.close()

    anyio.run(check)
