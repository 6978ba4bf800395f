"""Policy files: what they mean, and how each slip of the pen is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from crm_server.policy.keys import PRESETS
from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy.model import MOST_COUNTED, Effect, Limits, Policy, Rule
from crm_tools.operations import READING, Action
from crm_tools.tables import Table

Read = Callable[[str], Policy]

RULE = """
[[rules]]
id = "read-everything"
effect = "allow"
actions = ["read"]
tables = ["*"]
"""


def rule(**changed: str) -> str:
    """The text of one rule, with some of its values changed or, where None, left out."""
    values = {"id": '"r"', "effect": '"allow"', "actions": '["read"]', "tables": '["*"]', **changed}
    return "[[rules]]\n" + "\n".join(f"{key} = {value}" for key, value in values.items() if value)


def test_a_file_becomes_a_policy(read: Read) -> None:
    policy = read(
        'name = "team"'
        + RULE
        + rule(id='"no-leads"', effect='"deny"', actions='["update", "delete"]', tables='["lead", "contact"]')
        + "\n[limits]\nwrites_per_minute = 30\ndeletes_per_day = 0\nrows_per_read = 500\n"
        + '[hidden]\ncontact = ["birthdate"]\nlead = []\n'
    )
    assert policy == Policy(
        name="team",
        rules=(
            Rule("read-everything", Effect.ALLOW, frozenset({Action.READ}), None),
            Rule(
                "no-leads",
                Effect.DENY,
                frozenset({Action.UPDATE, Action.DELETE}),
                frozenset({"lead", "contact"}),
            ),
        ),
        limits=Limits(writes_per_minute=30, deletes_per_day=0, rows_per_read=500),
        hidden={"contact": frozenset({"birthdate"}), "lead": frozenset()},
    )


def test_without_a_name_a_policy_is_called_as_its_file(read: Read) -> None:
    assert read(RULE).name == "mine"


def test_an_empty_file_is_a_policy_that_allows_nothing(read: Read) -> None:
    assert read("") == Policy("mine", (), Limits(), {})


def test_limits_are_those_of_all_callers_together_and_of_each(read: Read) -> None:
    policy = read(
        """
        [limits]
        writes_per_minute = 30
        writes_per_day = 300
        deletes_per_day = 20
        records_per_day = 200
        rows_per_hour = 9000
        rows_per_read = 500
        rows_per_bulk = 20000

        [limits.each_caller]
        writes_per_minute = 10
        records_per_day = 0
        """
    )
    assert policy.limits == Limits(30, 300, 20, 200, 9000, 500, 20_000)
    assert policy.each_caller == Limits(writes_per_minute=10, records_per_day=0)


def test_a_byte_order_mark_is_no_error(read: Read) -> None:
    assert read("\ufeff" + RULE).rules[0].id == "read-everything"


# fmt: off
HIDDEN = [
    # named in the file                        hidden
    ('contact = ["birthdate"]',                "contact", {"birthdate"}),
    ('contact = ["firstname"]',                "contact", {"firstname", "fullname"}),
    ('contact = ["lastname"]',                 "contact", {"lastname", "fullname"}),
    ('contact = ["fullname"]',                 "contact", {"fullname"}),
    ('lead = ["lastname", "subject"]',         "lead",    {"lastname", "fullname", "subject"}),
    ('account = ["name"]',                     "account", {"name"}),
    ('account = ["parentaccountid"]',          "account", {"_parentaccountid_value"}),
    ('account = ["_parentaccountid_value"]',   "account", {"_parentaccountid_value"}),
    ('opportunity = ["statecode"]',            "opportunity", {"statecode", "statuscode"}),
    ('opportunity = ["statuscode"]',           "opportunity", {"statuscode"}),
]
# fmt: on


@pytest.mark.parametrize(("line", "table", "columns"), HIDDEN)
def test_hiding_a_column_hides_what_discloses_it(
    read: Read, line: str, table: str, columns: set[str]
) -> None:
    assert read(f"[hidden]\n{line}").hidden == {table: columns}


# fmt: off
REFUSED = [
    # text of the file, the line that is named, what the message says
    ("name =",                            1, "It is not valid TOML: Invalid value."),
    ('name = "a"\nrules = [',            2, "not valid TOML"),
    ('name = "a"\n[[rules]\n',          2, "(at column 8)"),
    ('name = "a"\nname = "b"\n',        2, "It is not valid TOML: Cannot overwrite a value"),
    ("nme = 'a'",                         1, "Unknown key 'nme'. Did you mean name?"),
    ("[[rule]]",                          1, "Unknown key 'rule'. Did you mean rules?"),
    ("\n[hiden]",                        2, "Unknown key 'hiden'. Did you mean hidden?"),
    ("[limit]",                           1, "Unknown key 'limit'. Did you mean limits?"),
    ("zzz = 1", 1,
     "Unknown key 'zzz'. Known: name, extends, remove, rules, limits, hidden, audited, ask_after_reading."),
    ("name = 3", 1,
     'name must be a text of 1 to 60 characters, such as name = "sales".'),
    ('name = ""',                         1, "name must be a text of 1 to 60 characters"),
    ('name = "a\\nb"',                  1, "name must be a text of 1 to 60 characters"),
    (f'name = "{"a" * 61}"',              1, "name must be a text of 1 to 60 characters"),
    ("[rules]", 1,
     "rules must be sections that each start with a line [[rules]], in two"),
    ("rules = [1]",                       1, "rules must be sections that each start with a line [[rules]]"),
    (rule(efect='"deny"'),                6, "Rule 1 (r): Unknown key 'efect'. Did you mean effect?"),
    (rule(id=""), 1,
     "Rule 1: id is missing; needed are id, effect, actions, tables."),
    (rule(effect=""),                     1, "Rule 1 (r): effect is missing"),
    (rule(actions=""),                    1, "Rule 1 (r): actions is missing"),
    (rule(tables=""),                     1, "Rule 1 (r): tables is missing"),
    (rule(id='""'), 2,
     "Rule 1: id must be a text of up to 64 letters, digits and - _ ."),
    (rule(id='"a b"'),                    2, "Rule 1 (a b): id must be"),
    (rule(id='"limit:x"'),                2, "id must be"),
    (rule(id='"a\\n"'),                 2, "id must be"),
    (rule(id="7"),                        2, "Rule 1: id must be"),
    (rule() + "\n" + rule(), 7,
     "Rule 2: the id 'r' is taken by a rule before it; ids are unique."),
    (rule(effect='"alow"'),               3, "Rule 1 (r): Unknown effect 'alow'. Did you mean allow?"),
    (rule(effect='"Deny"'),               3, "Rule 1 (r): Unknown effect 'Deny'. Did you mean deny?"),
    (rule(effect='["deny"]'),             3, "Rule 1 (r): effect must be one of allow, deny, confirm"),
    (rule(actions='["updat"]'),           4, "Rule 1 (r): Unknown action 'updat'. Did you mean update?"),
    (rule(actions='[\n"read",\n"write"\n]'), 6, "Rule 1 (r): Unknown action 'write'."),
    (rule(actions='["*"]'),               4, "Unknown action '*'. Known: read, search, aggregate, create,"),
    (rule(actions="[]"), 4,
     'actions must be a list of at least one action, such as actions = ["read"'),
    (rule(actions='"read"'),              4, "Rule 1 (r): actions must be a list of at least one action"),
    (rule(actions="[1]"),                 4, "Rule 1 (r): actions must be a list"),
    (rule(tables='["acount"]'),           5, "Rule 1 (r): Unknown table 'acount'. Did you mean account"),
    (rule(tables='["contacts"]'),         5, "Rule 1 (r): Unknown table 'contacts'. Did you mean contact"),
    (rule(tables="[]"),                   5, "tables must be a list of at least one table"),
    (rule(tables='["*", "lead"]'),        5, 'tables = ["*"] means every table and takes no other name'),
    ("limits = 3",                        1, "limits must be a section that starts with a line [limits]."),
    ("[limits]\nwrite_per_minute = 3",   2, "Unknown key 'write_per_minute'. Did you mean writes_per_minute"),
    ("[limits]\nwrites_per_minute = -1", 2,
     "[limits]: writes_per_minute must be a whole number from 0 to"),
    ("[limits]\nrows_per_read = 1.5",    2, "rows_per_read must be a whole number of 0 or more"),
    ("[limits]\ndeletes_per_day = true", 2, "deletes_per_day must be a whole number from 0"),
    ("[limits]\ndeletes_per_day = '3'",  2, "deletes_per_day must be a whole number from 0"),
    (f"[limits]\ndeletes_per_day = {MOST_COUNTED + 1}", 2,
     f"deletes_per_day must be a whole number from 0 to {MOST_COUNTED:,}"),
    (f"[limits]\nrecords_per_day = {MOST_COUNTED + 1}", 2,
     f"records_per_day must be a whole number from 0 to {MOST_COUNTED:,}"),
    (f"[limits]\nrows_per_hour = {MOST_COUNTED + 1}", 2,
     f"rows_per_hour must be a whole number from 0 to {MOST_COUNTED:,}"),
    ("[limits]\nrows_per_bulk = '5'",    2, "rows_per_bulk must be a whole number of 0 or more"),
    ("limits.each_caller = 3", 1,
     "each_caller must be a section that starts with a line [limits.each_caller]."),
    ("[limits.each_caller]\nrows_per_read = 5", 2,
     "[limits.each_caller]: Unknown key 'rows_per_read'. Did you mean rows_per_hour"),
    ("[limits.each_caller]\nwrites_per_day = -5", 2,
     "[limits.each_caller]: writes_per_day must be a whole number"),
    ("[limits]\nwrites_per_day = 5\n[limits.each_caller]\nwrites_per_day = 6", 4,
     "[limits.each_caller]: writes_per_day of 6 can never be reached: all callers together have 5."),
    ("hidden = ['birthdate']",            1, "hidden must be a section that starts with a line [hidden]."),
    ("[hidden]\nconatct = ['birthdate']", 2, "[hidden]: Unknown table 'conatct'. Did you mean contact?"),
    ("[hidden]\ncontact = ['birthdat']", 2, "contact: Unknown column 'birthdat'. Did you mean birthdate?"),
    ("[hidden]\ncontact = 'birthdate'", 2,
     '[hidden]: contact must be a list of texts, such as ["birthdate"].'),
    ("[hidden]\ncontact = ['contactid']", 2, "contactid is the table's key and cannot be hidden"),
]
# fmt: on


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_what_is_not_understood_is_refused_with_its_line_and_what_to_change(
    read: Read, tmp_path: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(PolicyFileError) as refused:
        read(text)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"Policy {tmp_path / 'mine.toml'}, line {line}: ")


# fmt: off
NOT_FOUND = [
    ("read_only",           "Did you mean read-only?"),
    ("sales-asistant",      "Did you mean sales-assistant?"),
    ("Full-Access",         "Did you mean full-access?"),
    ("qqq",                 "Presets: read-only, sales-assistant, full-access."),
    ("",                    "There is no such preset or file."),
]
# fmt: on


@pytest.mark.parametrize(("name", "message"), NOT_FOUND)
def test_an_unknown_preset_is_refused_with_the_closest(
    tables: Mapping[str, Table], name: str, message: str
) -> None:
    with pytest.raises(PolicyFileError) as refused:
        load_policy(name, tables)
    assert "There is no such preset or file." in str(refused.value)
    assert message in str(refused.value)


def test_a_misspelt_path_is_refused_with_the_closest_file(
    tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    (tmp_path / "team.toml").write_text(RULE)
    with pytest.raises(PolicyFileError) as refused:
        load_policy(str(tmp_path / "teem.toml"), tables)
    assert f"Did you mean {tmp_path / 'team.toml'}?" in str(refused.value)


def test_a_folder_is_no_policy(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    with pytest.raises(PolicyFileError, match="no such preset or file"):
        load_policy(str(tmp_path), tables)


def test_a_file_of_another_kind_is_refused(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    file = tmp_path / "policy.json"
    file.write_text("{}")
    with pytest.raises(PolicyFileError, match=r"A policy file's name ends in \.toml"):
        load_policy(str(file), tables)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(b'name = "caf\xe9"')
    with pytest.raises(PolicyFileError, match="not UTF-8 text, at byte 11"):
        load_policy(str(file), tables)


def test_a_preset_is_not_replaced_by_a_file_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: Mapping[str, Table]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "read-only").write_text(rule(actions='["delete"]'))
    assert load_policy("read-only", tables).rules[0].actions == READING


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_called_by_its_name(preset: str, tables: Mapping[str, Table]) -> None:
    assert load_policy(preset, tables).name == preset
