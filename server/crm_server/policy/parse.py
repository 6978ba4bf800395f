"""Reads the text of a policy. Pure: text in, what it says or a clear refusal out.

Anything that is not understood is refused, so that a slip of the pen never leaves a door open.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from crm_server.policy.disclosure import with_disclosing
from crm_server.policy.keys import COLUMN_LIST, EACH_CALLER, LIFTED, LIMIT, RULE, TOP
from crm_server.policy.model import Effect, Rule
from crm_server.policy.parse_conditions import About, narrowing_keys, parse_narrowing
from crm_server.policy.parts import Part, WrittenRule
from crm_server.policy.patterns import EVERY_TABLE, is_pattern, may_match_later, tables_like
from crm_server.policy.problems import Path, PolicyTextError, unknown
from crm_server.policy.shape import check_section
from crm_tools.operations import Action
from crm_tools.tables import Table

_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def parse_part(text: str, source: str, tables: Mapping[str, Table]) -> Part:
    """What one file says. ``source`` is the file as errors name it.

    Raises:
        PolicyTextError: It is not TOML, or holds something that is not understood.
    """
    document = read_toml(text)
    check_section(document, TOP)
    limits = dict(document.get("limits", {}))
    each_caller = limits.pop("each_caller", {})
    return Part(
        source=source,
        name=document.get("name"),
        extends=document.get("extends"),
        remove=_removed(document),
        rules=_rules(document.get("rules", []), source, tables),
        limits=_limits(limits, LIMIT),
        each_caller=_limits(each_caller, EACH_CALLER),
        hidden=_hidden(document.get("hidden", {}), tables),
        audited=_columns_by_table(document.get("audited", {}), "audited", tables),
        ask_after_reading=document.get("ask_after_reading"),
    )


def read_toml(text: str) -> dict[str, Any]:
    """The document.

    Raises:
        PolicyTextError: It is not TOML; says the line.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = str(error)
        place = _TOML_PLACE.search(problem)
        line = len(text.splitlines()) or 1
        column = ""
        if place is not None:
            problem = problem[: place.start()]
            if place[1] is not None:
                line, column = int(place[1]), f" (at column {place[2]})"
        raise PolicyTextError(f"It is not valid TOML: {problem}{column}.", line=line) from None


def _removed(document: Mapping[str, Any]) -> tuple[str, ...]:
    if "remove" in document and "extends" not in document:
        raise PolicyTextError(
            "remove takes rules of a base away, and no base is named by extends.", ("remove",)
        )
    return tuple(document.get("remove", ()))


def _limits(given: Mapping[str, int | str], section: str) -> Mapping[str, int | None]:
    return {name: None if value == LIFTED else int(value) for name, value in given.items()}


def _rules(
    given: list[Mapping[str, Any]], source: str, tables: Mapping[str, Table]
) -> tuple[WrittenRule, ...]:
    rules: list[WrittenRule] = []
    taken: set[str] = set()
    for place, item in enumerate(given):
        path: Path = (RULE, place)
        where = f"{_called(place, item)}: "
        check_section(item, RULE, where, path)
        if item["id"] in taken:
            raise PolicyTextError(
                f"Rule {place + 1}: the id {item['id']!r} is taken by a rule before it; ids are unique.",
                (*path, "id"),
            )
        taken.add(item["id"])
        rules.append(WrittenRule(_rule(item, where, path, tables), source, place))
    return tuple(rules)


def _called(place: int, item: Mapping[str, Any]) -> str:
    """A rule as errors name it."""
    rule_id = item.get("id")
    return f"Rule {place + 1} ({rule_id})" if isinstance(rule_id, str) and rule_id else f"Rule {place + 1}"


def _rule(given: Mapping[str, Any], where: str, path: Path, tables: Mapping[str, Table]) -> Rule:
    names = _table_names(given["tables"], where, (*path, "tables"), tables)
    about = About(
        Effect(given["effect"]),
        frozenset(map(Action, given["actions"])),
        tables_like(names or (), tables),
        tables,
    )
    try:
        narrowing = parse_narrowing(given, about)
    except PolicyTextError as error:
        raise PolicyTextError(f"{where}{error.problem}", (*path, *error.path)) from None
    if narrowing_keys(given) and not _holds_later(given):
        # What lets through only some columns or rows cannot know those of tables that come later.
        names = frozenset(table.name for table in about.named)
    return Rule(given["id"], about.effect, about.actions, names, **narrowing)


def _holds_later(given: Mapping[str, Any]) -> bool:
    """Whether a rule with columns, rows or values also holds, as a whole, for tables not known yet."""
    strict = {Effect.DENY: True, Effect.CONFIRM: not {"rows", "masked"} & given.keys(), Effect.ALLOW: False}
    return strict[Effect(given["effect"])]


def _table_names(
    given: list[str], where: str, path: Path, tables: Mapping[str, Table]
) -> frozenset[str] | None:
    if given == [EVERY_TABLE]:
        return None
    for place, name in enumerate(given):
        if name == EVERY_TABLE:
            raise PolicyTextError(
                f'{where}tables = ["*"] means every table and takes no other name beside it.', (*path, place)
            )
        if is_pattern(name):
            if not tables_like([name], tables) and not may_match_later(name):
                raise PolicyTextError(
                    f"{where}The pattern {name!r} matches no table. Known: {', '.join(tables)}. "
                    'A pattern for tables that are added later begins with their prefix, such as "new_*".',
                    (*path, place),
                )
        elif name not in tables:
            raise unknown("table", name, tables, (*path, place), where)
    return frozenset(given)


def _hidden(given: Mapping[str, Any], tables: Mapping[str, Table]) -> Mapping[str, frozenset[str]]:
    columns = _columns_by_table(given, "hidden", tables)
    for name, hidden in columns.items():
        key = tables[name].key
        if key in hidden:
            raise PolicyTextError(
                f"[hidden]: {name}: {key} is the table's key and cannot be hidden, because every answer "
                "carries it. To keep the whole table away, leave it out of the rules or add a rule that "
                "denies it.",
                ("hidden", name, given[name].index(key)),
            )
    return {name: with_disclosing(tables[name], hidden) for name, hidden in columns.items()}


def _columns_by_table(
    given: Mapping[str, Any], section: str, tables: Mapping[str, Table]
) -> Mapping[str, frozenset[str]]:
    """Wire names of the columns that a section names for each table."""
    for name in given:
        if name not in tables:
            raise unknown("table", name, tables, (section, name), f"[{section}]: ")
    return {name: frozenset(_wire_names(columns, tables[name], section)) for name, columns in given.items()}


def _wire_names(given: Any, table: Table, section: str) -> Iterable[str]:
    where, path = f"[{section}]: ", (section, table.name)
    if not COLUMN_LIST.kind.fits(given):
        raise PolicyTextError(
            f"{where}{table.name} must be {COLUMN_LIST.kind.wanted}, such as {COLUMN_LIST.example}.", path
        )
    for place, name in enumerate(given):
        if name not in table.by_short_name:
            raise unknown("column", name, table.by_short_name, (*path, place), f"{where}{table.name}: ")
        yield table.by_short_name[name].name
