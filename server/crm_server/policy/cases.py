"""Reads files of cases: what an administrator expects of a policy, to be held against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crm_server.policy.keys import CASE, CASES
from crm_server.policy.model import Mask, Outcome, Principal
from crm_server.policy.parse import read_toml
from crm_server.policy.problems import Path, PolicyTextError, unknown
from crm_server.policy.shape import check_section
from crm_tools.operations import READING, Access, Action
from crm_tools.tables import Table


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked, by whom, where and when, and what the policy has to answer.

    ``rules``, ``masked`` (as written) and ``narrowed`` are None where nothing is said of them.
    """

    name: str
    place: int
    asked: Call | Access
    expected: Outcome
    principal: Principal = field(default_factory=Principal)
    environment: str | None = None
    at: datetime | None = None
    rules: frozenset[str] | None = None
    masked: Mapping[str, Mask] | None = None
    narrowed: bool | None = None

    @property
    def path(self) -> Path:
        """Its place in the document."""
        return (CASE, self.place)


@dataclass(frozen=True, slots=True)
class Cases:
    """A file of cases, and the policy that it names, if it does."""

    policy: str | None
    cases: tuple[Case, ...]


def parse_cases(text: str, tables: Mapping[str, Table]) -> Cases:
    """The cases that a TOML text describes.

    Raises:
        PolicyTextError: It is not TOML, or holds something that is not understood.
    """
    document = read_toml(text)
    check_section(document, CASES)
    given = document["cases"]
    return Cases(
        document.get("policy"), tuple(_case(item, place, tables) for place, item in enumerate(given))
    )


def _case(given: Mapping[str, Any], place: int, tables: Mapping[str, Table]) -> Case:
    path: Path = (CASE, place)
    name = given.get("name")
    where = f"Case {place + 1} ({name}): " if isinstance(name, str) and name else f"Case {place + 1}: "
    check_section(given, CASE, where, path)
    at = given.get("at")
    return Case(
        name=given["name"],
        place=place,
        asked=_asked(given, where, path, tables),
        expected=Outcome(given["expect"]),
        principal=Principal(given.get("user", Principal().name), frozenset(given.get("roles", ()))),
        environment=given.get("environment"),
        at=at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at,
        rules=frozenset(given["rules"]) if "rules" in given else None,
        masked={name: Mask(how) for name, how in given["masked"].items()} if "masked" in given else None,
        narrowed=given.get("narrowed"),
    )


def _asked(given: Mapping[str, Any], where: str, path: Path, tables: Mapping[str, Table]) -> Call | Access:
    if ("tool" in given) is ("action" in given):
        raise PolicyTextError(f"{where}it names either a tool, or an action and its table.", path)
    if "tool" in given:
        for key in ("table", "columns", "values"):
            if key in given:
                raise PolicyTextError(
                    f"{where}{key} belongs to an action; tools have arguments.", (*path, key)
                )
        return Call(given["tool"], given.get("arguments", {}))
    if "arguments" in given:
        raise PolicyTextError(f"{where}arguments belong to a tool.", (*path, "arguments"))
    return _access(given, where, path, tables)


def _access(given: Mapping[str, Any], where: str, path: Path, tables: Mapping[str, Table]) -> Access:
    action = Action(given["action"])
    if "table" not in given:
        raise PolicyTextError(f"{where}table is missing, which the action is done to.", path)
    if given["table"] not in tables:
        raise unknown("table", given["table"], tables, (*path, "table"), where)
    table = tables[given["table"]]
    if "values" in given and action in READING:
        raise PolicyTextError(f"{where}values are written, and {action} writes nothing.", (*path, "values"))
    values = {
        _wire_name(name, table, where, (*path, "values", name)): value
        for name, value in given.get("values", {}).items()
    }
    named = {
        _wire_name(name, table, where, (*path, "columns", number))
        for number, name in enumerate(given.get("columns", ()))
    }
    if action in READING:
        return Access(action, table.name, reads=frozenset(named))
    return Access(action, table.name, writes=frozenset(named | values.keys()), values=values)


def _wire_name(name: str, table: Table, where: str, path: Path) -> str:
    if name not in table.by_short_name:
        raise unknown(f"column of {table.name}", name, table.by_short_name, path, where)
    return table.by_short_name[name].name
