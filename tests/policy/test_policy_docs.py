"""The examples of docs/policy.md do what the page says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm_server.policy.decide import decide
from crm_server.policy.explain import explain
from crm_server.policy.keys import PRESETS
from crm_server.policy.load import load_policy
from crm_server.policy.model import Limits, Policy, Principal, Spent
from crm_server.policy.show import show
from crm_tools.operations import Access, Action
from crm_tools.tables import Table

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def example(number: int, folder: Path, tables: Mapping[str, Table]) -> Policy:
    file = folder / "example.toml"
    file.write_text(EXAMPLES[number], encoding="utf-8")
    return load_policy(str(file), tables)


def no_deletes(folder: Path, tables: Mapping[str, Table]) -> Policy:
    (number,) = (index for index, text in enumerate(EXAMPLES) if 'name = "no-deletes"' in text)
    return example(number, folder, tables)


@pytest.mark.parametrize("number", range(2))
def test_an_example_on_the_page_is_a_policy(number: int, tmp_path: Path, tables: Mapping[str, Table]) -> None:
    assert len(EXAMPLES) == 2
    policy = example(number, tmp_path, tables)
    assert policy.rules


def test_the_page_shows_what_show_prints(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    assert show(no_deletes(tmp_path, tables), tables) + "\n```" in PAGE


def test_the_page_shows_what_explain_prints(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    policy = no_deletes(tmp_path, tables)
    asked = Access(Action.READ, "contact", frozenset({"birthdate", "contactid", "fullname"}), rows=20)
    now = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)
    decided = [(asked, decide(policy, Principal(), asked, now, Spent()))]
    assert explain(policy, "list_contacts", decided) + "\n```" in PAGE


@pytest.mark.parametrize("preset", PRESETS)
def test_the_page_gives_the_limits_of_each_preset(preset: str, tables: Mapping[str, Table]) -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{preset}`"))
    *_, writes, deletes, rows = (
        None if cell == "-" else int(cell.replace(",", "")) for cell in cells(row)[-3:]
    )
    assert load_policy(preset, tables).limits == Limits(
        writes_per_minute=writes, deletes_per_day=deletes, rows_per_read=rows
    )


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]
