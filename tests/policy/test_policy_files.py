"""Policy files: what they mean, and how each slip of the pen is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from crm_server.policy.load import PRESETS, PolicyFileError, load_policy
from crm_server.policy.model import Effect, Limits, Policy, Rule
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


@pytest.fixture
def read(tmp_path: Path, tables: Mapping[str, Table]) -> Read:
    """Loads a policy from a file named mine.toml with the given text."""

    def load(text: str) -> Policy:
        file = tmp_path / "mine.toml"
        file.write_text(text, encoding="utf-8")
        return load_policy(str(file), tables)

    return load


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
    # text of the file, what the message says
    ("name =",                            "It is not valid TOML: Invalid value (at end of document)."),
    ('name = "a"\nrules = [',             "not valid TOML"),
    ('name = "a"\n[[rules]\n',            "(at line 2, column 8)"),
    ('name = "a"\nname = "b"\n',          "(at line 2"),
    ("nme = 'a'",                         "Unknown key 'nme'. Did you mean name?"),
    ("[[rule]]",                          "Unknown key 'rule'. Did you mean rules?"),
    ("[hiden]",                           "Unknown key 'hiden'. Did you mean hidden?"),
    ("[limit]",                           "Unknown key 'limit'. Did you mean limits?"),
    ("zzz = 1",                           "Unknown key 'zzz'. Known: name, rules, limits, hidden."),
    ("name = 3",                          'name must be a text of 1 to 60 characters, such as name ='),
    ('name = ""',                         "name must be a text of 1 to 60 characters"),
    ('name = "a\\nb"',                    "name must be a text of 1 to 60 characters"),
    (f'name = "{"a" * 61}"',              "name must be a text of 1 to 60 characters"),
    ("[rules]",                           "Each rule starts with a line [[rules]], in two pairs of brackets"),
    ("rules = [1]",                       "Each rule starts with a line [[rules]]"),
    (rule(efect='"deny"'),                "Rule 1: Unknown key 'efect'. Did you mean effect?"),
    (rule(id=""),                         "Rule 1: id is missing; a rule has id, effect, actions, tables."),
    (rule(effect=""),                     "Rule 1: effect is missing"),
    (rule(actions=""),                    "Rule 1: actions is missing"),
    (rule(tables=""),                     "Rule 1: tables is missing"),
    (rule(id='""'),                       "Rule 1: id must be a text of up to 64 letters, digits and - _ ."),
    (rule(id='"a b"'),                    "Rule 1: id must be"),
    (rule(id='"limit:x"'),                "Rule 1: id must be"),
    (rule(id='"a\\n"'),                   "Rule 1: id must be"),
    (rule(id="7"),                        "Rule 1: id must be"),
    (rule() + "\n" + rule(),              "Rule 2: the id 'r' is taken by a rule before it; ids are unique."),
    (rule(effect='"alow"'),               "Rule 1 (r): Unknown effect 'alow'. Did you mean allow?"),
    (rule(effect='"Deny"'),               "Rule 1 (r): Unknown effect 'Deny'. Did you mean deny?"),
    (rule(effect='["deny"]'),             "Rule 1 (r): effect must be one of allow, deny, confirm"),
    (rule(actions='["updat"]'),           "Rule 1 (r): Unknown action 'updat'. Did you mean update?"),
    (rule(actions='["read", "write"]'),   "Rule 1 (r): Unknown action 'write'."),
    (rule(actions='["*"]'),               "Unknown action '*'. Known: read, search, aggregate, create,"),
    (rule(actions="[]"),                  'actions is empty; name at least one, such as ["read"].'),
    (rule(actions='"read"'),              'Rule 1 (r): actions must be a list of texts, such as ["read"].'),
    (rule(actions="[1]"),                 "Rule 1 (r): actions must be a list of texts"),
    (rule(tables='["acount"]'),           "Rule 1 (r): Unknown table 'acount'. Did you mean account"),
    (rule(tables='["contacts"]'),         "Rule 1 (r): Unknown table 'contacts'. Did you mean contact"),
    (rule(tables="[]"),                   'tables is empty; name at least one, such as ["account"].'),
    (rule(tables='["*", "lead"]'),        'tables = ["*"] means every table and takes no other name'),
    ("limits = 3",                        "limits is a section that starts with a line [limits]."),
    ("[limits]\nwrite_per_minute = 3",    "Unknown key 'write_per_minute'. Did you mean writes_per_minute?"),
    ("[limits]\nwrites_per_minute = -1",  "writes_per_minute must be a whole number, 0 or more"),
    ("[limits]\nrows_per_read = 1.5",     "rows_per_read must be a whole number, 0 or more"),
    ("[limits]\ndeletes_per_day = true",  "deletes_per_day must be a whole number, 0 or more"),
    ("[limits]\ndeletes_per_day = '3'",   "deletes_per_day must be a whole number, 0 or more"),
    ("[limits]\ndeletes_per_day = 10001", "deletes_per_day can be at most 10,000; leave it out"),
    ("hidden = ['birthdate']",            "hidden is a section that starts with a line [hidden]."),
    ("[hidden]\nconatct = ['birthdate']", "[hidden]: Unknown table 'conatct'. Did you mean contact?"),
    ("[hidden]\ncontact = ['birthdat']",  "contact: Unknown column 'birthdat'. Did you mean birthdate?"),
    ("[hidden]\ncontact = 'birthdate'",   '[hidden]: contact must be a list of texts, such as ["fullname"].'),
    ("[hidden]\ncontact = ['contactid']", "contactid is the table's key and cannot be hidden"),
]
# fmt: on


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_not_understood_is_refused_with_what_to_change(
    read: Read, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(PolicyFileError) as refused:
        read(text)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"Policy {tmp_path / 'mine.toml'}: ")


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
