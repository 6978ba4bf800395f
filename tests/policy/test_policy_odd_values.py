"""Whatever stands where a value belongs: a policy or a file of cases is read, or refused with its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from crm_server.policy.keys import CASE, CASE_KEYS, CASES, EACH_CALLER, KEYS, LIMIT, RULE, TOP, WHEN
from crm_server.policy.kinds import Key
from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy_testing import run_cases
from crm_tools.tables import Table

# fmt: off
ODD = [
    "0", "-1", "1.5", "inf", "nan", "true", "2026-05-04", "08:00:00", "2026-05-04T10:00:00Z", "9" * 30,
    '""', '" "', '"x"', '"none"', '"*"', '"\\u0000"', '"\\n"', '"\\ud7ff"', '"%s{0}"', f'"{"a" * 5000}"',
    f'"{"a" * 5000}.toml"',
    '"(((("', "\"name eq 'x' or\"", '"statecode eq @you"', '"@me"', '"../x.toml"', '"\\u0000.toml"',
    "[]", "[1]", '["x"]', '["x", "x"]', '["{0}"]', '[["x"]]', "[{}]", '[{ id = "x" }]',
    "{}", "{ x = 1 }", '{ x = "x" }', "{ x = {} }", '{ contact = "x" }', "{ contact = [1] }",
]
# fmt: on
RULE_KEYS = {"id": '"r"', "effect": '"allow"', "actions": '["read"]', "tables": '["contact"]'}
CASE_VALUES = {"name": '"c"', "action": '"read"', "table": '"lead"', "expect": '"denied"'}


def lines(values: Mapping[str, str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def document(key: Key, value: str) -> str:
    """A document that is right but for this value."""
    match key.section:
        case section if section in (TOP, CASES):
            return lines({key.name: value})
        case section if section == RULE:
            return "[[rules]]\n" + lines({**RULE_KEYS, key.name: value})
        case section if section == WHEN:
            return "[[rules]]\n" + lines({**RULE_KEYS, "when": f"{{ {key.name} = {value} }}"})
        case section if section == CASE:
            return 'policy = "read-only"\n[[cases]]\n' + lines({**CASE_VALUES, key.name: value})
        case section:
            assert section in (LIMIT, EACH_CALLER)
            return f"[{section}]\n{key.name} = {value}\n"


def refusal(reading: Callable[[], object]) -> str:
    try:
        reading()
    except PolicyFileError as error:
        return str(error)
    return "taken"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.section}.{key.name}")
def test_an_odd_value_in_a_policy_is_taken_or_refused_with_its_file(
    key: Key, tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    file = tmp_path / "odd.toml"
    for value in ODD:
        file.write_text(document(key, value), encoding="utf-8")
        refused = refusal(lambda: load_policy(str(file), tables))
        assert refused.startswith(("taken", f"Policy {file}, line ")), value


@pytest.mark.parametrize("key", CASE_KEYS, ids=lambda key: f"{key.section}.{key.name}")
def test_an_odd_value_in_a_file_of_cases_is_taken_or_refused_with_its_file(key: Key, tmp_path: Path) -> None:
    file = tmp_path / "odd.toml"
    for value in ODD:
        file.write_text(document(key, value), encoding="utf-8")
        refused = refusal(lambda: run_cases(str(file), None))
        assert refused.startswith(("taken", f"Cases {file}", "Policy ")), value
