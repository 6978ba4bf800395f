"""The policy as a client meets it: what is not allowed is not listed, not sent and not disclosed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import ElicitResult, InputRequiredResult

from crm_tools.catalogue import Tool, catalogue
from crm_tools.operations import Action
from tests.interaction.connecting import Human, content, is_batch, memory_client, policy_file

pytestmark = pytest.mark.anyio

GUID = "0a1b2c3d-0000-4000-8000-0123456789ab"


ALLOW_ALL = """
[[rules]]
id = "everything"
effect = "allow"
actions = ["read", "create", "update", "delete"]
tables = ["*"]
"""


def valid_arguments(tool: Tool) -> dict[str, Any]:
    """Arguments that the tool takes."""
    needs = dict.fromkeys(tool.table.create_needs, "x")
    return {
        Action.READ: {tool.table.key: GUID} if tool.name.startswith("get_") else {},
        Action.CREATE: needs,
        Action.UPDATE: {tool.table.key: GUID, **needs},
        Action.DELETE: {tool.table.key: GUID},
    }[tool.action]


@pytest.mark.parametrize("tool", catalogue(), ids=lambda tool: tool.name)
async def test_under_deny_all_no_tool_reaches_the_crm(tool: Tool, tmp_path: Path, sandbox: Any) -> None:
    async with memory_client(policy_file(tmp_path, ""), sandbox=sandbox) as client:
        assert (await client.list_tools()).tools == []
        with pytest.raises(MCPError) as caught:
            await client.call_tool(tool.name, valid_arguments(tool))
        assert caught.value.error.code == -32602
    assert list(sandbox.requests) == []


NAMING_COLUMNS = [tool for tool in catalogue() if tool.action is not Action.DELETE]


@pytest.mark.parametrize("tool", NAMING_COLUMNS, ids=lambda tool: tool.name)
async def test_an_offered_tool_whose_call_is_denied_never_reaches_the_crm(
    tool: Tool, tmp_path: Path, sandbox: Any
) -> None:
    hidden = [column for column in tool.table.columns if column != tool.table.key]
    text = f"{ALLOW_ALL}\n[hidden]\n{tool.table.name} = {json.dumps(hidden)}\n"
    arguments = valid_arguments(tool)
    if tool.action is Action.READ:
        arguments["select"] = [tool.table.primary_name]
    async with memory_client(policy_file(tmp_path, text), sandbox=sandbox) as client:
        error = (await content(client, tool.name, **arguments))["error"]
    assert error["code"] == "denied_by_policy"
    assert list(sandbox.requests) == []


async def test_a_hidden_tool_and_an_unknown_tool_get_the_same_answer() -> None:
    answers = []
    async with memory_client("read-only") as client:
        tools = (await client.list_tools()).tools
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        for name in ("delete_account", "delete_acc0unt"):
            with pytest.raises(MCPError) as caught:
                await client.call_tool(name, {"accountid": GUID})
            answers.append((caught.value.error.code, caught.value.error.message.replace(name, "NAME")))
    assert answers[0] == answers[1]


HIDING = ALLOW_ALL + '\n[hidden]\ncontact = ["emailaddress1", "lastname"]\naccount = ["revenue"]\n'


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_contacts", {"select": ["emailaddress1"]}),
        ("list_contacts", {"filter": "startswith(emailaddress1,'a')"}),
        ("list_contacts", {"orderby": "emailaddress1"}),
        ("list_contacts", {"select": ["fullname"]}),
        ("list_accounts", {"filter": "primarycontactid/emailaddress1 eq 'a'"}),
        ("list_accounts", {"filter": "contact_customer_accounts/any(c:c/lastname eq 'a')"}),
        ("list_accounts", {"orderby": "primarycontactid/lastname"}),
        ("list_accounts", {"orderby": "primarycontactid"}),
        ("list_opportunities", {"filter": "parentaccountid/revenue gt 5"}),
        ("create_contact", {"lastname": "x", "emailaddress1": "a@b.example"}),
        ("update_account", {"accountid": GUID, "revenue": 1}),
        ("update_account", {"accountid": GUID, "revenue": 1, "dry_run": True}),
    ],
)
async def test_a_hidden_column_can_be_neither_read_filtered_sorted_nor_written(
    tool: str, arguments: dict[str, Any], tmp_path: Path, sandbox: Any
) -> None:
    async with memory_client(policy_file(tmp_path, HIDING), sandbox=sandbox) as client:
        error = (await content(client, tool, **arguments))["error"]
    assert error["code"] == "denied_by_policy"
    assert any(rule.startswith("hidden:") for rule in error["rules"])
    assert list(sandbox.requests) == []


async def test_hidden_columns_are_in_no_answer(tmp_path: Path) -> None:
    async with memory_client(policy_file(tmp_path, HIDING), human=Human("accept")) as client:
        texts = [
            json.dumps(await content(client, "list_accounts", format="detailed", top=50)),
            json.dumps(await content(client, "list_contacts", format="detailed", top=50)),
            json.dumps(
                await content(
                    client, "list_accounts", expand=["primarycontactid", "contact_customer_accounts"]
                )
            ),
        ]
        first = (await content(client, "list_contacts", top=1))["records"][0]
        texts.append(json.dumps(await content(client, "get_contact", contactid=first["contactid"])))
        update = await content(client, "update_contact", contactid=first["contactid"], jobtitle="CTO")
        texts.append(json.dumps(update))
    for text in texts:
        for name in ("emailaddress1", "lastname", "fullname", "revenue"):
            if name == "emailaddress1" and '"accountid"' in text:
                continue  # accounts have a column of that name, which is not hidden
            assert f'"{name}"' not in text
    accounts = json.loads(texts[0])["records"]
    contacts = [record["primarycontactid"] for record in accounts if "primarycontactid" in record]
    assert contacts
    assert all("name" not in contact for contact in contacts)


async def test_what_the_crm_adds_unasked_is_in_no_answer(tmp_path: Path) -> None:
    """Dataverse sends the currency with every amount of money."""
    hidden = '\n[hidden]\nopportunity = ["transactioncurrencyid"]\n'
    async with memory_client(policy_file(tmp_path, ALLOW_ALL + hidden)) as client:
        found = await content(
            client,
            "list_opportunities",
            select=["name", "estimatedvalue"],
            top=1,
            filter="estimatedvalue gt 0",
        )
        key = found["records"][0]["opportunityid"]
        one = await content(client, "get_opportunity", opportunityid=key, select=["name", "estimatedvalue"])
        assert "transactioncurrency" not in json.dumps([found, one])
        assert one["record"].keys() == {"opportunityid", "name", "estimatedvalue", "etag", "url"}


@pytest.mark.parametrize("tool", ["list_contacts", "list_opportunities"])
async def test_the_policy_is_asked_as_often_for_the_names_of_many_rows_as_for_those_of_two(
    tool: str, sandbox: Any
) -> None:
    clock = Watch()
    async with memory_client(now=clock, sandbox=sandbox) as client:
        await content(client, tool, top=1)
        looks: list[int] = []
        for top in (2, 60):
            before = clock.looks
            found = await content(client, tool, top=top, format="detailed")
            assert len([record["ownerid"]["name"] for record in found["records"]]) == top
            looks.append(clock.looks - before)
    assert looks[0] == looks[1] > 0


class Watch:
    """A clock that counts who looks at it: each question to the policy is one about a moment."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> datetime:
        self.looks += 1
        return datetime.now(UTC)


