"""Rows as a client meets them: one that is outside of the policy cannot be seen, changed or guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from crm_server.app import build_application
from crm_server.policy.load import load_policy
from crm_server.protocol import build_server
from crm_server.settings import Settings
from crm_tools.description import load
from tests.interaction.connecting import content, is_batch, memory_client, policy_file

pytestmark = pytest.mark.anyio


SOME_ACCOUNTS = """
[[rules]]
id = "all-but-accounts"
effect = "allow"
actions = ["read", "create", "update", "delete"]
tables = ["contact", "lead", "opportunity"]

[[rules]]
id = "some-accounts"
effect = "allow"
actions = ["read", "create", "update", "delete"]
tables = ["account"]
rows = "startswith(address1_city,'B') and statecode eq 0"
"""
INSIDE, OUTSIDE = "startswith(address1_city,'B')", "not startswith(address1_city,'B')"


async def accounts(sandbox: Any, filter_: str, top: int = 100) -> list[dict[str, Any]]:
    """Accounts as somebody with every right sees them."""
    async with memory_client("full-access", sandbox=sandbox) as client:
        found = await content(
            client, "list_accounts", filter=f"{filter_} and statecode eq 0", top=top, format="detailed"
        )
    records: list[dict[str, Any]] = found["records"]
    assert records
    return records


async def test_only_the_rows_of_the_policy_are_listed_counted_and_paged(tmp_path: Path, sandbox: Any) -> None:
    inside = {record["accountid"] for record in await accounts(sandbox, INSIDE)}
    assert len(inside) > 3
    async with memory_client(policy_file(tmp_path, SOME_ACCOUNTS), sandbox=sandbox) as client:
        page = await content(client, "list_accounts", top=3, count=True)
        assert page["total"] == len(inside)
        found = {record["accountid"] for record in page["records"]}
        while page["more"]:
            page = await content(client, "list_accounts", cursor=page["cursor"])
            found |= {record["accountid"] for record in page["records"]}
        assert found == inside
        filtered = await content(client, "list_accounts", filter=f"{OUTSIDE} or true eq true", count=True)
        assert "error" in filtered or filtered["total"] <= len(inside)
        assert (await content(client, "list_accounts", filter=OUTSIDE, count=True))["total"] == 0
        either = await content(client, "list_accounts", filter=f"{INSIDE} or {OUTSIDE}", count=True)
        assert either["total"] == len(inside)


async def test_a_row_outside_cannot_be_told_from_one_that_does_not_exist(
    tmp_path: Path, sandbox: Any
) -> None:
    outside = (await accounts(sandbox, OUTSIDE, top=1))[0]["accountid"]
    nowhere = "0a1b2c3d-0000-4000-8000-0123456789ab"
    async with memory_client(policy_file(tmp_path, SOME_ACCOUNTS), sandbox=sandbox) as client:
        for tool, more in (
            ("get_account", {}),
            ("update_account", {"name": "X"}),
            ("update_account", {"name": "X", "dry_run": True}),
            ("delete_account", {}),
        ):
            told = [
                {
                    name: value
                    for name, value in (await content(client, tool, accountid=key, **more))["error"].items()
                    if name != "correlation_id"
                }
                for key in (outside, nowhere)
            ]
            assert told[0] == told[1], tool
    assert not [r for r in sandbox.requests if r.method in ("PATCH", "DELETE") and not is_batch(r)]


async def test_a_row_inside_can_be_changed_but_not_taken_outside(tmp_path: Path, sandbox: Any) -> None:
    inside = (await accounts(sandbox, INSIDE, top=1))[0]["accountid"]
    async with memory_client(policy_file(tmp_path, SOME_ACCOUNTS), sandbox=sandbox) as client:
        changed = await content(client, "update_account", accountid=inside, telephone1="+49 30 1")
        assert changed["record"]["telephone1"] == "+49 30 1"
        moved = await content(client, "update_account", accountid=inside, address1_city="Bonn")
        assert moved["record"]["address1_city"] == "Bonn"
        refused = (await content(client, "update_account", accountid=inside, address1_city="Ulm"))["error"]
        assert refused["code"] == "denied_by_policy"
        assert refused["rules"] == ["some-accounts"]
        assert "startswith(address1_city,'B')" in refused["message"]
        closed = await content(client, "update_account", accountid=inside, statecode="Inactive")
        assert closed["error"]["code"] == "denied_by_policy"


async def test_a_new_row_has_to_be_surely_inside(tmp_path: Path) -> None:
    text = SOME_ACCOUNTS.replace(" and statecode eq 0", "")
    async with memory_client(policy_file(tmp_path, text)) as client:
        created = await content(client, "create_account", name="In", address1_city="Bremen")
        assert created["record"]["address1_city"] == "Bremen"
        for more in ({"address1_city": "Ulm"}, {}):
            refused = await content(client, "create_account", name="Out", **more)
            assert refused["error"]["code"] == "denied_by_policy"


async def test_what_is_owned_by_the_caller_is_all_there_is(tmp_path: Path) -> None:
    text = SOME_ACCOUNTS.replace("startswith(address1_city,'B') and statecode eq 0", "ownerid eq @me")
    async with memory_client(policy_file(tmp_path, text)) as client:
        before = await content(client, "list_accounts", count=True, top=1)
        created = await content(client, "create_account", name="Mine")
        assert created["record"]["name"] == "Mine"
        key = created["record"]["accountid"]
        assert (await content(client, "list_accounts", count=True, top=1))["total"] == before["total"] + 1
        assert "record" in await content(client, "update_account", accountid=key, name="Still mine")
        assert "deleted" in await content(client, "delete_account", accountid=key)


async def test_related_rows_outside_do_not_come_along(tmp_path: Path, sandbox: Any) -> None:
    inside = {record["accountid"] for record in await accounts(sandbox, INSIDE)}
    async with memory_client("full-access", sandbox=sandbox) as client:
        whole = await content(
            client, "list_contacts", expand=["parentcustomerid_account"], top=60, orderby="contactid"
        )
    async with memory_client(policy_file(tmp_path, SOME_ACCOUNTS), sandbox=sandbox) as client:
        narrowed = await content(
            client, "list_contacts", expand=["parentcustomerid_account"], top=60, orderby="contactid"
        )
        one = narrowed["records"][0]
        opened = await content(
            client, "get_contact", contactid=one["contactid"], expand=["parentcustomerid_account"]
        )
    assert opened["record"].get("parentcustomerid_account") == one.get("parentcustomerid_account")
    seen = 0
    for record, full in zip(narrowed["records"], whole["records"], strict=True):
        related = full.get("parentcustomerid_account")
        if related and related["accountid"] in inside:
            assert record["parentcustomerid_account"]["name"] == related["name"]
            seen += 1
        else:
            assert "parentcustomerid_account" not in record
    assert 0 < seen < len(whole["records"])
    # The name stands beside the lookup as well, where it would tell of rows that may not be seen.
    assert all("name" not in record.get("parentcustomerid", {}) for record in narrowed["records"])


async def test_collections_hold_only_the_rows_inside(tmp_path: Path, sandbox: Any) -> None:
    text = """
