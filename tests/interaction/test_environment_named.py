"""Every answer says which environment it is of, so that nobody edits the wrong one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_types import InputRequiredResult

from crm_server.app import SANDBOX_ADDRESS
from crm_server.identity import FRESH
from tests.interaction.conftest import Connect
from tests.interaction.connecting import ERAS, Era, Human, is_batch, memory_client

pytestmark = pytest.mark.anyio
UNKNOWN = {"url": SANDBOX_ADDRESS, "kind": "unknown"}
KNOWN = {
    "organization": "Contoso Sales",
    "kind": "sandbox",
    "url": SANDBOX_ADDRESS,
    "user": "Alex Baker",
}
KEY = "0a1b2c3d-0000-4000-8000-0123456789ab"


class Watched:
    """A sandbox whose answers about itself can be kept back, spoilt or counted."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.asked_who = 0
        self.spoilt: int | None = None
        self.broken = False
        self.together: set[str] | None = None
        self.told: dict[bytes, bytes] = {}
        self.all_here = anyio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        asks_who = scope["path"].endswith(("/$batch", "/WhoAmI"))
        self.asked_who += scope["path"].endswith("/$batch")
        if self.together is not None:
            self.together.discard(scope["path"].rpartition("/")[2].partition("(")[0])
            if not self.together:
                self.all_here.set()
            with anyio.fail_after(10):
                await self.all_here.wait()
        if asks_who and self.broken:
            raise RuntimeError("a defect")
        if asks_who and self.spoilt:
            await send({"type": "http.response.start", "status": self.spoilt, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, self._retold(send))

    def _retold(self, send: Any) -> Any:
        async def retold(message: dict[str, Any]) -> None:
            for said, instead in self.told.items():
                if said in message.get("body", b""):
                    body = message["body"].replace(
                        b'"' + said + b'"', (b'"' + instead + b'"').ljust(len(said) + 2)
                    )
                    message = {**message, "body": body}
            await send(message)

        return retold


async def test_the_first_answer_names_the_environment_already(connect: Connect) -> None:
    async with connect() as client:
        answer = await client.call_tool("list_leads", {"top": 1})
        assert answer.meta["environment"] == KNOWN
        assert "Contoso Sales" not in answer.content[0].text


@pytest.mark.parametrize("era", ERAS)
async def test_an_error_names_it_too_once_it_is_known(era: Era, sandbox: Any) -> None:
    async with memory_client(era=era, sandbox=sandbox) as client:
        wrong = await client.call_tool("list_leads", {"nonsense": 1})
        assert (wrong.is_error, wrong.meta["environment"]) == (True, UNKNOWN)
        assert list(sandbox.requests) == []  # nothing is asked for a call that asks nothing
        missing = await client.call_tool("get_lead", {"leadid": KEY})
        assert (missing.is_error, missing.meta["environment"]) == (True, KNOWN)
        wrong = await client.call_tool("list_leads", {"nonsense": 1})
        assert wrong.meta["environment"] == KNOWN


async def test_it_is_asked_at_the_same_time_as_the_call_and_only_once(sandbox: Any) -> None:
    watched = Watched(sandbox)
    watched.together = {"leads", "$batch"}
    async with memory_client(sandbox=watched) as client:
        # Neither of the two is answered before both are there.
        assert (await client.call_tool("list_leads", {"top": 1})).meta["environment"] == KNOWN
        await client.call_tool("list_leads", {"top": 1})
    assert watched.asked_who == 1


async def test_calls_at_once_share_one_question(sandbox: Any) -> None:
    watched = Watched(sandbox)
    found: list[Any] = []
    async with memory_client(sandbox=watched) as client:

        async def call() -> None:
            found.append((await client.call_tool("list_leads", {"top": 1})).meta["environment"])

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(call)
    assert found == [KNOWN] * 8
    assert watched.asked_who == 1


async def test_it_is_asked_again_after_an_hour_and_the_old_answer_holds_until_there_is_a_new_one(
    sandbox: Any,
) -> None:
    watched = Watched(sandbox)
    time = [datetime(2026, 11, 23, tzinfo=UTC)]

    async def kind() -> str:
        answer = await client.call_tool("list_leads", {"top": 1})
        return str(answer.meta["environment"]["kind"])

    async with memory_client(sandbox=watched, now=lambda: time[0]) as client:
        assert await kind() == "sandbox"
        watched.told = {b"CustomerTest": b"Customer"}
        time[0] += FRESH - timedelta(seconds=1)
        assert (await kind(), watched.asked_who) == ("sandbox", 1)
        time[0] += timedelta(seconds=1)
        watched.spoilt = 500
        for _ in range(3):
            assert await kind() == "sandbox"
        assert watched.asked_who == 2
        watched.spoilt = None
        time[0] += timedelta(minutes=1)
        assert (await kind(), watched.asked_who) == ("production", 3)
        assert (await kind(), watched.asked_who) == ("production", 3)


@pytest.mark.parametrize("trouble", [{"spoilt": 403}, {"spoilt": 500}, {"broken": True}])
async def test_what_cannot_be_found_out_fails_no_call_and_is_tried_again_after_a_minute(
    trouble: dict[str, Any], sandbox: Any
) -> None:
    watched = Watched(sandbox)
    time = [datetime(2026, 11, 23, tzinfo=UTC)]
    async with memory_client(sandbox=watched, now=lambda: time[0]) as client:
        for name, value in trouble.items():
            setattr(watched, name, value)
        for _ in range(3):
            answer = await client.call_tool("list_leads", {"top": 1})
            assert (answer.is_error, answer.meta["environment"]) == (False, UNKNOWN)
        assert watched.asked_who == 1
        watched.spoilt, watched.broken = None, False
        time[0] += timedelta(seconds=61)
        assert (await client.call_tool("list_leads", {"top": 1})).meta["environment"] == KNOWN


@pytest.mark.parametrize("era", ERAS)
async def test_a_question_to_a_human_names_organisation_and_kind_even_as_the_first_call(
    era: Era, sandbox: Any, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        '[[rules]]\nid = "ask"\neffect = "confirm"\nactions = ["read", "create"]\ntables = ["*"]\n'
    )
    human = Human("decline")
    async with memory_client(str(policy), era=era, human=human, sandbox=sandbox) as client:
        answer = await client.call_tool("create_lead", {"lastname": "x"})
        assert answer.meta["environment"] == KNOWN
    assert human.questions[0].startswith("Create a lead in Contoso Sales (sandbox), the embedded sandbox?")
    assert {request.method for request in sandbox.requests if not is_batch(request)} <= {"GET"}


async def test_the_answer_that_is_a_question_names_it_too(sandbox: Any) -> None:
    async with memory_client(human=Human("accept"), sandbox=sandbox) as client:
        created = await client.call_tool("create_lead", {"lastname": "x"})
        key = created.structured_content["record"]["leadid"]
        question = await client.session.call_tool("delete_lead", {"leadid": key}, allow_input_required=True)
    assert isinstance(question, InputRequiredResult)
    assert question.meta["environment"] == KNOWN


async def test_a_human_is_asked_although_the_environment_does_not_tell_its_name(sandbox: Any) -> None:
    watched = Watched(sandbox)
    watched.spoilt = 403
    human = Human("accept")
    async with memory_client(human=human, sandbox=watched) as client:
        created = await client.call_tool("create_lead", {"lastname": "x"})
        key = created.structured_content["record"]["leadid"]
        assert not (await client.call_tool("delete_lead", {"leadid": key})).is_error
    assert "could not be found out" in human.questions[0]