async def test_a_limit_on_writes_says_when_it_frees(tmp_path: Path) -> None:
    policy = policy_file(tmp_path, ALLOW_ALL + "\n[limits]\nwrites_per_minute = 2\n")
    async with memory_client(policy) as client:
        for _ in range(2):
            assert "record" in await content(client, "create_lead", lastname="A")
        error = (await content(client, "create_lead", lastname="A"))["error"]
    assert error["code"] == "denied_by_policy"
    assert error["rules"] == ["limit:writes_per_minute"]
    assert "frees" in error["message"]


async def test_a_limit_on_rows_narrows_a_read_and_the_rest_is_behind_the_cursor(tmp_path: Path) -> None:
    policy = policy_file(tmp_path, ALLOW_ALL + "\n[limits]\nrows_per_read = 3\n")
    async with memory_client(policy) as client:
        answer = await content(client, "list_accounts", top=50)
        assert (answer["shown"], answer["more"]) == (3, True)
        assert (await content(client, "list_accounts", cursor=answer["cursor"]))["shown"] == 3


async def test_the_human_sees_what_a_delete_takes_along(sandbox: Any) -> None:
    human = Human("decline")
    async with memory_client(human=human, sandbox=sandbox) as client:
        found = await content(client, "list_accounts", filter="primarycontactid ne null", top=1)
        account = found["records"][0]
        await content(client, "delete_account", accountid=account["accountid"])
    assert account["name"] in human.questions[0]
    assert "contacts" in human.questions[0]
    assert {request.method for request in sandbox.requests if not is_batch(request)} == {"GET"}