[[rules]]
id = "accounts"
effect = "allow"
actions = ["read"]
tables = ["account"]

[[rules]]
id = "managers"
effect = "allow"
actions = ["read"]
tables = ["contact"]
rows = "contains(jobtitle,'Manager')"
"""
    async with memory_client(policy_file(tmp_path, text), sandbox=sandbox) as client:
        found = await content(client, "list_accounts", expand=["contact_customer_accounts"], top=100)
        related = [one for record in found["records"] for one in record["contact_customer_accounts"]]
        assert related
        assert all("Manager" in one["jobtitle"] for one in related)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_contacts", {"filter": "parentcustomerid_account/name eq 'x'"}),
        ("list_contacts", {"orderby": "parentcustomerid_account/name"}),
        ("list_contacts", {"orderby": "parentcustomerid"}),
        ("list_opportunities", {"filter": "parentaccountid/revenue gt 5"}),
    ],
)
async def test_no_filter_and_no_order_reaches_through_to_rows_that_are_narrowed(
    tool: str, arguments: dict[str, Any], tmp_path: Path, sandbox: Any
) -> None:
    async with memory_client(policy_file(tmp_path, SOME_ACCOUNTS), sandbox=sandbox) as client:
        error = (await content(client, tool, **arguments))["error"]
    assert error["code"] == "denied_by_policy"
    assert list(sandbox.requests) == []


async def test_deny_rules_with_rows_take_rows_away(tmp_path: Path, sandbox: Any) -> None:
    text = """
[[rules]]
id = "everything"
effect = "allow"
actions = ["read", "create", "update", "delete"]
tables = ["*"]

[[rules]]
id = "not-the-big-ones"
effect = "deny"
actions = ["read", "update", "delete"]
tables = ["account"]
rows = "revenue gt 1000000"
"""
    async with memory_client(policy_file(tmp_path, text), sandbox=sandbox) as client:
        found = await content(client, "list_accounts", top=200, select=["name", "revenue"])
        assert found["records"]
        assert all(record.get("revenue", 0) <= 1_000_000 for record in found["records"])
        # Who has no revenue is not one of the big ones.
        created = (await content(client, "create_account", name="Small"))["record"]
        assert "record" in await content(client, "get_account", accountid=created["accountid"])
        refused = await content(client, "update_account", accountid=created["accountid"], revenue=2_000_000)
        assert refused["error"]["code"] == "denied_by_policy"


async def test_a_cursor_ends_when_the_policy_narrows_otherwise(tmp_path: Path, sandbox: Any) -> None:
    path = policy_file(tmp_path, SOME_ACCOUNTS)
    application = build_application(Settings(policy=path), asgi_app=sandbox)
    async with Client(build_server(application)) as client:
        page = await content(client, "list_accounts", top=2)
        policy_file(tmp_path, SOME_ACCOUNTS.replace("'B'", "'M'"))
        application.crm.policy = load_policy(path, load().tables)
        error = (await content(client, "list_accounts", cursor=page["cursor"]))["error"]
    await application.aclose()
    assert "policy has changed" in error["message"]
