"""What an assistant can rely on, over every transport and in both protocol eras."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from mcp import Client, MCPError

from crm_prompts import load_prompts
from crm_tools.own_tools import own_tools
from tests.interaction.conftest import Connect
from tests.interaction.connecting import Human

pytestmark = pytest.mark.anyio


async def ok(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that succeeds; the structured answer and its text must be the same."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    content = json.loads(result.content[0].text)
    assert content == result.structured_content
    return content


async def refused(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that answers an error; returns it."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    error = json.loads(result.content[0].text)["error"]
    assert error["correlation_id"]
    return error


async def new_lead(client: Client, **columns: Any) -> dict[str, Any]:
    unique = f"Lead {uuid4().hex[:8]}"
    return (await ok(client, "create_lead", lastname=unique, subject="Licences", **columns))["record"]


OWN_TOOLS = {tool.name for tool in own_tools()}
"""Those that stand for no operation of the API description."""
READING = ("list_", "get_", "find_", "summarize_", "describe_", "whoami")
REPLACING = ("update_", "delete_", "undo_", "qualify_", "close_", "reopen_")


async def test_the_usual_tools_are_listed_with_titles_hints_and_operation_ids(connect: Connect) -> None:
    async with connect() as client:
        tools = (await client.list_tools()).tools
        assert len(tools) == 32
        for tool in tools:
            assert tool.title
            assert (tool.name in OWN_TOOLS) is not bool((tool.meta or {}).get("operationId"))
            assert tool.output_schema is not None
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint == tool.name.startswith(READING)
            assert tool.annotations.destructive_hint == tool.name.startswith(REPLACING)
            assert tool.annotations.idempotent_hint is not None
            assert tool.annotations.open_world_hint is False


async def test_accounts_are_found_by_city_with_labels_names_and_links(connect: Connect) -> None:
    async with connect() as client:
        answer = await ok(
            client,
            "list_accounts",
            filter="address1_city eq 'Seattle' and statecode eq 'Active'",
            orderby="revenue desc",
            select=["name", "revenue", "address1_city", "statecode", "primarycontactid"],
            top=3,
            count=True,
        )
        records = answer["records"]
        assert answer["shown"] == len(records) == 3
        assert answer["total"] >= 3
        assert answer["more"] is (answer["total"] > 3)
        assert [record["revenue"] for record in records] == sorted(
            (record["revenue"] for record in records), reverse=True
        )
        for record in records:
            assert record["address1_city"] == "Seattle"
            assert record["statecode"] == "Active"
            assert set(record["primarycontactid"]) == {"id", "name"}
            assert record["etag"].startswith('W/"')
            assert None not in record.values()
            assert not any("@" in name for name in record)
        assert "{accountid}" in answer["record_url"]


async def test_a_cursor_leads_through_every_page_without_a_gap_or_a_double(connect: Connect) -> None:
    async with connect() as client:
        query = {"filter": "address1_country eq 'Germany'", "select": ["name"], "orderby": "name"}
        whole = await ok(client, "list_accounts", **query, top=200)
        assert whole["more"] is False
        page = await ok(client, "list_accounts", **query, top=4)
        seen = list(page["records"])
        while page["more"]:
            page = await ok(client, "list_accounts", cursor=page["cursor"])
            seen += page["records"]
        assert [record["accountid"] for record in seen] == [
            record["accountid"] for record in whole["records"]
        ]
        assert "cursor" not in page


async def test_an_account_is_read_with_its_contacts(connect: Connect) -> None:
    async with connect() as client:
        listed = await ok(client, "list_accounts", filter="primarycontactid ne null", top=1)
        key = listed["records"][0]["accountid"]
        record = (await ok(client, "get_account", accountid=key, expand=["contact_customer_accounts"]))[
            "record"
        ]
        assert record["accountid"] == key
        assert key in record["url"]
        assert record["contact_customer_accounts"]
        assert all(contact["fullname"] for contact in record["contact_customer_accounts"])


async def test_a_lead_is_entered_with_words_and_read_back(connect: Connect) -> None:
    async with connect() as client:
        lead = await new_lead(
            client,
            companyname="O'Neil & Söhne + 100%",
            leadsourcecode="web",
            leadqualitycode=1,
            estimatedamount=50000,
        )
        read = (await ok(client, "get_lead", leadid=lead["leadid"], format="detailed"))["record"]
        assert read["companyname"] == "O'Neil & Söhne + 100%"
        assert read["leadsourcecode"] == "Web"
        assert read["leadqualitycode"] == "Hot"
        assert read["estimatedamount"] == 50000
        assert read["statecode"] == "Open"
        assert read["etag"] == lead["etag"]
        found = await ok(client, "list_leads", filter="companyname eq 'O''Neil & Söhne + 100%'", top=200)
        assert lead["leadid"] in [record["leadid"] for record in found["records"]]


async def test_an_update_changes_what_is_given_and_null_clears(connect: Connect) -> None:
    async with connect() as client:
        lead = await new_lead(client, jobtitle="Buyer", telephone1="1")
        changed = (
            await ok(
                client,
                "update_lead",
                leadid=lead["leadid"],
                etag=lead["etag"],
                jobtitle="CEO",
                telephone1=None,
            )
        )["record"]
        assert changed["jobtitle"] == "CEO"
        assert "telephone1" not in changed
        assert changed["subject"] == "Licences"
        assert changed["etag"] != lead["etag"]


async def test_a_stale_etag_is_refused_and_nothing_changes(connect: Connect) -> None:
    async with connect() as client:
        lead = await new_lead(client)
        await ok(client, "update_lead", leadid=lead["leadid"], jobtitle="first")
        error = await refused(
            client, "update_lead", leadid=lead["leadid"], etag=lead["etag"], jobtitle="second"
        )
        assert error["code"] == "conflict"
        assert (await ok(client, "get_lead", leadid=lead["leadid"]))["record"]["jobtitle"] == "first"


async def test_an_update_or_delete_of_an_unknown_id_is_not_found_and_creates_nothing(
    connect: Connect,
) -> None:
    async with connect(Human("accept")) as client:
        key = str(uuid4())
        assert (await refused(client, "update_account", accountid=key, name="Ghost"))["code"] == "not_found"
        assert (await refused(client, "delete_account", accountid=key))["code"] == "not_found"
        assert (await refused(client, "get_account", accountid=key))["code"] == "not_found"


async def test_a_dry_run_shows_the_request_and_sends_nothing(connect: Connect) -> None:
    async with connect() as client:
        lead = await new_lead(client)
        shown = await ok(client, "update_lead", leadid=lead["leadid"], subject="New", dry_run=True)
        assert shown["sent"] is False
        assert shown["request"]["method"] == "PATCH"
        assert shown["request"]["headers"]["If-Match"] == lead["etag"]
        assert [change.rpartition(" -> ")[2] for change in shown["changes"]] == ["New"]
        assert shown["request"]["body"] == {"subject": "New"}
        assert (await ok(client, "get_lead", leadid=lead["leadid"]))["record"]["etag"] == lead["etag"]
        deletion = await ok(client, "delete_lead", leadid=lead["leadid"], dry_run=True)
        assert deletion["request"]["method"] == "DELETE"
        assert "approval of a human" in deletion["note"]


async def test_a_delete_is_done_when_the_human_accepts_what_was_shown(connect: Connect) -> None:
    human = Human("accept")
    async with connect(human) as client:
        lead = await new_lead(client, companyname="Tailspin Toys")
        answer = await ok(client, "delete_lead", leadid=lead["leadid"])
        assert answer["deleted"]["leadid"] == lead["leadid"]
        assert len(human.questions) == 1
        assert lead["fullname"] in human.questions[0]
        assert "Tailspin Toys" in human.questions[0]
        assert (await refused(client, "get_lead", leadid=lead["leadid"]))["code"] == "not_found"


async def test_a_delete_is_not_done_when_the_human_does_not_accept(connect: Connect) -> None:
    human = Human("decline")
    async with connect(human) as client:
        lead = await new_lead(client)
        for action in ("decline", "cancel"):
            human.action = action
            error = await refused(client, "delete_lead", leadid=lead["leadid"])
            assert error["code"] == "not_approved"
        assert len(human.questions) == 2
        assert (await ok(client, "get_lead", leadid=lead["leadid"]))["record"]["etag"] == lead["etag"]


async def test_a_client_that_cannot_ask_is_told_how_an_administrator_can_allow_it(connect: Connect) -> None:
    async with connect() as client:
        lead = await new_lead(client)
        error = await refused(client, "delete_lead", leadid=lead["leadid"])
        assert error["code"] == "not_approved"
        assert "administrator" in error["message"]
        assert (await ok(client, "get_lead", leadid=lead["leadid"]))["record"]["leadid"] == lead["leadid"]


async def test_an_unknown_tool_is_a_protocol_error(connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("drop_tables", {})
        assert caught.value.error.code == -32602


BAD_INPUT: list[tuple[str, dict[str, Any], str]] = [
    ("list_accounts", {"fliter": "x"}, "filter"),
    ("list_accounts", {"top": "ten"}, "top"),
    ("list_accounts", {"select": ["nme"]}, "name"),
    ("list_accounts", {"filter": "name = 'x'"}, "position 4"),
    ("list_accounts", {"cursor": "made-up"}, "without it"),
    ("get_account", {}, "accountid"),
    ("get_account", {"accountid": "Contoso"}, "GUID"),
    ("create_lead", {"lastname": "A", "leadqualitycode": "Hott"}, "Did you mean Hot?"),
    ("create_lead", {"lastname": "A" * 51}, "50"),
    ("update_account", {"accountid": str(uuid4())}, "Nothing to change"),
    ("update_opportunity", {"opportunityid": str(uuid4()), "estimatedclosedate": "soon"}, "2026-12-31"),
]


async def test_bad_input_says_what_to_change(connect: Connect) -> None:
    async with connect() as client:
        for tool, arguments, says in BAD_INPUT:
            error = await refused(client, tool, **arguments)
            assert says in error["message"], (tool, arguments)


async def test_an_answer_that_would_be_too_large_is_refused_whole_and_says_what_to_ask_instead(
    connect: Connect,
) -> None:
    async with connect() as client:
        wide = {
            "expand": ["contact_customer_accounts", "opportunity_customer_accounts"],
            "format": "detailed",
        }
        error = await refused(client, "list_accounts", top=200, **wide)
        assert error["code"] == "answer_too_large"
        assert "top" in error["message"]
        assert (await ok(client, "list_accounts", top=10, **wide))["shown"] == 10


async def test_prompts_are_listed_and_rendered(connect: Connect) -> None:
    async with connect() as client:
        prompts = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in prompts] == [prompt.name for prompt in load_prompts()]
        rendered = await client.get_prompt("account_briefing", {"account": "Contoso Ltd"})
        assert "Contoso Ltd" in rendered.messages[0].content.text
        with pytest.raises(MCPError):
            await client.get_prompt("account_briefing", {})
        with pytest.raises(MCPError):
            await client.get_prompt("no_such_prompt", {})
