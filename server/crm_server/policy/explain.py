"""Policies and decisions as text for a terminal: at most 100 characters wide, without colour codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap

from crm_server.policy.decide import closed_by, combine, ruling
from crm_server.policy.disclosure import disclosed
from crm_server.policy.model import Decision, Effect, Limits, Policy
from crm_tools.operations import Access, Action
from crm_tools.tables import Table

_WIDTH = 100
_NAME_WIDTH = 15
_CELL_WIDTH = 20


def show(policy: Policy, tables: Mapping[str, Table]) -> str:
    """The whole policy: effect and deciding rules for each table and action, limits, hidden columns."""
    return "\n".join(
        [
            f"Policy {policy.name}",
            "",
            *_matrix(policy, tables),
            "What no rule allows is denied. Deny beats confirm, confirm beats allow.",
            "Where it says confirm, a human has to agree first.",
            "",
            "Limits",
            *_limits(policy.limits),
            "",
            "Hidden columns",
            *_hidden(policy, tables),
        ]
    )


def explain(policy: Policy, tool: str, access_decisions: Sequence[tuple[Access, Decision]]) -> str:
    """What the policy decided about one call of a tool, access by access."""
    overall = combine(decision for _, decision in access_decisions)
    lines = [f"Tool {tool} under policy {policy.name}: {overall.outcome}"]
    for access, decision in access_decisions:
        lines += ["", f"{access.action} {access.table}: {decision.outcome}", *_details(access, decision)]
    if not access_decisions:
        lines += ["", *_field("reason", overall.reason)]
    return "\n".join(lines)


def _matrix(policy: Policy, tables: Mapping[str, Table]) -> list[str]:
    widths = (_NAME_WIDTH, *(_CELL_WIDTH for _ in Action))
    lines = [_row(("table", *Action), widths), _row(("-" * width for width in widths), widths)]
    for table in tables:
        cells = [
            wrap(table, _NAME_WIDTH),
            *(
                [line for text in _cell(policy, action, table) for line in wrap(text, _CELL_WIDTH)]
                for action in Action
            ),
        ]
        lines += [_row(line, widths) for line in zip_longest(*cells, fillvalue="")]
        lines.append("")
    return lines


def _cell(policy: Policy, action: Action, table: str) -> tuple[str, ...]:
    """The effect, then the ids of what decided it."""
    found = ruling(policy, action, table)
    if found.effect is not Effect.DENY and (closing := closed_by(policy, action)):
        return (Effect.DENY, *closing)
    effect = f"{found.effect}, narrowed" if found.conditions else found.effect
    return (effect, *(found.rules or ("(no rule)",)))


def _row(cells: Iterable[str], widths: Iterable[int]) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _limits(limits: Limits) -> list[str]:
    return [
        _limit(
            "writes per minute", limits.writes_per_minute, "creates, updates and deletes in any 60 seconds"
        ),
        _limit("deletes per day", limits.deletes_per_day, "deletes in any 24 hours"),
        _limit("rows per read", limits.rows_per_read, "rows in one answer; who asks for more gets so many"),
    ]


def _limit(name: str, limit: int | None, unit: str) -> str:
    value = "no limit" if limit is None else f"at most {limit:,} {unit}"
    return f"  {name:<18} {value}"


def _hidden(policy: Policy, tables: Mapping[str, Table]) -> list[str]:
    lines = []
    for name, columns in sorted(policy.hidden.items()):
        discloses = disclosed(tables[name]) if name in tables else {}
        texts = []
        for column in sorted(columns):
            told = sorted(discloses.get(column, frozenset()) & columns)
            texts.append(f"{column} (tells {' and '.join(told)})" if told else column)
        if texts:
            lines += _field(name, ", ".join(texts), width=18)
    return lines or ["  none"]


def _details(access: Access, decision: Decision) -> list[str]:
    lines = []
    for label, columns in (("reads", access.reads), ("sets", access.writes)):
        if columns:
            lines += _field(label, ", ".join(sorted(columns)))
    if access.rows:
        most = "" if decision.max_rows is None else f", at most {decision.max_rows:,} are given"
        lines += _field("rows", f"{access.rows:,} asked for{most}")
    lines += _field("rules", ", ".join(decision.rules) or "none matched")
    return lines + _field("reason", decision.reason)


def _field(label: str, text: str, width: int = 8) -> list[str]:
    """A label and its text, wrapped under itself."""
    start = f"  {label:<{width}} "
    return wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,  # rule ids are read, and searched for, whole
    )
