"""Policies that extend others: what is kept, replaced, removed and added, and how slips are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy.model import Effect, Limits, Policy
from crm_tools.operations import Action
from crm_tools.tables import Table

Read = Callable[[str], Policy]

BASE = """
name = "base"

[[rules]]
id = "read"
effect = "allow"
actions = ["read"]
tables = ["*"]

[[rules]]
id = "write"
effect = "allow"
actions = ["update"]
tables = ["account"]

[limits]
writes_per_minute = 30
deletes_per_day = 20

[limits.each_caller]
writes_per_minute = 10

[hidden]
contact = ["birthdate"]
lead = ["mobilephone"]
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    file = tmp_path / "base.toml"
    file.write_text(BASE)
    return file


def test_a_policy_has_the_rules_of_its_base_and_its_own(read: Read, base: Path) -> None:
    policy = read(
        """
        extends = "base.toml"
        [[rules]]
        id = "ask"
        effect = "confirm"
        actions = ["delete"]
        tables = ["lead"]
        """
    )
    assert [rule.id for rule in policy.rules] == ["read", "write", "ask"]
    assert policy.name == "mine"


def test_a_rule_with_the_id_of_a_base_rule_replaces_it(read: Read, base: Path) -> None:
    policy = read(
        """
        extends = "base.toml"
        [[rules]]
        id = "write"
        effect = "confirm"
        actions = ["update", "create"]
        tables = ["lead"]
        """
    )
    (written,) = (rule for rule in policy.rules if rule.id == "write")
    assert (written.effect, written.actions) == (Effect.CONFIRM, {Action.UPDATE, Action.CREATE})
    assert len(policy.rules) == 2


def test_a_removed_rule_is_gone(read: Read, base: Path) -> None:
    policy = read('extends = "base.toml"\nremove = ["write"]')
    assert [rule.id for rule in policy.rules] == ["read"]


def test_limits_merge_by_key_and_none_lifts_one(read: Read, base: Path) -> None:
    policy = read(
        """
        extends = "base.toml"
        [limits]
        writes_per_minute = 60
        deletes_per_day = "none"
        rows_per_read = 100
        [limits.each_caller]
        writes_per_minute = "none"
        records_per_day = 5
        """
    )
    assert policy.limits == Limits(writes_per_minute=60, rows_per_read=100)
    assert policy.each_caller == Limits(records_per_day=5)


def test_hidden_columns_add_up(read: Read, base: Path) -> None:
    policy = read('extends = "base.toml"\n[hidden]\ncontact = ["mobilephone"]\naccount = ["revenue"]')
    assert policy.hidden == {
        "contact": {"birthdate", "mobilephone"},
        "lead": {"mobilephone"},
        "account": {"revenue"},
    }


def test_a_preset_can_be_extended(read: Read, tables: Mapping[str, Table]) -> None:
    policy = read('extends = "sales-assistant"\nremove = ["ask-before-bulk"]')
    ids = [rule.id for rule in load_policy("sales-assistant", tables).rules]
    assert [rule.id for rule in policy.rules] == [rule_id for rule_id in ids if rule_id != "ask-before-bulk"]
    assert policy.limits == load_policy("sales-assistant", tables).limits


def test_a_base_is_named_from_the_folder_of_the_file_that_names_it(
    tmp_path: Path, base: Path, tables: Mapping[str, Table]
) -> None:
    folder = tmp_path / "teams" / "north"
    folder.mkdir(parents=True)
    (tmp_path / "teams" / "all.toml").write_text('extends = "../base.toml"\n[hidden]\nlead = ["subject"]')
    (folder / "north.toml").write_text('extends = "../all.toml"\nremove = ["write"]')
    policy = load_policy(str(folder / "north.toml"), tables)
    assert [rule.id for rule in policy.rules] == ["read"]
    assert policy.hidden["lead"] == {"mobilephone", "subject"}


# fmt: off
REFUSED = [
    # text of the file, the line that is named, what the message says
    ('extends = "base.toml"\nremove = ["wrte"]', 2,
     "remove: Unknown rule of the base 'wrte'. Did you mean write?"),
    ('remove = ["write"]',                          1, "no base is named by extends"),
    ('name = "a"\nextends = "bse.toml"',            2, "There is no such preset or file. Did you mean"),
    ('extends = "sales-asistant"',                  1, "Did you mean sales-assistant"),
    ('extends = "mine.toml"',                       1, "extends goes in a circle: "),
    ("extends = 3",                                 1, "extends must be a preset or a .toml file"),
    ('extends = "base.toml"\n[limits]\nwrites_per_day = "none"', 3,
     "writes_per_day lifts a limit that no base sets"),
    ('[limits]\nwrites_per_day = "none"',           2, "writes_per_day lifts a limit that no base sets"),
    ('extends = "base.toml"\n[limits.each_caller]\nrows_per_hour = "none"', 3,
     "[limits.each_caller]: rows_per_hour"),
    ('extends = "base.toml"\n[limits]\nwrites_per_minute = 5', 2,
     "of 10 can never be reached: all callers together"),
    ('extends = "base.toml"\n[limits.each_caller]\nwrites_per_minute = 40', 3,
     "all callers together have 30"),
    ("""extends = "base.toml"
remove = ["write"]
[[rules]]
id = "write"
effect = "deny"
actions = ["read"]
tables = ["lead"]""",                               3, "Rule 1 (write): remove names it too."),
]
# fmt: on


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_a_slip_in_extending_is_refused_with_its_line(
    read: Read, base: Path, tmp_path: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(PolicyFileError) as refused:
        read(text)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"Policy {tmp_path / 'mine.toml'}, line {line}: ")


def test_an_error_in_the_base_names_the_base(read: Read, base: Path) -> None:
    base.write_text(BASE.replace('"update"', '"updat"'))
    with pytest.raises(PolicyFileError) as refused:
        read('extends = "base.toml"')
    assert str(refused.value) == (
        f"Policy {base}, line 13: Rule 2 (write): Unknown action 'updat'. Did you mean update?"
    )


def test_a_circle_of_files_is_refused_where_it_closes(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"')
    (tmp_path / "b.toml").write_text('extends = "./a.toml"')
    with pytest.raises(PolicyFileError) as refused:
        load_policy(str(tmp_path / "a.toml"), tables)
    assert f"Policy {tmp_path / 'b.toml'}, line 1: extends goes in a circle" in str(refused.value)


@pytest.mark.parametrize(("depth", "fits"), [(5, True), (6, False)])
def test_at_most_five_files_extend_each_other_below_the_first(
    tmp_path: Path, tables: Mapping[str, Table], depth: int, fits: bool
) -> None:
    for number in range(depth):
        (tmp_path / f"{number}.toml").write_text(f'extends = "{number + 1}.toml"')
    (tmp_path / f"{depth}.toml").write_text(BASE)
    if fits:
        assert load_policy(str(tmp_path / "0.toml"), tables).rules
    else:
        with pytest.raises(PolicyFileError, match="extends goes too deep: at most 5"):
            load_policy(str(tmp_path / "0.toml"), tables)
