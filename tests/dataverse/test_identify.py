"""Which environment, of which kind, and as whom: asked for at once, told as far as it is known."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import httpx
import pytest

from crm_sandbox import create_app
from crm_server.dataverse.client import KINDS, UNKNOWN_KIND, Environment, open_client
from crm_tools.description import load
from crm_tools.errors import PrivilegeError

pytestmark = pytest.mark.anyio
URL = "https://contoso.crm.dynamics.com"


async def identified(answers: Mapping[str, tuple[int, object]]) -> Environment:
    """Identify an environment that answers these, by the beginning of the path's last part."""

    def handle(request: httpx.Request) -> httpx.Response:
        asked = re.findall(rb"^GET \S+/v9\.2/(\w+)", request.content, re.MULTILINE)
        parts = [answers[name.decode()] for name in asked]
        return httpx.Response(
            200, headers={"Content-Type": "multipart/mixed; boundary=b"}, content=batch_answer(parts)
        )

    client = open_client(base_url=URL, tables=load().tables, transport=httpx.MockTransport(handle))
    try:
        return await client.identify()
    finally:
        await client.aclose()


def batch_answer(parts: list[tuple[int, object]]) -> str:
    """What Dataverse answers to a batch, with the boundary ``b``."""
    head = "--b\r\nContent-Type: application/http\r\n\r\n"
    return (
        "".join(f"{head}HTTP/1.1 {status} X\r\n\r\n{json.dumps(body)}\r\n" for status, body in parts)
        + "--b--"
    )


def answers(**changed: tuple[int, object]) -> dict[str, tuple[int, object]]:
    return {
        "WhoAmI": (200, {"UserId": "the-id"}),
        "RetrieveCurrentOrganization": (
            200,
            {"Detail": {"FriendlyName": "Contoso", "OrganizationType": "Customer"}},
        ),
        "systemusers": (200, {"value": [{"fullname": "Ann Berg"}]}),
        **changed,
    }


async def test_organisation_kind_and_user_are_told() -> None:
    found = await identified(answers())
    assert found == Environment("Contoso", "production", "Ann Berg")
    assert found.described == "Contoso (production)"


@pytest.mark.parametrize("users", [(403, {}), (404, {}), (200, {"value": []})])
async def test_a_user_who_may_not_read_users_is_told_by_id(users: tuple[int, object]) -> None:
    assert (await identified(answers(systemusers=users))).user == "the-id"


async def test_a_kind_that_is_new_is_unknown() -> None:
    organization = (200, {"Detail": {"FriendlyName": "Contoso", "OrganizationType": "SomethingNew"}})
    found = await identified(answers(RetrieveCurrentOrganization=organization))
    assert (found.kind, found.described) == (UNKNOWN_KIND, "Contoso (kind unknown)")
    assert UNKNOWN_KIND not in KINDS.values()


async def test_a_refusal_is_raised_as_itself() -> None:
    with pytest.raises(PrivilegeError):
        await identified(answers(WhoAmI=(403, {})))


async def test_the_sandbox_answers_all_three() -> None:
    app = create_app()
    client = open_client(base_url=URL, tables=load().tables, transport=httpx.ASGITransport(app=app))
    assert await client.identify() == Environment("Contoso Sales", "sandbox", "Alex Baker")
    await client.aclose()
    app.close()
