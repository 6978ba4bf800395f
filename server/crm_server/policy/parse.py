"""Reads the text of a policy. Pure: text in, policy or a clear refusal out.

Anything that is not understood is refused, so that a slip of the pen never leaves a door open.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from crm_server.policy.disclosure import with_disclosing
from crm_server.policy.model import MOST_COUNTED, Effect, Limits, Policy, Rule
from crm_server.policy.parse_conditions import NARROWING_KEYS, About, NarrowingError, parse_narrowing
from crm_tools.errors import UnknownNameError
from crm_tools.operations import Action
from crm_tools.tables import Table

_TOP_KEYS = ("name", "rules", "limits", "hidden")
_RULE_KEYS = ("id", "effect", "actions", "tables")
_LIMIT_KEYS = ("writes_per_minute", "records_per_day", "deletes_per_day", "rows_per_read")
_COUNTED = frozenset({"writes_per_minute", "deletes_per_day"})
_EVERY_TABLE = "*"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_LONGEST_NAME = 60


class PolicyTextError(ValueError):
    """The text is not a policy. The message says what to change."""


def parse_policy(text: str, default_name: str, tables: Mapping[str, Table]) -> Policy:
    """The policy that a TOML text describes.

    Raises:
        PolicyTextError: It is not TOML, or holds something that is not understood.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyTextError(f"It is not valid TOML: {error}.") from None
    _refuse_unknown("key", document, _TOP_KEYS)
    return Policy(
        name=_name(document.get("name", default_name)),
        rules=_rules(document.get("rules", []), tables),
        limits=_limits(document.get("limits", {})),
        hidden=_hidden(document.get("hidden", {}), tables),
    )


def _name(given: object) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_NAME or not given.isprintable():
        raise PolicyTextError(
            f'name must be a text of 1 to {_LONGEST_NAME} characters, such as name = "sales".'
        )
    return given


def _rules(given: object, tables: Mapping[str, Table]) -> tuple[Rule, ...]:
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise PolicyTextError("Each rule starts with a line [[rules]], in two pairs of brackets.")
    rules = tuple(_rule(item, number, tables) for number, item in enumerate(given, start=1))
    seen: set[str] = set()
    for number, rule in enumerate(rules, start=1):
        if rule.id in seen:
            raise PolicyTextError(
                f"Rule {number}: the id {rule.id!r} is taken by a rule before it; ids are unique."
            )
        seen.add(rule.id)
    return rules


def _rule(given: Mapping[str, object], number: int, tables: Mapping[str, Table]) -> Rule:
    where = f"Rule {number}"
    _refuse_unknown("key", given, (*_RULE_KEYS, *NARROWING_KEYS), where)
    for key in _RULE_KEYS:
        if key not in given:
            raise PolicyTextError(f"{where}: {key} is missing; a rule has {', '.join(_RULE_KEYS)}.")
    rule_id = _rule_id(given["id"], where)
    where = f"Rule {number} ({rule_id})"
    effect = given["effect"]
    if not isinstance(effect, str):
        raise PolicyTextError(f"{where}: effect must be one of {', '.join(Effect)}, in quotes.")
    _refuse_unknown("effect", [effect], list(Effect), where)
    actions = _names(given["actions"], f"{where}: actions", example="read")
    _refuse_unknown("action", actions, list(Action), where)
    named = _rule_tables(given["tables"], where, tables)
    about = About(
        Effect(effect),
        frozenset(Action(action) for action in actions),
        tuple(tables[name] for name in sorted(named or ())),
        tables,
    )
    try:
        narrowing = parse_narrowing(given, about)
    except NarrowingError as error:
        raise PolicyTextError(f"{where}: {error}") from None
    return Rule(
        id=rule_id,
        effect=about.effect,
        actions=about.actions,
        tables=named,
        **{name: getattr(narrowing, name) for name in ("withheld", *NARROWING_KEYS)},
    )


def _rule_id(given: object, where: str) -> str:
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise PolicyTextError(
            f"{where}: id must be a text of up to 64 letters, digits and - _ . that starts with a letter "
            'or a digit, such as id = "read-everything".'
        )
    return given


def _rule_tables(given: object, where: str, tables: Mapping[str, Table]) -> frozenset[str] | None:
    names = _names(given, f"{where}: tables", example="account")
    if names == [_EVERY_TABLE]:
        return None
    if _EVERY_TABLE in names:
        raise PolicyTextError(f'{where}: tables = ["*"] means every table and takes no other name beside it.')
    _refuse_unknown("table", names, tables, where)
    return frozenset(names)


def _limits(given: object) -> Limits:
    if not isinstance(given, dict):
        raise PolicyTextError("limits is a section that starts with a line [limits].")
    _refuse_unknown("key", given, _LIMIT_KEYS, "[limits]")
    return Limits(**{name: _limit(name, value) for name, value in given.items()})


def _limit(name: str, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise PolicyTextError(
            f"[limits]: {name} must be a whole number, 0 or more; leave it out for no limit."
        )
    if name in _COUNTED and given > MOST_COUNTED:
        raise PolicyTextError(f"[limits]: {name} can be at most {MOST_COUNTED:,}; leave it out for no limit.")
    return given


def _hidden(given: object, tables: Mapping[str, Table]) -> Mapping[str, frozenset[str]]:
    if not isinstance(given, dict):
        raise PolicyTextError("hidden is a section that starts with a line [hidden].")
    _refuse_unknown("table", given, tables, "[hidden]")
    return MappingProxyType({name: _hidden_columns(columns, tables[name]) for name, columns in given.items()})


def _hidden_columns(given: object, table: Table) -> frozenset[str]:
    where = f"[hidden]: {table.name}"
    names = _names(given, where, example=table.primary_name, may_be_empty=True)
    _refuse_unknown("column", names, table.by_short_name, where)
    wire_names = {table.by_short_name[name].name for name in names}
    if table.key in wire_names:
        raise PolicyTextError(
            f"{where}: {table.key} is the table's key and cannot be hidden, because every answer carries it. "
            "To keep the whole table away, leave it out of the rules or add a rule that denies it."
        )
    return with_disclosing(table, wire_names)


def _names(given: object, where: str, *, example: str, may_be_empty: bool = False) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise PolicyTextError(f'{where} must be a list of texts, such as ["{example}"].')
    if not given and not may_be_empty:
        raise PolicyTextError(f'{where} is empty; name at least one, such as ["{example}"].')
    return given


def _refuse_unknown(what: str, given: Iterable[str], known: Collection[str], where: str = "") -> None:
    for name in given:
        if name not in known:
            problem = UnknownNameError(what, name, known).message
            raise PolicyTextError(f"{where}: {problem}" if where else problem)
