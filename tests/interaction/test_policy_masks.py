"""Masked columns as a client meets them: what a mask leaves is shown, and that is all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interaction.connecting import Human, content, memory_client, policy_file

pytestmark = pytest.mark.anyio


MASKED = """
[[rules]]
id = "read"
effect = "allow"
actions = ["read"]
tables = ["account", "lead", "opportunity"]

[[rules]]
id = "read-contacts"
effect = "allow"
actions = ["read"]
tables = ["contact"]
columns = ["firstname", "lastname", "fullname", "parentcustomerid", "statecode"]
masked = { telephone1 = "last four", emailaddress1 = "domain", jobtitle = "hidden", mobilephone = "hash" }

[[rules]]
id = "write"
effect = "allow"
actions = ["create", "update"]
tables = ["contact"]

[[rules]]
id = "ask"
effect = "confirm"
actions = ["delete"]
tables = ["contact"]
"""


async def test_masked_columns_show_what_their_mask_leaves(tmp_path: Path, sandbox: Any) -> None:
    async with memory_client("full-access", sandbox=sandbox) as client:
        created = await content(
            client,
            "create_contact",
            lastname="Mask",
            telephone1="+49 30 555 1234",
            emailaddress1="ann@fabrikam.example",
            mobilephone="+49 171 998877",
        )
    key = created["record"]["contactid"]
    async with memory_client(policy_file(tmp_path, MASKED), sandbox=sandbox) as client:
        shown = (await content(client, "get_contact", contactid=key, format="detailed"))["record"]
        again = (await content(client, "list_contacts", filter="lastname eq 'Mask'", format="detailed"))[
            "records"
        ][0]
    assert shown["telephone1"] == "...1234"
    assert shown["emailaddress1"] == "...@fabrikam.example"
    assert shown["jobtitle"] == "(hidden)"
    assert shown["mobilephone"].startswith("#")
    assert "birthdate" not in shown
    assert {name: again[name] for name in shown if name != "url"} == {
        name: value for name, value in shown.items() if name != "url"
    }
    assert "998877" not in json.dumps([shown, again])


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_contacts", {"filter": "emailaddress1 eq 'ann@fabrikam.example'"}),
        ("list_contacts", {"filter": "startswith(jobtitle,'P')"}),
        ("list_contacts", {"orderby": "telephone1"}),
        ("list_accounts", {"filter": "primarycontactid/emailaddress1 eq 'a'"}),
        ("list_accounts", {"filter": "contact_customer_accounts/any(c:c/jobtitle eq 'a')"}),
        ("list_contacts", {"select": ["birthdate"]}),
    ],
)
async def test_masked_columns_can_only_be_shown(
    tool: str, arguments: dict[str, Any], tmp_path: Path, sandbox: Any
) -> None:
    async with memory_client(policy_file(tmp_path, MASKED), sandbox=sandbox) as client:
        error = (await content(client, tool, **arguments))["error"]
    assert error["code"] == "denied_by_policy"
    assert list(sandbox.requests) == []


async def test_masked_columns_are_masked_wherever_a_row_is_shown(tmp_path: Path, sandbox: Any) -> None:
    secret = "secret.person@hidden-inc.example"
    human = Human("decline")
    async with memory_client("full-access", sandbox=sandbox) as client:
        account = (await content(client, "create_account", name="Holder"))["record"]["accountid"]
        created = await content(
            client,
            "create_contact",
            lastname="Mask",
            emailaddress1=secret,
            jobtitle="Secret job",
            parentcustomerid_account=account,
        )
        key = created["record"]["contactid"]
    async with memory_client(policy_file(tmp_path, MASKED), human=human, sandbox=sandbox) as client:
        answers = [
            await content(
                client, "list_accounts", filter="name eq 'Holder'", expand=["contact_customer_accounts"]
            ),
            await content(client, "update_contact", contactid=key, jobtitle="New secret", dry_run=True),
            await content(client, "update_contact", contactid=key, firstname="Ann"),
            await content(client, "delete_contact", contactid=key, dry_run=True),
            await content(client, "delete_contact", contactid=key),
            await content(client, "update_contact", contactid=key, emailaddress1="other@new.example"),
        ]
    text = json.dumps(answers[:-1]) + "".join(human.questions)
    assert (
        answers[0]["records"][0]["contact_customer_accounts"][0]["emailaddress1"] == "...@hidden-inc.example"
    )
    assert "secret.person" not in text
    assert "Secret job" not in text
    assert "warning" not in answers[-1]
    assert answers[-1]["record"].get("emailaddress1") is None
