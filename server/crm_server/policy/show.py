"""A whole policy as text for a terminal: at most 100 characters wide, without colour codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from textwrap import wrap

from crm_server.policy.decide import closed_by, ruling
from crm_server.policy.disclosure import disclosed
from crm_server.policy.layout import field
from crm_server.policy.model import Effect, Limits, Policy
from crm_server.policy.wording import LIMITS, narrowing
from crm_tools.operations import Action
from crm_tools.tables import Table

_WIDTHS = (19, 17, 31, 30)
_LABEL_WIDTH = 18
_NARROWING_WIDTH = 22

Ruled = tuple[str, tuple[str, ...]]
"""An effect in words and the ids of what decides it."""


def show(policy: Policy, tables: Mapping[str, Table]) -> str:
    """The whole policy: what the rules come to for each table, what narrows them, limits, hidden columns."""
    return "\n".join(
        [
            f"Policy {policy.name}",
            "",
            *_matrix(policy, tables),
            "What no rule allows is denied. Deny beats confirm, confirm beats allow.",
            "Where it says confirm, a human has to agree first.",
            *_narrowed_rules(policy),
            "",
            "Limits",
            *_limits(policy.limits, "no limit"),
            "",
            "Limits of each caller",
            *_limits(policy.each_caller, "none beside those above"),
            "",
            "Hidden columns",
            *_hidden(policy, tables),
            *_audited(policy),
            *_after_reading(policy),
        ]
    )


def _matrix(policy: Policy, tables: Mapping[str, Table]) -> list[str]:
    """A line for each effect with equal rules; tables that fare alike share their lines."""
    alike: dict[tuple[tuple[Ruled, tuple[Action, ...]], ...], list[str]] = {}
    for table in tables:
        alike.setdefault(_rulings(policy, table), []).append(table)
    lines = [_row(("table", "effect", "actions", "rules")), _row("-" * width for width in _WIDTHS)]
    for groups, names in alike.items():
        lines += [*_block(names, groups), ""]
    return lines


def _rulings(policy: Policy, table: str) -> tuple[tuple[Ruled, tuple[Action, ...]], ...]:
    groups: dict[Ruled, list[Action]] = {}
    for action in Action:
        groups.setdefault(_ruled(policy, action, table), []).append(action)
    # What is denied comes last: it is the rest.
    in_order = sorted(groups.items(), key=lambda group: group[0][0] == Effect.DENY)
    return tuple((ruled, tuple(actions)) for ruled, actions in in_order)


def _ruled(policy: Policy, action: Action, table: str) -> Ruled:
    found = ruling(policy, action, table)
    if found.effect is not Effect.DENY and (closing := closed_by(policy, action)):
        return (Effect.DENY, closing)
    effect = f"{found.effect}, narrowed" if found.conditions else str(found.effect)
    return (effect, found.rules)


def _block(names: Iterable[str], groups: Iterable[tuple[Ruled, tuple[Action, ...]]]) -> list[str]:
    rows: list[tuple[str, str, str]] = []
    for (effect, rules), actions in groups:
        cells = (
            [effect],
            _wrapped(", ".join(actions), _WIDTHS[2]),
            _wrapped(", ".join(rules) or "(no rule)", _WIDTHS[3]),
        )
        rows += zip_longest(*cells, fillvalue="")
    tables = [line for name in names for line in wrap(name, _WIDTHS[0])]
    return [_row((table, *(row or ("", "", "")))) for table, row in zip_longest(tables, rows, fillvalue="")]


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, width, break_on_hyphens=False)


def _row(cells: Iterable[str]) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _narrowed_rules(policy: Policy) -> list[str]:
    narrowed = [(rule, narrowing(rule)) for rule in policy.rules if not rule.unconditional]
    if not narrowed:
        return []
    lines = ["", "What narrows the rules"]
    for rule, parts in narrowed:
        actions = ", ".join(action for action in Action if action in rule.actions)
        lines += field(rule.id, f"({rule.effect} {actions})", width=len(rule.id))
        for label, text in parts:
            lines += field(label, text, width=_NARROWING_WIDTH, indent=4)
    return lines


def _limits(limits: Limits, none: str) -> list[str]:
    lines = []
    for name, meaning in LIMITS.items():
        limit = getattr(limits, name)
        if limit is not None:
            lines += field(name.replace("_", " "), f"at most {limit:,} {meaning}", width=_LABEL_WIDTH)
    return lines or [f"  {none}"]


def _audited(policy: Policy) -> list[str]:
    if not policy.audited:
        return []
    lines = ["", "Values kept in the audit"]
    for name, columns in sorted(policy.audited.items()):
        lines += field(name, ", ".join(sorted(columns)), width=_LABEL_WIDTH)
    return lines


def _after_reading(policy: Policy) -> list[str]:
    if not policy.ask_after_reading:
        return []
    return ["", "Once text that strangers may have written was read, each write needs a human."]


def _hidden(policy: Policy, tables: Mapping[str, Table]) -> list[str]:
    lines = []
    for name, columns in sorted(policy.hidden.items()):
        discloses = disclosed(tables[name]) if name in tables else {}
        texts = []
        for column in sorted(columns):
            told = sorted(discloses.get(column, frozenset()) & columns)
            texts.append(f"{column} (tells {' and '.join(told)})" if told else column)
        if texts:
            lines += field(name, ", ".join(texts), width=_LABEL_WIDTH)
    return lines or ["  none"]
