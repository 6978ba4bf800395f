"""Saved views by tool and by address, in both eras: read as any rows are, and so under the policy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceTemplateReference

from crm_sandbox import create_app
from tests.interaction.connecting import ERAS, Era, memory_client, policy_file

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("era", ERAS)]

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
VIEW = ResourceTemplateReference(uri="crm://views/{table}/{view}")
ACTIVE_ACCOUNTS = "00000000-0000-0000-00aa-000010001002"
TOOLS = ("compact", "insight")


@pytest.fixture
def sandbox() -> Iterator[Any]:
    app = create_app(now=lambda: NOW)
    yield app
    app.close()


async def read(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    text: str = content.text  # type: ignore[union-attr]  # all of ours are text
    return text


async def refused(client: Client, uri: str) -> Any:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.error.code == -32602
    return caught.value.error


async def query(client: Client, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool("query_records", arguments)
    assert result.structured_content is not None, result.content
    assert not result.is_error, result.content
    return result.structured_content


async def error(client: Client, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool("query_records", arguments)
    assert result.is_error, result.content
    content: dict[str, Any] = json.loads(result.content[0].text)["error"]  # type: ignore[union-attr]
    return content


async def completed(client: Client, text: str, **others: str) -> list[str]:
    found = await client.complete(VIEW, {"name": "view", "value": text}, others)
    return found.completion.values


async def add_view(sandbox: Any, name: str, fetchxml: str, table: str = "account", **values: Any) -> None:
    """A view as an administrator makes one."""
    given = {"name": name, "returnedtypecode": table, "querytype": 0, "fetchxml": fetchxml, **values}
    await _sent(sandbox, "POST", "savedqueries", given)


async def rows(sandbox: Any, path: str) -> list[dict[str, Any]]:
    """Rows as the CRM itself answers them."""
    found: list[dict[str, Any]] = (await _sent(sandbox, "GET", path)).json()["value"]
    return found


async def _sent(
    sandbox: Any, method: str, path: str, body: Mapping[str, Any] | None = None
) -> httpx.Response:
    transport = httpx.ASGITransport(app=sandbox)
    async with httpx.AsyncClient(transport=transport, base_url="https://sandbox.invalid") as http:
        answer = await http.request(method, f"/api/data/v9.2/{path}", json=body)
    assert answer.is_success, answer.text
    return answer


def account_view(content: str) -> str:
    return f"<fetch><entity name='account'><attribute name='name'/>{content}</entity></fetch>"


async def test_the_views_of_a_table_are_listed_with_what_they_show(era: Era) -> None:
    async with memory_client(era=era) as client:
        forms = [item.uri_template for item in (await client.list_resource_templates()).resource_templates]
        assert "crm://views/{table}" in forms
        assert "crm://views/{table}/{view}" in forms
        listed = await read(client, "crm://views/opportunity")
        assert "Opportunities Closing Next Month | Open opportunities whose estimated close date" in listed
        assert "My Open Opportunities | Open opportunities that I own. | yes" in listed
        assert "more: no" in listed
        # What stands behind the search field of a list is nothing to choose.
        assert "Quick Find" not in await read(client, "crm://views/account")
        assert await read(client, "crm://views/Accounts") == await read(client, "crm://views/account")


async def test_a_table_without_views_says_so(era: Era) -> None:
    async with memory_client(era=era, toolsets=TOOLS) as client:
        assert "views: none" in await read(client, "crm://views/task")
        told = await error(client, table="task", view="Overdue")
        assert told["message"] == "task has no saved views. Ask with where instead."


async def test_a_view_shows_its_first_rows_and_whether_there_are_more(era: Era, sandbox: Any) -> None:
    run = await rows(sandbox, f"accounts?savedQuery={ACTIVE_ACCOUNTS}")
    async with memory_client(era=era, sandbox=sandbox) as client:
        shown = await read(client, "crm://views/account/Active%20Accounts")
        assert "view: Active Accounts\n" in shown
        assert "name | telephone1 | address1_city | primarycontactid" in shown
        assert "left_out: columns of contact" in shown
        places = [shown.index(f"\n  {row['name']} | ") for row in run[:20]]
        assert places == sorted(places)
        assert "shown: 20\nmore: yes" in shown
        for name in (ACTIVE_ACCOUNTS, "active%20accounts"):
            again = await read(client, f"crm://views/account/{name}")
            assert again.partition("cursor: ")[0] == shown.partition("cursor: ")[0]


async def test_a_view_by_tool_pages_to_the_rows_that_the_crm_shows(era: Era, sandbox: Any) -> None:
    run = await rows(sandbox, f"accounts?savedQuery={ACTIVE_ACCOUNTS}")
    async with memory_client(era=era, sandbox=sandbox, toolsets=TOOLS) as client:
        page = await query(client, table="account", view="Active Accounts", top=100, count=True)
        assert page["view"] == "Active Accounts"
        assert page["total"] == len(run)
        found = page["records"]
        while page["more"]:
            page = await query(client, table="account", cursor=page["cursor"])
            found += page["records"]
        assert [record["accountid"] for record in found] == [row["accountid"] for row in run]
        assert set(found[1]) <= {
            "accountid",
            "name",
            "telephone1",
            "address1_city",
            "primarycontactid",
            "etag",
        }


async def test_conditions_beside_a_view_narrow_it_and_columns_and_order_replace_its_own(
    era: Era, sandbox: Any
) -> None:
    async with memory_client(era=era, sandbox=sandbox, now=lambda: NOW, toolsets=TOOLS) as client:
        narrowed = await query(
            client,
            table="opportunity",
            view="open opportunities",
            where=[{"column": "estimatedvalue", "op": "gt", "value": 50_000}],
            filter="closeprobability ge 60 or closeprobability eq 35",
            columns=["name", "estimatedvalue", "closeprobability", "statecode"],
            orderby="estimatedvalue desc",
            top=100,
        )
        records = narrowed["records"]
        assert len(records) > 3
        assert all(record["statecode"] == "Open" for record in records)
        assert all(record["estimatedvalue"] > 50_000 for record in records)
        assert {record["closeprobability"] for record in records} <= {35, *range(60, 101)}
        values = [record["estimatedvalue"] for record in records]
        assert values == sorted(values, reverse=True)
        assert "customerid" not in records[0]


async def test_a_filter_beside_a_view_cannot_break_out_of_it(era: Era, sandbox: Any) -> None:
    async with memory_client(era=era, sandbox=sandbox, toolsets=TOOLS) as client:
        told = await error(
            client, table="account", view="Active Accounts", filter="statecode eq 1) or (statecode eq 1"
        )
        assert told["code"] == "invalid_filter"


async def test_my_views_are_of_whoever_is_signed_in(era: Era, sandbox: Any) -> None:
    async with memory_client(era=era, sandbox=sandbox, toolsets=TOOLS) as client:
        mine = await query(
            client, table="lead", view="My Open Leads", columns=["ownerid", "statecode"], top=50
        )
        assert mine["records"]
        assert {record["ownerid"]["name"] for record in mine["records"]} == {"Alex Baker"}


async def test_an_unknown_view_is_answered_with_the_closest(era: Era) -> None:
    async with memory_client(era=era, toolsets=TOOLS) as client:
        told = await error(client, table="opportunity", view="oportunities closing in next month")
        assert told["code"] == "unknown_record"
        assert told["candidates"][0]["name"] == "Opportunities Closing Next Month"
        told = await error(client, table="lead", view="zzzz")
        assert {item["name"] for item in told["candidates"]} == {
            "My Open Leads",
            "Open Leads",
            "Closed Leads",
        }
        by_address = await refused(client, "crm://views/lead/Opne%20leads")
        assert by_address.data["candidates"][0]["name"] == "Open Leads"
        # A view of another table is none of this one.
        assert (await error(client, table="contact", view=ACTIVE_ACCOUNTS))["code"] == "unknown_record"
        assert (await error(client, table="contact", view="%"))["code"] == "unknown_record"
        await refused(client, "crm://views/no_such_table")
        await refused(client, "crm://views/")
        await refused(client, "crm://views/account/a/b")


async def test_views_of_one_name_are_told_apart_by_their_ids(era: Era, sandbox: Any) -> None:
    for city in ("Seattle", "Berlin"):
        fetchxml = account_view(
            f"<filter><condition attribute='address1_city' operator='eq' value='{city}'/></filter>"
        )
        await add_view(sandbox, "Near us", fetchxml, description=city)
    async with memory_client(era=era, sandbox=sandbox, toolsets=TOOLS) as client:
        told = await error(client, table="account", view="near us")
        assert told["code"] == "ambiguous_name"
        (key,) = [item["id"] for item in told["candidates"] if item["shows"] == "Berlin"]
        found = await query(client, table="account", view=key, columns=["address1_city"])
        assert {record["address1_city"] for record in found["records"]} == {"Berlin"}


async def test_a_cursor_and_a_view_do_not_go_together(era: Era) -> None:
    async with memory_client(era=era, toolsets=TOOLS) as client:
        page = await query(client, table="account", view="Active Accounts")
        told = await error(client, table="account", view="Active Accounts", cursor=page["cursor"])
        assert "leave out view" in told["message"]


async def test_what_a_view_asks_that_cannot_be_asked_here_is_named(era: Era, sandbox: Any) -> None:
    linked = "<link-entity name='lead' from='parentaccountid' to='accountid' link-type='inner'/>"
    await add_view(sandbox, "With leads", account_view(linked))
    bomb = "<!DOCTYPE fetch [<!ENTITY a 'aaaa'>]>" + account_view("<attribute name='&a;'/>")
    await add_view(sandbox, "Bomb", bomb)
    await add_view(sandbox, "Empty", "")
    async with memory_client(era=era, sandbox=sandbox, toolsets=TOOLS) as client:
        said = (await error(client, table="account", view="With leads"))["message"]
        assert said == (
            "This view cannot be shown here: it depends on linked rows of lead. "
            "Ask with query_records and where instead."
        )
        assert "document type" in (await refused(client, "crm://views/account/Bomb")).message
        assert "cannot be read" in (await error(client, table="account", view="Empty"))["message"]


async def test_what_a_view_is_called_stays_data(era: Era, sandbox: Any) -> None:
    name = "All <img src=x> [go](javascript:x)\u202e"
    await add_view(sandbox, name, account_view(""), description="Line\nbreak")
    async with memory_client(era=era, sandbox=sandbox, toolsets=TOOLS) as client:
        listed = await read(client, "crm://views/account")
        assert "<img" not in listed
        assert "\u202e" not in listed
        assert "Line break" in listed


async def test_names_of_views_complete_as_they_are_typed(era: Era) -> None:
    async with memory_client(era=era) as client:
        found = await completed(client, "my", table="contact")
        assert found == ["My Active Contacts"]
        assert len(await completed(client, "", table="opportunity")) > 5
        assert await completed(client, "my", table="no_such_table") == []
        assert await completed(client, "100%_[x]'", table="account") == []
        assert await completed(client, "my") == []


async def test_the_table_of_views_is_none_to_work_on(era: Era) -> None:
    async with memory_client("full-access", era=era, toolsets=TOOLS) as client:
        assert "savedquery" not in await read(client, "crm://tables")
        assert "savedquery" not in str((await client.call_tool("whoami", {})).structured_content)
        for name in ("savedquery", "savedqueries", "View"):
            told = await error(client, table=name)
            assert told["code"] == "unknown_name"
            assert "savedquery," not in told["message"]
        made = await client.call_tool("create_record", {"table": "savedquery", "values": {"name": "x"}})
        assert made.is_error


async def test_a_hidden_column_is_left_out_of_a_view_and_none_is_filtered_by(
    era: Era, sandbox: Any, tmp_path: Path
) -> None:
    hiding = 'extends = "read-only"\n[hidden]\naccount = ["telephone1", "revenue"]\n'
    rich = "<filter><condition attribute='revenue' operator='gt' value='1000000'/></filter>"
    await add_view(sandbox, "Rich", account_view(rich))
    await add_view(sandbox, "By revenue", account_view("<order attribute='revenue'/>"))
    async with memory_client(
        policy_file(tmp_path, hiding), era=era, sandbox=sandbox, toolsets=TOOLS
    ) as client:
        shown = await read(client, "crm://views/account/Active%20Accounts")
        assert "name | address1_city | primarycontactid" in shown
        assert "telephone1" not in shown
        for name in ("Rich", "By revenue"):
            told = await error(client, table="account", view=name)
            assert told["code"] == "denied_by_policy"
            assert (await refused(client, f"crm://views/account/{quote(name)}")).message == told["message"]


async def test_a_view_shows_only_the_rows_of_the_policy_and_masks_what_it_masks(
    era: Era, sandbox: Any, tmp_path: Path
) -> None:
    some = """
