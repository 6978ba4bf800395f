"""Rules about tables by pattern, those that are known and those that are added later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm_server.policy.decide import decide
from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy.model import Outcome, Policy, Principal, Spent
from crm_server.policy.show import show
from crm_tools.operations import Access, Action
from crm_tools.tables import Table

NOW = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)
ALLOWED, DENIED, CONFIRM = Outcome.ALLOWED, Outcome.DENIED, Outcome.CONFIRM


@pytest.fixture
def custom(tables: Mapping[str, Table]) -> dict[str, Table]:
    """The standard tables and two custom ones, with the columns of accounts."""
    account = tables["account"]
    made = {name: replace(account, name=name) for name in ("new_project", "new_projecttask")}
    return {**tables, **made}


def load(folder: Path, text: str, tables: Mapping[str, Table]) -> Policy:
    file = folder / "mine.toml"
    file.write_text(text)
    return load_policy(str(file), tables)


def rule(tables: str, *more: str, effect: str = "allow", actions: str = '["read"]') -> str:
    first = ["[[rules]]", f'id = "r-{effect}"', f'effect = "{effect}"', f"actions = {actions}"]
    return "\n".join([*first, f"tables = [{tables}]", *more, ""])


def outcome(policy: Policy, table: str, *reads: str, action: Action = Action.READ) -> Outcome:
    asked = Access(action, table, frozenset(reads))
    return decide(policy, Principal(), asked, NOW, Spent()).outcome


# fmt: off
MATCHES = [
    # tables                    table              allowed
    ('"new_*"',                 "new_project",     ALLOWED),
    ('"new_*"',                 "new_unheard_of",  ALLOWED),
    ('"new_*"',                 "account",         DENIED),
    ('"*project*"',             "new_projecttask", ALLOWED),
    ('"*project"',              "new_projecttask", DENIED),
    ('"new_*task", "lead"',     "lead",            ALLOWED),
    ('"new_*task", "lead"',     "new_projecttask", ALLOWED),
    ('"new_*task", "lead"',     "new_project",     DENIED),
    ('"con*"',                  "contact",         ALLOWED),
]
# fmt: on


@pytest.mark.parametrize(("names", "table", "expected"), MATCHES)
def test_a_pattern_speaks_of_the_tables_that_it_matches(
    tmp_path: Path, custom: Mapping[str, Table], names: str, table: str, expected: Outcome
) -> None:
    policy = load(tmp_path, rule(names), custom)
    assert outcome(policy, table) is expected
    assert outcome(policy, table) is expected  # from the rules that were looked up before


def test_a_pattern_with_a_prefix_may_wait_for_tables_that_come_later(
    tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    assert outcome(load(tmp_path, rule('"contoso_*"'), tables), "contoso_visit") is ALLOWED


@pytest.mark.parametrize("pattern", ["*project*", "prj*", "*_x", "new*"])
def test_another_pattern_that_matches_no_table_is_refused(
    tmp_path: Path, tables: Mapping[str, Table], pattern: str
) -> None:
    with pytest.raises(PolicyFileError) as refused:
        load(tmp_path, rule(f'"{pattern}"'), tables)
    assert f", line 5: Rule 1 (r-allow): The pattern '{pattern}' matches no table." in str(refused.value)


def test_every_table_that_a_pattern_matches_needs_the_columns_that_the_rule_names(
    tmp_path: Path, custom: Mapping[str, Table]
) -> None:
    policy = load(tmp_path, rule('"new_*"', 'columns = ["name"]'), custom)
    assert outcome(policy, "new_project", "name") is ALLOWED
    assert outcome(policy, "new_project", "revenue") is DENIED
    with pytest.raises(PolicyFileError, match="Unknown column of contact 'name'"):
        load(tmp_path, rule('"*c*"', 'columns = ["name"]'), custom)


def test_columns_need_a_table_that_the_pattern_matches_now(
    tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    with pytest.raises(PolicyFileError, match="rows needs tables that are known"):
        load(tmp_path, rule('"new_*"', 'rows = "statecode eq 0"'), tables)


# fmt: off
LATER = [
    # rule, and the outcome for a table that is added later
    (rule('"new_*"', 'rows = "statecode eq 0"'),                                       DENIED),
    (rule('"new_*"', 'columns = ["name"]'),                                            DENIED),
    (rule('"new_*"', 'masked = { name = "hidden" }'),                                  DENIED),
    (rule('"*"') + rule('"new_*"', 'columns = ["revenue"]', effect="deny"),            DENIED),
    (rule('"*"') + rule('"new_*"', 'rows = "statecode eq 0"', effect="deny"),          DENIED),
    (rule('"*"') + rule('"new_*"', 'columns = ["revenue"]', effect="confirm"),         CONFIRM),
    (rule('"new_*"', 'rows = "statecode eq 0"', effect="confirm"),                     DENIED),
]
# fmt: on


@pytest.mark.parametrize(("text", "expected"), LATER)
def test_what_names_columns_or_rows_never_opens_tables_that_are_added_later(
    tmp_path: Path, custom: Mapping[str, Table], text: str, expected: Outcome
) -> None:
    assert outcome(load(tmp_path, text, custom), "new_later", "name") is expected


def test_show_lists_custom_tables_that_fare_alike_together(
    tmp_path: Path, custom: Mapping[str, Table]
) -> None:
    shown = show(load(tmp_path, rule('"new_*"'), custom), custom)
    lines = shown.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("new_project "))
    assert lines[first].split() == ["new_project", "allow", "read", "r-allow"]
    assert lines[first + 1].startswith("new_projecttask")
