"""What one policy file says, and how a file adds to the one that it extends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from crm_server.policy.keys import EACH_CALLER, LIMIT, RULE
from crm_server.policy.model import Limits, Policy, Rule
from crm_server.policy.problems import Path, PolicyTextError, unknown


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule and where it is written: the file, and its place among the rules there, from 0."""

    rule: Rule
    source: str
    place: int

    @property
    def path(self) -> Path:
        """Its place in the document."""
        return (RULE, self.place)

    def called(self, source: str) -> str:
        """The rule as an error in ``source`` names it."""
        name = f"rule {self.place + 1} ({self.rule.id})"
        return name if source == self.source else f"{name} of {self.source}"


@dataclass(frozen=True, slots=True)
class Part:
    """What one file says, or several that extend each other. A limit that is None is lifted."""

    source: str
    name: str | None
    extends: str | None
    remove: tuple[str, ...]
    rules: tuple[WrittenRule, ...]
    limits: Mapping[str, int | None] = field(default_factory=dict)
    each_caller: Mapping[str, int | None] = field(default_factory=dict)
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    audited: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ask_after_reading: bool | None = None

    def policy(self, default_name: str) -> Policy:
        """The policy that it comes to."""
        return Policy(
            name=self.name or default_name,
            rules=tuple(written.rule for written in self.rules),
            limits=Limits(**self.limits),
            hidden=MappingProxyType(dict(self.hidden)),
            each_caller=Limits(**self.each_caller),
            audited=MappingProxyType(dict(self.audited)),
            ask_after_reading=bool(self.ask_after_reading),
        )


def extended(base: Part | None, own: Part) -> Part:
    """What a file says together with its base.

    Raises:
        PolicyTextError: It takes away what the base does not have.
    """
    return replace(
        own,
        rules=_rules(base.rules if base else (), own),
        limits=_limits(base.limits if base else {}, own.limits, (LIMIT,)),
        each_caller=_limits(base.each_caller if base else {}, own.each_caller, tuple(EACH_CALLER.split("."))),
        hidden=_joined(base.hidden if base else {}, own.hidden),
        audited=_joined(base.audited if base else {}, own.audited),
        ask_after_reading=base.ask_after_reading
        if base is not None and own.ask_after_reading is None
        else own.ask_after_reading,
    )


def _rules(base: Iterable[WrittenRule], own: Part) -> tuple[WrittenRule, ...]:
    rules = {written.rule.id: written for written in base}
    for place, rule_id in enumerate(own.remove):
        if rule_id not in rules:
            raise unknown("rule of the base", rule_id, rules, ("remove", place), "remove: ")
        del rules[rule_id]
    for written in own.rules:
        if written.rule.id in own.remove:
            raise PolicyTextError(
                f"Rule {written.place + 1} ({written.rule.id}): remove names it too. A rule with the id of a "
                "base rule replaces it; leave it out of remove.",
                written.path,
            )
        rules[written.rule.id] = written
    return tuple(rules.values())


def _limits(
    base: Mapping[str, int | None], own: Mapping[str, int | None], path: Path
) -> Mapping[str, int | None]:
    for name, limit in own.items():
        if limit is None and base.get(name) is None:
            raise PolicyTextError(
                f"[{'.'.join(map(str, path))}]: {name} lifts a limit that no base sets; leave it out.",
                (*path, name),
            )
    merged = {**base, **own}
    return {name: limit for name, limit in merged.items() if limit is not None}


def _joined(
    base: Mapping[str, frozenset[str]], own: Mapping[str, frozenset[str]]
) -> Mapping[str, frozenset[str]]:
    tables = {**base, **own}
    return {name: base.get(name, frozenset()) | own.get(name, frozenset()) for name in tables}
