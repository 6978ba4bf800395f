"""A JSON Schema of policy files, for editors that check and complete while a file is written.

It is made of the same table of keys that the parser uses. What depends on several keys at once, such as a
mask in a rule that denies, only the parser refuses.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from crm_server.policy.keys import PRESETS, TOP, keys_of
from crm_server.policy.kinds import Key
from crm_tools.tables import Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema(tables: Mapping[str, Table]) -> dict[str, Any]:
    """The schema of policies that may speak of these tables."""
    return {
        "$schema": DIALECT,
        "title": "Policy of dynamics-crm-mcp",
        "description": "What an assistant may see and change in the CRM. Default deny.",
        **_section(TOP, tables),
    }


def _section(section: str, tables: Mapping[str, Table]) -> dict[str, Any]:
    keys = keys_of(section)
    required = [name for name, key in keys.items() if key.required]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _value(key, tables) for name, key in keys.items()},
        **({"required": required} if required else {}),
    }


def _value(key: Key, tables: Mapping[str, Table]) -> dict[str, Any]:
    schema = {**key.kind.schema, **_known(key, tables)}
    if key.kind.section:
        nested = _section(key.kind.section, tables)
        schema |= {"items": nested} if schema["type"] == "array" else nested
    schema["description"] = key.meaning.replace("`", "")
    if key.example:
        schema["examples"] = [tomllib.loads(f"example = {key.example}")["example"]]
    return schema


def _known(key: Key, tables: Mapping[str, Table]) -> dict[str, Any]:
    """What depends on the tables and presets that there are."""
    match f"{key.section}.{key.name}":
        case ".extends":
            return {"anyOf": [{"enum": list(PRESETS)}, {"pattern": r"\.toml$"}]}
        case ".hidden":
            columns = {name: _columns(table, with_key=False) for name, table in tables.items()}
            return {"additionalProperties": False, "properties": columns}
        case ".audited":
            columns = {name: _columns(table, with_key=True) for name, table in tables.items()}
            return {"additionalProperties": False, "properties": columns}
        case "rules.tables":
            return {"items": {"anyOf": [{"enum": list(tables)}, {"type": "string", "pattern": r"\*"}]}}
        case "rules.columns":
            return {
                "items": {"enum": sorted({name for table in tables.values() for name in table.by_short_name})}
            }
    return {}


def _columns(table: Table, *, with_key: bool) -> dict[str, Any]:
    names = table.by_short_name.keys() - (set() if with_key else {table.key})
    return {"type": "array", "items": {"enum": sorted(names)}}
