"""Refuses what is well written and yet cannot be meant: rules without effect, or that are ambiguous."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import NoReturn

from crm_server.policy.keys import COUNTED, EACH_CALLER
from crm_server.policy.matching import covering
from crm_server.policy.model import Effect, Mask, Rule
from crm_server.policy.parts import Part, WrittenRule
from crm_server.policy.patterns import EVERY_TABLE, covers, is_like
from crm_server.policy.problems import PolicyTextError
from crm_tools.operations import READING

_SHOWS_MOST = list(Mask)


def check_sense(part: Part) -> None:
    """Refuse a policy that cannot be meant. ``part`` is all that its files say together.

    Raises:
        PolicyTextError: Its message names the rules, and their files where they differ.
    """
    _refuse_copies(part)
    _refuse_rules_behind_denials(part)
    _refuse_masks_beside_rows(part)
    _refuse_wider_limits_of_each_caller(part)


def _refuse_copies(part: Part) -> None:
    seen: dict[object, WrittenRule] = {}
    for written in part.rules:
        first = seen.setdefault(_meaning(written.rule), written)
        if first is not written:
            _refuse(part, (first, written), "{1} says the same as {0}. Leave one of them out.")


def _meaning(rule: Rule) -> object:
    """All that a rule says but its id, as a value that can be compared. Conditions are, by their text."""
    return (
        rule.effect,
        rule.actions,
        rule.tables,
        None if rule.columns is None else frozenset(rule.columns.items()),
        frozenset((table, frozenset(masks.items())) for table, masks in rule.masked.items()),
        frozenset((table, condition.text) for table, condition in rule.rows.items()),
        frozenset((table, condition.text) for table, condition in rule.values.items()),
        rule.roles,
        rule.users,
        rule.when,
        rule.environments,
    )


def _refuse_rules_behind_denials(part: Part) -> None:
    denials = [one for one in part.rules if one.rule.effect is Effect.DENY and one.rule.unconditional]
    for written in part.rules:
        if written.rule.effect is not Effect.DENY and (behind := _denying(written.rule, denials)):
            names = " and ".join(f"{{{place}}}" for place in range(1, len(behind) + 1))
            verb = "denies" if len(behind) == 1 else "deny"
            out = (
                "Leave it out"
                if written.source == part.source
                else f'Leave it out: remove = ["{written.rule.id}"]'
            )
            problem = f"{{0}} can never have an effect: {names} {verb} all that it is about. {out}."
            _refuse(part, (written, *behind), problem)


def _denying(rule: Rule, denials: Iterable[WrittenRule]) -> list[WrittenRule]:
    """The denials that together leave nothing of a rule; none where they leave something."""
    found: dict[str, WrittenRule] = {}
    for action in rule.actions:
        for table in rule.tables or {EVERY_TABLE}:
            denial = next(
                (one for one in denials if action in one.rule.actions and _covers(one.rule, table)), None
            )
            if denial is None:
                return []
            found[denial.rule.id] = denial
    return [found[rule_id] for rule_id in sorted(found)]


def _covers(rule: Rule, table: str) -> bool:
    return rule.tables is None or any(covers(name, table) for name in rule.tables)


def _refuse_masks_beside_rows(part: Part) -> None:
    """Refuse a column that one rule shows more of than another, for some rows only.

    Rows and masks of several rules are put together, so the column would be shown as that rule does, but for
    the rows of both.
    """
    reading = [one for one in part.rules if one.rule.effect is not Effect.DENY and one.rule.actions & READING]
    for masking, narrowed in permutations(reading, 2):
        if masking.rule.actions & narrowed.rule.actions & READING:
            for table, column in _shown_more(masking.rule, narrowed.rule):
                _refuse(
                    part,
                    (masking, narrowed),
                    f"{{0}} masks {column} of {table}, and {{1}} shows more of it in some rows, so what "
                    "the other rows show would be doubtful. Give {1} a list of columns without "
                    f"{column}, or no rows.",
                )


def _shown_more(masking: Rule, narrowed: Rule) -> Iterator[tuple[str, str]]:
    """Tables and masked columns that the other rule shows more of, in some rows."""
    for table, masks in sorted(masking.masked.items()):
        if table not in narrowed.rows or not (narrowed.tables is None or is_like(table, narrowed.tables)):
            continue
        for column, mask in sorted(masks.items()):
            way = covering(narrowed, table, column)
            if way is True or (isinstance(way, Mask) and _SHOWS_MOST.index(way) < _SHOWS_MOST.index(mask)):
                yield table, column


def _refuse_wider_limits_of_each_caller(part: Part) -> None:
    for name in COUNTED:
        own, whole = part.each_caller.get(name), part.limits.get(name)
        if own is not None and whole is not None and own > whole:
            raise PolicyTextError(
                f"[{EACH_CALLER}]: {name} of {own:,} can never be reached: "
                f"all callers together have {whole:,}.",
                (*EACH_CALLER.split("."), name),
            )


def _refuse(part: Part, rules: tuple[WrittenRule, ...], problem: str) -> NoReturn:
    """Refuse rules that do not go together, at the last one in the file that was asked for."""
    at = max(rules, key=lambda written: (written.source == part.source, part.rules.index(written)))
    text = problem.format(*(written.called(at.source) for written in rules))
    raise PolicyTextError(f"{text[0].upper()}{text[1:]}", at.path, at.source)