name = "some"
[[rules]]
id = "views"
effect = "allow"
actions = ["read"]
tables = ["savedquery"]
[[rules]]
id = "berlin"
effect = "allow"
actions = ["read"]
tables = ["account"]
rows = "address1_city eq 'Berlin'"
masked = { telephone1 = "last four" }
[limits]
rows_per_read = 3
"""
    run = await rows(sandbox, f"accounts?savedQuery={ACTIVE_ACCOUNTS}")
    within = [row["accountid"] for row in run if row.get("address1_city") == "Berlin"]
    assert 3 < len(within) < len(run)
    async with memory_client(policy_file(tmp_path, some), era=era, sandbox=sandbox, toolsets=TOOLS) as client:
        page = await query(client, table="account", view="Active Accounts", top=100, count=True)
        assert page["total"] == len(within)
        assert page["shown"] == 3
        assert [record["accountid"] for record in page["records"]] == within[:3]
        assert all(record["telephone1"].startswith("...") for record in page["records"])
        # The rows of other tables stay unread, whatever their views say.
        assert (await error(client, table="lead", view="Open Leads"))["code"] == "denied_by_policy"


async def test_where_views_may_not_be_read_there_are_none(era: Era, sandbox: Any, tmp_path: Path) -> None:
    without = """
name = "without views"
[[rules]]
id = "accounts"
effect = "allow"
actions = ["read"]
tables = ["account"]
"""
    async with memory_client(
        policy_file(tmp_path, without), era=era, sandbox=sandbox, toolsets=TOOLS
    ) as client:
        assert "Unknown resource" in (await refused(client, "crm://views/account")).message
        told = await error(client, table="account", view="Active Accounts")
        assert told["code"] == "denied_by_policy"
        await refused(client, "crm://views/account/Active%20Accounts")
        assert await completed(client, "act", table="account") == []
        assert (await query(client, table="account"))["records"]


async def test_no_view_is_ever_run_by_its_id(era: Era, sandbox: Any) -> None:
    seen: list[str] = []

    async def watching(scope: Any, receive: Any, send: Any) -> None:
        seen.append(f"{scope['path']}?{scope['query_string'].decode()}")
        await sandbox(scope, receive, send)

    async with memory_client(era=era, sandbox=watching, toolsets=TOOLS) as client:
        await query(client, table="account", view="Active Accounts")
        await read(client, "crm://views/lead/Open%20Leads")
    assert any("savedqueries" in address for address in seen)
    assert not any(word in address for address in seen for word in ("savedQuery=", "userQuery=", "fetchXml="))
