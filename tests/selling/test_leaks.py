"""Canaries in a hidden row and in a hidden column: no tool and no completion shows or betrays them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_types import PromptReference, ResourceTemplateReference

from tests.interaction.connecting import ERAS, Era, Human
from tests.selling.crm import Seller, seller

pytestmark = pytest.mark.anyio
CANARY = "Zkanarienvogel"
POLICY = """
[[rules]]
id = "accounts"
effect = "allow"
actions = ["read", "search", "aggregate", "update", "merge", "link", "assign", "create", "delete"]
tables = ["account"]
rows = "address1_city ne 'Secret'"

[[rules]]
id = "the-rest"
effect = "allow"
actions = ["read", "search", "aggregate", "create", "update", "delete", "qualify", "assign", "merge", "link"]
tables = ["contact", "lead", "opportunity", "task", "phonecall", "appointment", "annotation", "systemuser",
    "team", "transactioncurrency", "activitypointer"]

[hidden]
contact = ["jobtitle"]
"""
HIDDEN_ROW = f"{CANARY} Ltd"
RECORDS = ResourceTemplateReference(uri="crm://records/{table}/{record}")


def calls(key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every tool of more than one table, asked about what is hidden."""
    row = {"table": "account", "record": HIDDEN_ROW}
    by_key = {"table": "account", "record": key}
    for text in (CANARY, CANARY[:4], "kanarien"):
        yield "find_records", {"text": text}
        yield "find_records", {"text": text, "tables": ["contact"]}
    for given in (row, by_key):
        yield "get_overview", given
        yield "get_record", {**given, "format": "detailed"}
        yield "update_record", {**given, "values": {"telephone1": "1"}}
        yield "update_record", {**given, "values": {"telephone1": "1"}, "dry_run": True}
        yield "delete_record", given
        yield "find_duplicates", given
        yield "assign_record", {**given, "to": "Kim Akers"}
        yield "link_records", {**given, "to_table": "contact", "to": "Ada Visible"}
        yield (
            "log_activity",
            {"type": "task", "about": given["record"], "about_table": "account", "subject": "x"},
        )
        yield "merge_records", {"table": "account", "keep": "Visible Ltd", "merge": given["record"]}
        yield "merge_records", {"table": "account", "keep": given["record"], "merge": "Visible Ltd"}
    yield "find_duplicates", {"table": "account", "name": HIDDEN_ROW}
    yield "get_overview", {"record": "Visible Ltd", "table": "account"}
    yield "get_overview", {"record": "Ada Visible", "table": "contact"}
    yield "create_record", {"table": "contact", "values": {"lastname": "x", "Company": HIDDEN_ROW}}
    yield "get_record", {"table": "contact", "record": "Ada Visible", "format": "detailed"}
    for table, column in (("account", "name"), ("contact", "jobtitle")):
        where = [{"column": column, "op": "startswith", "value": CANARY[:4]}]
        yield "query_records", {"table": table, "where": where, "count": True, "format": "detailed"}
        yield "summarize_records", {"table": table, "where": where}
        yield "summarize_records", {"table": table, "by": [column], "top": 200}
        yield "summarize_records", {"table": table, "measures": [f"max {column}"]}
        yield "query_records", {"table": table, "orderby": f"{column} desc", "top": 200}
    yield "query_records", {"table": "contact", "columns": ["jobtitle"]}
    yield "query_records", {"table": "contact", "filter": f"parentcustomerid_account/name eq '{HIDDEN_ROW}'"}
    yield (
        "query_records",
        {"table": "contact", "where": [{"column": "parentcustomerid", "value": HIDDEN_ROW}]},
    )
    yield "query_records", {"table": "contact", "top": 200, "format": "detailed"}
    yield "describe_table", {"table": "contact"}
    yield "list_tables", {}
    yield "whoami", {}
    yield "list_changes", {}
    yield "qualify_lead", {"lead": "Lead Visible"}
    yield "qualify_lead", {"lead": "Lead Visible", "account": HIDDEN_ROW, "contact": "new"}


async def planted(one: Seller) -> str:
    """What is hidden, and what stands around it and may be seen; the hidden row's id."""
    key = await one.make("account", name=HIDDEN_ROW, address1_city="Secret", emailaddress1="z@k.example")
    await one.make("account", name="Visible Ltd", address1_city="Bonn", emailaddress1="z@k.example")
    await one.make("contact", firstname="Ada", lastname="Visible", jobtitle=CANARY, Company=key)
    await one.make("lead", firstname="Lead", lastname="Visible", companyname="Unknown")
    await one.make("opportunity", name="Deal of somebody", Customer=key)
    return key


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_hidden_is_told_by_no_tool_and_no_completion(era: Era, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    human = Human("accept")
    seen: list[str] = []
    async with seller() as everything:
        key = await planted(everything)
        assert CANARY in (await everything.ask("find_records", text=CANARY)).text
        async with seller(str(policy), crm=everything.crm, human=human, era=era) as one:
            offered = {tool.name for tool in (await one.client.list_tools()).tools}
            assert {name for name, _ in calls()} <= offered
            for tool, arguments in calls(key):
                answer = await one.ask(tool, **arguments)
                seen.append(answer.text)
                seen.append(str(answer.content))
            for kind, others in (("record", {"table": "account"}), ("column", {"table": "contact"})):
                for text in ("Z", CANARY[:5], "Job"):
                    found = await one.client.complete(RECORDS, {"name": kind, "value": text}, others)
                    seen += found.completion.values
            briefing = PromptReference(name="account_briefing")
            found = await one.client.complete(briefing, {"name": "account", "value": CANARY[:4]}, {})
            seen += found.completion.values
        (row,) = await everything.crm.rows(f"accounts?$filter=accountid eq {key}")
        assert (row["telephone1"], row["statecode"], row["name"]) == (None, 0, HIDDEN_ROW)
    assert len(seen) > 80
    leaked = [text for text in (*seen, *human.questions) if CANARY.casefold() in text.casefold()]
    assert not leaked, leaked[:3]


@pytest.mark.parametrize("era", ERAS)
async def test_one_learns_who_one_is_and_what_is_left(era: Era, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY + "\n[limits]\nwrites_per_minute = 3\n")
    async with seller(str(policy), era=era, roles=frozenset({"sales"})) as one:
        told = (await one.ask("whoami")).content
        assert (told["user"], told["policy"], told["roles"]) == ("Alex Baker", "policy", ["sales"])
        assert (told["environment"]["organization"], told["environment"]["kind"]) == (
            "Contoso Sales",
            "sandbox",
        )
        accounts = next(item for item in told["may"] if "account" in item["tables"])
        assert "qualify" not in accounts["allowed"]
        assert any("3 of 3" in limit for limit in told["limits"])
        await one.make("lead", lastname="L")
        assert any("2 of 3" in limit for limit in (await one.ask("whoami")).content["limits"])