class Meddler(Human):
    """Agrees, but while being asked the first time someone else changes the record."""

    def __init__(self, other: Client, lead: str) -> None:
        super().__init__("accept")
        self._other = other
        self._lead = lead

    async def __call__(self, context: Any, params: Any) -> Any:
        if not self.questions:
            await content(self._other, "update_lead", leadid=self._lead, companyname="Changed meanwhile")
        return await super().__call__(context, params)


async def test_an_approval_in_mid_call_is_void_when_the_record_changes_meanwhile(sandbox: Any) -> None:
    async with memory_client(sandbox=sandbox) as other:
        lead = (await content(other, "create_lead", lastname="Contested"))["record"]["leadid"]
        async with memory_client(era="legacy", human=Meddler(other, lead), sandbox=sandbox) as client:
            error = (await content(client, "delete_lead", leadid=lead))["error"]
        assert error["code"] == "conflict"
        assert (await content(other, "get_lead", leadid=lead))["record"]["companyname"] == "Changed meanwhile"


async def test_an_approval_by_second_call_counts_only_for_the_version_that_was_shown(sandbox: Any) -> None:
    async with memory_client(sandbox=sandbox) as other:
        lead = (await content(other, "create_lead", lastname="Contested"))["record"]["leadid"]
        human = Meddler(other, lead)
        async with memory_client(era="auto", human=human, sandbox=sandbox) as client:
            assert "deleted" in await content(client, "delete_lead", leadid=lead)
        assert len(human.questions) == 2
        assert "Changed meanwhile" not in human.questions[0]
        assert "Changed meanwhile" in human.questions[1]


CONFIRM_ALL = ALLOW_ALL.replace('effect = "allow"', 'effect = "confirm"')


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_every_kind_of_call_can_need_a_human(era: Any, tmp_path: Path, sandbox: Any) -> None:
    human = Human("accept")
    policy = policy_file(tmp_path, CONFIRM_ALL)
    async with memory_client(policy, era=era, human=human, sandbox=sandbox) as client:
        listed = await content(client, "list_leads", top=1)
        key = listed["records"][0]["leadid"]
        assert (await content(client, "list_leads", cursor=listed["cursor"]))["shown"] == 1
        assert (await content(client, "get_lead", leadid=key))["record"]["leadid"] == key
        created = (await content(client, "create_lead", lastname="Campbell", leadqualitycode="Hot"))["record"]
        changed = await content(
            client, "update_lead", leadid=created["leadid"], jobtitle="CEO", lastname="Berg"
        )
        # Reading needs a human too, and that was not the question: the answer shows the id and no more.
        assert set(changed["record"]) == set(created) == {"leadid", "url"}
        assert "deleted" in await content(client, "delete_lead", leadid=created["leadid"])
        human.action = "decline"
        before = len(sandbox.requests)
        for tool, arguments in (
            ("list_leads", {}),
            ("get_lead", {"leadid": key}),
            ("create_lead", {"lastname": "x"}),
        ):
            assert (await content(client, tool, **arguments))["error"]["code"] == "not_approved"
        assert len(sandbox.requests) == before
    assert len(human.questions) == 9
    create, update = human.questions[3:5]
    assert "Last name: Campbell" in create
    assert "Job title: nothing -> CEO" in update
    assert "Last name: Campbell -> Berg" in update


