"""Resources and completions: what a call of the same question would show, and not more, in both eras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from crm_server.views import MIME_TYPE
from tests.interaction.connecting import ERAS, Era, memory_client

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("era", ERAS)]

RECORDS = ResourceTemplateReference(uri="crm://records/{table}/{record}")
HIDING = """
extends = "read-only"
[hidden]
account = ["revenue"]
contact = ["fullname", "firstname", "lastname"]
"""


async def read(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    text: str = content.text  # type: ignore[union-attr]  # all of ours are text
    return text


async def completed(client: Client, reference: Any, name: str, text: str, **others: str) -> list[str]:
    found = await client.complete(reference, {"name": name, "value": text}, others)
    return found.completion.values


async def test_tables_and_their_columns_can_be_read(era: Era) -> None:
    async with memory_client(era=era) as client:
        listed = [str(item.uri) for item in (await client.list_resources()).resources]
        assert listed[:2] == ["crm://tables", "crm://policy"]
        forms = [item.uri_template for item in (await client.list_resource_templates()).resource_templates]
        assert forms[:2] == ["crm://tables/{table}", "crm://records/{table}/{record}"]
        assert "opportunity | Opportunity | name" in await read(client, "crm://tables")
        assert "Hot, Warm, Cold" in await read(client, "crm://tables/lead")


async def test_a_record_is_read_by_its_table_and_name(era: Era) -> None:
    async with memory_client(era=era) as client:
        found = json.loads(await read(client, "crm://records/account/Fabrikam%2C%20Inc."))
        assert found["record"]["address1_city"] == "Bellevue"
        by_id = json.loads(await read(client, f"crm://records/account/{found['record']['accountid']}"))
        assert by_id["record"]["name"] == "Fabrikam, Inc."


async def test_the_policy_in_force_can_be_read(era: Era) -> None:
    async with memory_client("read-only", era=era) as client:
        assert "Policy read-only" in await read(client, "crm://policy")


async def test_a_page_that_draws_is_html_that_loads_nothing(era: Era) -> None:
    async with memory_client(era=era) as client:
        (content,) = (await client.read_resource("ui://dynamics-crm/pipeline")).contents
        assert content.mime_type == MIME_TYPE
        assert "default-src 'none'" in content.text  # type: ignore[union-attr]  # it is text
        tools = {tool.name: tool.meta for tool in (await client.list_tools()).tools}
        assert tools["summarize_records"]["ui"]["resourceUri"] == "ui://dynamics-crm/pipeline"


@pytest.mark.parametrize(
    "uri",
    [
        "crm://nothing",
        "crm://tables/",
        "crm://tables/leed",
        "crm://records/account",
        "crm://records/account/No%20such%20account",
        "ui://dynamics-crm/other",
        "file:///etc/passwd",
        "crm://records/account/a/b",
    ],
)
async def test_an_address_of_nothing_is_refused_in_our_words(era: Era, uri: str) -> None:
    async with memory_client(era=era) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
        assert caught.value.error.code == -32602


async def test_what_the_policy_hides_is_in_no_resource_and_no_completion(era: Era, tmp_path: Path) -> None:
    policy = tmp_path / "hiding.toml"
    policy.write_text(HIDING)
    async with memory_client(str(policy), era=era) as client:
        assert "revenue" not in await read(client, "crm://tables/account")
        assert "revenue" not in await read(client, "crm://records/account/Fabrikam%2C%20Inc.")
        assert await completed(client, RECORDS, "record", "Em", table="contact") == []
        assert await completed(client, RECORDS, "column", "Annual", table="account") == []
        assert await completed(client, RECORDS, "record", "Fabr", table="account") == ["Fabrikam, Inc."]


async def test_arguments_complete_from_live_names_tables_and_labels(era: Era) -> None:
    async with memory_client(era=era) as client:
        briefing = PromptReference(name="account_briefing")
        assert "Northwind Traders" in await completed(client, briefing, "account", "north")
        assert await completed(client, RECORDS, "table", "opp") == ["opportunity"]
        assert await completed(client, RECORDS, "record", "Litware", table="account") == ["Litware, Inc."]
        assert await completed(client, PromptReference(name="stale_deals"), "owner", "Kim") == ["Kim Akers"]
        assert await completed(client, PromptReference(name="x"), "rating", "h") == ["Hot"]


async def test_nothing_is_completed_for_what_has_no_live_values(era: Era) -> None:
    async with memory_client(era=era) as client:
        assert await completed(client, PromptReference(name="safe_update"), "task", "move") == []
        assert await completed(client, RECORDS, "record", "Fab", table="no_such_table") == []
        assert await completed(client, RECORDS, "record", "100%_[x]'", table="account") == []
