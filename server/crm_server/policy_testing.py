"""Holds a policy against the cases that an administrator keeps beside it, by the code that enforces it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crm_server.explaining import Asking, judged_call
from crm_server.policy.cases import Call, Case, parse_cases
from crm_server.policy.decide import combine, decide
from crm_server.policy.keys import PRESETS
from crm_server.policy.load import load_policy, placed, read_text
from crm_server.policy.model import Decision, Mask, Policy, Spent
from crm_server.policy.problems import PolicyTextError, unknown
from crm_tools.errors import InputError
from crm_tools.operations import Access
from crm_tools.standard import standard_tables
from crm_tools.tables import Table

_NOT_RULES = ("hidden:", "limit:")

Judged = list[tuple[Access, Decision]]


@dataclass(frozen=True, slots=True)
class Report:
    """How the cases went: a line each, and whether all went as expected."""

    text: str
    passed: bool


def run_cases(file: str, policy_name: str | None) -> Report:
    """Run the cases in a file on a policy, or on the one that the file names.

    Raises:
        PolicyFileError: The file of cases or the policy cannot be read.
    """
    tables = standard_tables()
    texts = {file: read_text(file)}
    with placed(file, texts, "Cases"):
        cases = parse_cases(texts[file], tables)
        policy = load_policy(policy_name or _named(file, cases.policy), tables)
        problems = [(case, _problems(case, policy, tables)) for case in cases.cases]
    failed = sum(1 for _, found in problems if found)
    lines = [line for case, found in problems for line in _lines(case, found)]
    ran = f"{len(problems)} case{'' if len(problems) == 1 else 's'} on policy {policy.name}"
    lines += ["", f"{ran}: {len(problems) - failed} as expected, {failed} not."]
    return Report("\n".join(lines), not failed)


def _named(file: str, policy: str | None) -> str:
    if policy is None:
        raise PolicyTextError('It names no policy. Write policy = "team.toml" at the top, or use --policy.')
    return policy if policy in PRESETS else str(Path(file).parent / policy)


def _lines(case: Case, problems: list[str]) -> Iterator[str]:
    yield f"{'FAIL' if problems else 'ok  '}  {case.name}"
    for problem in problems:
        yield f"      {problem}"


def _problems(case: Case, policy: Policy, tables: Mapping[str, Table]) -> list[str]:
    _refuse_unknown_rules(case, policy)
    judged = _judged(case, policy)
    whole = combine(decision for _, decision in judged)
    found = []
    if whole.outcome is not case.expected:
        found.append(f"expected {case.expected}, got {whole.outcome}: {whole.reason}")
    if case.rules is not None and case.rules != set(whole.rules):
        found.append(f"expected to be decided by {_listed(case.rules)}, got {_listed(whole.rules)}")
    access, decision = judged[0]
    if case.masked is not None:
        expected = _by_wire_name(case, tables[access.table])
        if expected != dict(decision.masks):
            found.append(f"expected masks {_masks(expected)}, got {_masks(decision.masks)}")
    if case.narrowed is not None and case.narrowed is (decision.scope is None):
        got = "any row" if decision.scope is None else decision.scope.text
        found.append(f"expected {'some rows only' if case.narrowed else 'any row'}, got {got}")
    return found


def _judged(case: Case, policy: Policy) -> Judged:
    asking = Asking(case.principal, case.environment, case.at)
    if isinstance(case.asked, Call):
        try:
            return judged_call(policy, case.asked.tool, case.asked.arguments, asking)
        except InputError as error:
            raise PolicyTextError(
                f"Case {case.place + 1} ({case.name}): {error.message}", case.path
            ) from None
    decision = decide(policy, asking.principal, case.asked, asking.now(), Spent(), asking.environment)
    return [(case.asked, decision)]


def _refuse_unknown_rules(case: Case, policy: Policy) -> None:
    known = [rule.id for rule in policy.rules]
    for rule_id in case.rules or ():
        if rule_id not in known and not rule_id.startswith(_NOT_RULES):
            where = f"Case {case.place + 1} ({case.name}): "
            raise unknown(f"rule of policy {policy.name}", rule_id, known, (*case.path, "rules"), where)


def _by_wire_name(case: Case, table: Table) -> dict[str, Mask]:
    found = {}
    for name, how in (case.masked or {}).items():
        if name not in table.by_short_name:
            where = f"Case {case.place + 1} ({case.name}): "
            raise unknown(
                f"column of {table.name}", name, table.by_short_name, (*case.path, "masked", name), where
            )
        found[table.by_short_name[name].name] = how
    return found


def _listed(names: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "no rule"


def _masks(masks: Mapping[str, Mask]) -> str:
    return ", ".join(f"{column} ({how})" for column, how in sorted(masks.items())) or "none"
