"""Judges operations: the decision on each of their parts, and what it comes to for the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crm_server.policy.decide import combine, decide
from crm_server.policy.model import Decision, Mask, Policy, Principal, Scope, Spent
from crm_tools.operations import READING, Access


class Judgeable(Protocol):
    """What breaks into accesses."""

    def accesses(self) -> tuple[Access, ...]:
        """The parts that are judged one by one."""
        ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision on an operation, and those on its parts."""

    decision: Decision
    parts: tuple[tuple[Access, Decision], ...]

    @property
    def written(self) -> Scope | None:
        """What the row that is written has to satisfy; None for any row."""
        scopes = [
            decision.scope
            for access, decision in self.parts
            if access.action not in READING and decision.scope is not None
        ]
        if not scopes:
            return None
        return Scope(
            frozenset().union(*(scope.groups for scope in scopes)),
            frozenset().union(*(scope.never for scope in scopes)),
        )

    def scope(self, via: str = "") -> Scope | None:
        """What the rows that are read have to satisfy: the table's own, or those of an expansion."""
        return next((decision.scope for access, decision in self.parts if access.via == via), None)

    def masks(self, via: str = "") -> Mapping[str, Mask]:
        """The columns that are not shown whole, of the table's own rows or those of an expansion."""
        return next((decision.masks for access, decision in self.parts if access.via == via), {})


def judge(
    policy: Policy,
    principal: Principal,
    operation: Judgeable,
    now: datetime,
    spent: Spent,
    environment: str | None = None,
) -> Judgement:
    """The policy's judgement of an operation; the arguments are those of :func:`decide`."""
    parts = tuple(
        (access, decide(policy, principal, access, now, spent, environment))
        for access in operation.accesses()
    )
    return Judgement(combine([decision for _, decision in parts]), parts)