async def test_one_approval_creates_one_row_even_when_the_call_is_replayed(
    tmp_path: Path, sandbox: Any
) -> None:
    policy = policy_file(tmp_path, CONFIRM_ALL)
    async with memory_client(policy, human=Human("accept"), sandbox=sandbox) as client:
        arguments = {"lastname": "Only once"}
        question = await client.session.call_tool("create_lead", arguments, allow_input_required=True)
        answers = {name: ElicitResult(action="accept") for name in question.input_requests}
        state = question.request_state
        for replayed in (False, True, True):
            result = await client.session.call_tool(
                "create_lead",
                arguments,
                input_responses=answers,
                request_state=state,
                allow_input_required=True,
            )
            assert isinstance(result, InputRequiredResult) is replayed
        other = {"lastname": "Another"}
        with pytest.raises(MCPError):
            await client.session.call_tool(
                "create_lead", other, input_responses=answers, request_state=state, allow_input_required=True
            )
    sent = [request.method for request in sandbox.requests if not is_batch(request)]
    assert [method for method in sent if method != "GET"] == ["POST"]


async def test_an_approval_that_the_model_makes_up_counts_for_nothing(sandbox: Any) -> None:
    async with memory_client(human=Human("accept"), sandbox=sandbox) as client:
        lead = (await content(client, "create_lead", lastname="Stays"))["record"]["leadid"]
        answers = {"approval": ElicitResult(action="accept")}
        result = await client.session.call_tool(
            "delete_lead", {"leadid": lead}, input_responses=answers, allow_input_required=True
        )
        assert isinstance(result, InputRequiredResult)
        with pytest.raises(MCPError):
            await client.session.call_tool(
                "delete_lead",
                {"leadid": lead},
                input_responses=answers,
                request_state="v1.made-up",
                allow_input_required=True,
            )
        assert (await content(client, "get_lead", leadid=lead))["record"]["leadid"] == lead


async def test_rules_about_production_hold_only_there(tmp_path: Path, sandbox: Any) -> None:
    text = """
[[rules]]
id = "everything"
effect = "allow"
actions = ["read", "create", "update", "delete"]
tables = ["*"]

[[rules]]
id = "careful"
effect = "deny"
actions = ["create"]
tables = ["account"]
environments = ["{kind}"]
"""
    async with memory_client(
        policy_file(tmp_path, text.replace("{kind}", "production")), sandbox=sandbox
    ) as client:
        result = await client.call_tool("create_account", {"name": "A"})
        kind = result.meta["environment"]["kind"]
        assert not result.is_error
    async with memory_client(policy_file(tmp_path, text.replace("{kind}", kind)), sandbox=sandbox) as client:
        error = (await content(client, "create_account", name="A"))["error"]
        assert error["rules"] == ["careful"]


async def test_closing_an_opportunity_is_more_than_an_update(tmp_path: Path, sandbox: Any) -> None:
    text = """
[[rules]]
id = "work"
effect = "allow"
actions = ["read", "update"]
tables = ["*"]
"""
    async with memory_client(policy_file(tmp_path, text), sandbox=sandbox) as client:
        key = (await content(client, "list_opportunities", filter="statecode eq 0", top=1))["records"][0][
            "opportunityid"
        ]
        for values in ({"statecode": "Won"}, {"statecode": "Lost"}, {"statuscode": "Won"}):
            error = (await content(client, "update_opportunity", opportunityid=key, **values))["error"]
            assert error["code"] == "denied_by_policy", values
        changed = await content(client, "update_opportunity", opportunityid=key, statuscode="On Hold")
        assert changed["record"]["statuscode"] == "On Hold"
