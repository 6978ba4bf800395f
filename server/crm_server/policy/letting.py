"""What the rules that allow or confirm let through of an access: which columns, masked how, of which rows.

Each column needs a rule that lets it through. If several do, the one that shows most counts, and the rows of
any of them will do; what one column is narrowed to narrows the whole access.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from crm_server.policy.matching import covering
from crm_server.policy.model import Effect, Mask, Policy, Rule, Scope
from crm_tools.conditions import Condition
from crm_tools.operations import Access

_REVEALING = {mask: place for place, mask in enumerate(Mask)}


@dataclass(frozen=True, slots=True)
class Letting:
    """``missing`` are the columns that no rule lets through; ``masked_use`` says that masked ones were used.

    ``rules`` are the ids of those with the strongest effect, empty where no rule matches.
    """

    effect: Effect
    rules: tuple[str, ...]
    missing: frozenset[str] = frozenset()
    masked_use: bool = False
    scope: Scope | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)


def letting_through(policy: Policy, access: Access, rules: Iterable[Rule]) -> Letting:
    """What the rules that speak of an access let through of it."""
    rules = tuple(rules)
    letting = [rule for rule in rules if rule.effect is not Effect.DENY]
    effect = Effect.CONFIRM if any(rule.effect is Effect.CONFIRM for rule in letting) else Effect.ALLOW
    ids = tuple(sorted(rule.id for rule in letting if rule.effect is effect))
    never = _conditions(rule for rule in rules if rule.effect is Effect.DENY)
    if any(_is_plain(rule, access.table) for rule in letting):
        return Letting(effect, ids, scope=Scope(never=never) if never else None)
    return _by_column(access, letting, Letting(effect, ids), never)


def _is_plain(rule: Rule, table: str) -> bool:
    """Whether the rule lets every column and every row through."""
    return rule.columns is None and table not in rule.masked and table not in rule.rows


def _conditions(rules: Iterable[Rule]) -> frozenset[Condition]:
    return frozenset(condition for rule in rules for condition in rule.rows.values())


def _by_column(access: Access, letting: list[Rule], whole: Letting, never: frozenset[Condition]) -> Letting:
    missing: set[str] = set()
    masks: dict[str, Mask] = {}
    groups: set[frozenset[Condition]] = set()
    touched = access.reads | access.writes
    for column in touched:
        through = _through(access, letting, column)
        if not through:
            missing.add(column)
            continue
        if (mask := _mask([way for _, way in through])) is not None:
            masks[column] = mask
        groups |= _rows([rule for rule, _ in through], access.table)
    if missing:
        masked_use = any(
            column in rule.masked.get(access.table, ()) for rule in letting for column in missing
        )
        return Letting(whole.effect, whole.rules, frozenset(missing), masked_use)
    if not touched:
        groups = _rows(letting, access.table)
    scope = Scope(frozenset(groups), never) if groups or never else None
    return Letting(whole.effect, whole.rules, scope=scope, masks=masks)


def _through(access: Access, letting: list[Rule], column: str) -> list[tuple[Rule, Mask | bool]]:
    """The rules that let a column through, and how: what is used, and not only shown, has to be whole."""
    ways = [(rule, covering(rule, access.table, column)) for rule in letting]
    whole_only = column in access.used or column in access.writes
    return [(rule, way) for rule, way in ways if way is True or (way and not whole_only)]


def _mask(ways: Iterable[Mask | bool]) -> Mask | None:
    """The mask that shows most; none where one rule shows the column whole.

    Rules that narrow rows never meet rules with masks on one column: a policy that has them is refused.
    """
    ways = tuple(ways)
    masks = [way for way in ways if isinstance(way, Mask)]
    return min(masks, key=_REVEALING.__getitem__) if len(masks) == len(ways) else None


def _rows(rules: Iterable[Rule], table: str) -> set[frozenset[Condition]]:
    """The group of conditions one of which has to hold; none where a rule lets every row through."""
    conditions = [rule.rows.get(table) for rule in rules]
    if not conditions or None in conditions:
        return set()
    return {frozenset(condition for condition in conditions if condition is not None)}
