"""Asking a human before a change is made.

A :class:`Plan` is what the human sees; its fingerprint stands for exactly that change, so an approval of one
change never covers another. How the human is asked is the business of an :class:`Approver`; the protocol
module has one for each protocol era.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from crm_server.policy.model import Decision
from crm_server.state.proposals import Proposal
from crm_tools.acts import Act, Close, Link, Merge, Qualify
from crm_tools.bulk import BulkJob
from crm_tools.choices import choice_label
from crm_tools.errors import ApprovalError
from crm_tools.insight_operations import Aggregate, Search
from crm_tools.operations import Action, Create, Delete, Operation, Query, Row, Update
from crm_tools.outside_text import line
from crm_tools.shaping import ETAG, FORMATTED, MOST_RELATED
from crm_tools.tables import Table

_LONGEST_VALUE = 120
Judged = Operation | Act | Aggregate | Search | BulkJob
"""Everything that a policy judges."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A change as a human is asked about it."""

    question: str
    facts: tuple[str, ...]
    fingerprint: str
    etag: str | None = None
    id: str = ""
    otherwise: str = ""
    """How it can be approved where the client cannot ask."""
    page: str | None = None
    """The address where it has to be decided, if the client may not ask at all."""

    @property
    def message(self) -> str:
        """The whole question as text."""
        return "\n".join((self.question, *(f"- {fact}" for fact in self.facts)))


class InputNeededError(Exception):
    """The call cannot go on before the client has asked its human; the protocol era decides how."""


class DeclinedError(ApprovalError):
    """A human was asked and said no."""


class Approver(Protocol):
    """A way to ask a human."""

    async def approve(self, plan: Plan, decision: Decision) -> None:
        """Return when a human agreed.

        Raises:
            ApprovalError: Declined, or nobody could be asked.
        """
        ...


def plan_for(
    operation: Judged,
    before: Row | None,
    table: Table,
    tables: Mapping[str, Table],
    where: str,
    because: tuple[str, ...] = (),
) -> Plan:
    """The plan of an operation, from the row as it stands now. ``because`` says why a human is asked."""
    return Plan(
        question=_question(operation, before, table, where),
        facts=(*because, *_facts(operation, before, table, tables)),
        fingerprint=_fingerprint(operation, before),
        etag=(before or {}).get(ETAG),
    )


def proposal_of(plan: Plan, operation: Judged, decision: Decision, caller: str, tool: str) -> Proposal:
    """The plan as it is kept while it waits."""
    key = None if isinstance(operation, Query | Create | Aggregate | Search) else operation.key
    return Proposal(
        plan.fingerprint,
        caller,
        tool,
        operation.table,
        plan.question,
        plan.facts,
        decision.rules,
        key,
        plan.etag,
    )


def _question(operation: Judged, before: Row | None, table: Table, where: str) -> str:
    kind = table.label.lower()
    name = shown(before.get(table.primary_name)) if before else ""
    match operation:
        case Delete(key=key):
            return f"Delete the {kind} {name or key} for good, in {where}?"
        case Update(key=key):
            return f"Change the {kind} {name or key}, in {where}?"
        case Create():
            return f"Create a {kind} in {where}?"
        case Qualify():
            return f"Qualify the lead {name or operation.key}, in {where}?"
        case Close(won=won):
            return f"Close the opportunity {name or operation.key} as {'won' if won else 'lost'}, in {where}?"
        case Merge(into_name=other):
            return f"Merge the {kind} {name or operation.key} into {shown(other)}, in {where}?"
        case BulkJob(total=total, action=action):
            verb = "Create" if action is Action.CREATE else "Change"
            return f"{verb} {total:,} {table.entity_set} in one job, in {where}?"
        case Link(other_name=other, unlink=unlink):
            verb = "Take apart" if unlink else "Connect"
            return f"{verb} the {kind} {name or operation.key} and {shown(other)}, in {where}?"
    return f"Let the assistant read {table.entity_set} in {where}?"


def _facts(operation: Judged, before: Row | None, table: Table, tables: Mapping[str, Table]) -> Iterable[str]:
    match operation:
        case Delete():
            yield from _lost(before or {}, table, tables)
        case Update(values=values, bindings=bindings):
            row = before or {}
            for name, value in values.items():
                yield f"{table.columns[name].label}: {shown(_displayed(row, name))} -> {shown(value)}"
            for item in bindings:
                label = table.navigations[item.navigation].label
                yield f"{label}: {shown(_displayed(row, item.column))} -> {item.key or 'nothing'}"
        case BulkJob(facts=facts):
            yield from facts
        case Create(values=values, bindings=bindings):
            yield from (f"{table.columns[name].label}: {shown(value)}" for name, value in values.items())
            yield from (f"{table.navigations[item.navigation].label}: {item.key}" for item in bindings)
        case Qualify() | Close() | Merge() | Link():
            yield from _act_facts(operation, before or {}, table, tables)


def _act_facts(act: Act, before: Row, table: Table, tables: Mapping[str, Table]) -> Iterable[str]:
    match act:
        case Qualify():
            made = ", ".join(f"the {tables[name].label.lower()}" for name in act.wanted)
            yield f"Created from it: {made or 'nothing'}"
            for name, key in act.uses.items():
                yield f"Used instead of a new one: the {tables[name].label.lower()} {key}"
        case Close():
            for name, value in act.written.items():
                column = table.columns[name]
                label = choice_label(value, column) or value
                yield f"{column.label}: {shown(_displayed(before, name))} -> {shown(label)}"
            if act.note:
                yield f"Note: {shown(act.note)}"
        case Merge():
            yield "What belongs to it moves to the other record; it is deactivated and cannot be un-merged"
            for name, value in act.values.items():
                yield f"Taken over: {table.columns[name].label}: {shown(value)}"


def _lost(before: Row, table: Table, tables: Mapping[str, Table]) -> Iterable[str]:
    for name, column in table.columns.items():
        if name != table.key and before.get(name) is not None:
            yield f"{column.label}: {shown(_displayed(before, name))}"
    for relationship in table.relationships.values():
        related = before.get(relationship.name)
        if relationship.cascades and related:
            count = f"more than {MOST_RELATED}" if len(related) > MOST_RELATED else str(len(related))
            yield f"Deleted with it: {count} {tables[relationship.table].entity_set}"
    yield "Its activities and notes are deleted with it"


def _displayed(row: Row, name: str) -> Any:
    return row.get(name + FORMATTED, row.get(name))


def shown(value: Any) -> str:
    """A value on one line of a question: nothing hidden or live in it, cut when it is long."""
    if value is None or value == "":
        return "nothing"
    text = line(str(value))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... ({len(text):,} characters)"


def _fingerprint(operation: Judged, before: Row | None) -> str:
    """A digest of the change and of the version of the row it was planned on."""
    facts: dict[str, Any] = {"kind": type(operation).__name__, "table": operation.table}
    match operation:
        case Create(values=values, bindings=bindings):
            facts |= {"values": dict(values), "bindings": [[item.navigation, item.key] for item in bindings]}
        case Update(key=key, values=values, bindings=bindings):
            facts |= {"key": key, "values": dict(values)}
            facts["bindings"] = [[item.navigation, item.key] for item in bindings]
        case Delete(key=key):
            facts["key"] = key
        case Qualify() | Close() | Merge() | Link():
            facts["act"] = asdict(operation)
        case BulkJob(id=key, source=source):
            facts |= {"job": key, "source": source}
        case _:
            facts["read"] = repr(operation)
    facts["etag"] = (before or {}).get(ETAG)
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
