"""The JSON Schema of policy files agrees with the parser."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from crm_server.policy.keys import KEYS, PRESETS
from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy.schema import policy_schema
from crm_tools.tables import Table

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = [
    text
    for text in re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    if "[[cases]]" not in text
]
RULE = '[[rules]]\nid = "r"\neffect = "allow"\nactions = ["read"]\ntables = ["contact"]\n'


@pytest.fixture(scope="session")
def validator(tables: Mapping[str, Table]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(policy_schema(tables))


def complaints(validator: jsonschema_rs.Draft202012Validator, text: str) -> list[str]:
    """What the schema has against a policy file."""
    return [error.message for error in validator.iter_errors(tomllib.loads(text))]


def test_the_schema_is_one(tables: Mapping[str, Table]) -> None:
    assert jsonschema_rs.meta.is_valid(policy_schema(tables))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_fit_the_schema(preset: str, validator: Any) -> None:
    text = files("crm_server.policy").joinpath("presets", f"{preset}.toml").read_text(encoding="utf-8")
    assert complaints(validator, text) == []


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_documentation_fit_the_schema(text: str, validator: Any) -> None:
    assert complaints(validator, text) == []


# fmt: off
WRONG = [
    "nme = 'a'",
    "name = 3",
    'name = ""',
    f'name = "{"a" * 61}"',
    'extends = "sales-asistant"',
    "extends = 1",
    'extends = "read-only"\nremove = []',
    "rules = 1",
    "[rules]",
    "rules = [1]",
    RULE.replace('id = "r"', 'id = "a b"'),
    RULE.replace('id = "r"\n', ""),
    RULE.replace("allow", "alow"),
    RULE.replace('"read"', '"raed"'),
    RULE.replace('["read"]', "[]"),
    RULE.replace('["read"]', '"read"'),
    RULE.replace('"contact"', '"conatct"'),
    RULE.replace('["contact"]', "[]"),
    RULE + 'colums = ["fullname"]',
    RULE + 'columns = ["fulname"]',
    RULE + "columns = []",
    RULE + 'masked = { telephone1 = "half" }',
    RULE + "masked = {}",
    RULE + "rows = 5",
    RULE + 'rows = ""',
    RULE + "roles = []",
    RULE + 'users = [" "]',
    RULE + 'environments = ["prod"]',
    RULE + "when = 8",
    RULE + 'when = { days = ["monday"] }',
    RULE + 'when = { from = "8:00" }',
    RULE + 'when = { until = "08:00" }',
    "[limits]\nwrites_per_minute = -1",
    "[limits]\nwrites_per_minute = 1.5",
    "[limits]\nwrites_per_minute = true",
    '[limits]\nwrites_per_minute = "5"',
    "[limits]\nwrites_per_minute = 100000000",
    "[limits]\nwrites = 5",
    "[limits.each_caller]\nrows_per_read = 5",
    "[limits.each_caller]\nrows_per_hour = -5",
    "limits = 5",
    "[hidden]\nconatct = ['birthdate']",
    "[hidden]\ncontact = ['birthdat']",
    "[hidden]\ncontact = ['contactid']",
    "[hidden]\ncontact = 'birthdate'",
]
# fmt: on


@pytest.mark.parametrize("text", WRONG)
def test_what_the_parser_refuses_the_schema_refuses_too(
    text: str, validator: Any, tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(PolicyFileError):
        load_policy(str(file), tables)
    assert not validator.is_valid(tomllib.loads(text))


def test_every_key_has_a_meaning_and_an_example_that_fits(tables: Mapping[str, Table]) -> None:
    for key in KEYS:
        assert key.meaning.endswith("."), key.name
        if key.example:
            value = tomllib.loads(f"x = {key.example}")["x"]
            assert key.kind.fits(value), key.name
            assert jsonschema_rs.is_valid(dict(key.kind.schema), value), key.name
