"""A decision of a policy with a hundred rules of all kinds, against one JSON dump of the call.

    uv run --no-dev python bench/decisions.py

Each call dumps JSON at least twice, to the CRM and to the client.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from crm_server.policy.decide import decide
from crm_server.policy.load import load_policy
from crm_server.policy.model import Principal, Spent
from crm_tools.description import load
from crm_tools.operations import Access, Action

GOAL_MICROSECONDS = 50.0
TIMES = 20_000
RULES = 100

KINDS = (
    (
        'effect = "allow"\nactions = ["read", "search"]\ntables = ["account", "contact"]\n'
        'columns = ["createdon", "modifiedon"]'
    ),
    (
        'effect = "allow"\nactions = ["read"]\ntables = ["account"]\nroles = ["role-{}"]\n'
        'rows = "revenue lt {}000 and statecode eq 0"\ncolumns = ["name", "revenue"]'
    ),
    'effect = "deny"\nactions = ["update"]\ntables = ["account"]\nvalues = "revenue gt {}000000"',
    (
        'effect = "confirm"\nactions = ["update"]\ntables = ["account", "lead"]\n'
        'environments = ["production"]\n'
        'users = ["user-{}"]'
    ),
    (
        'effect = "deny"\nactions = ["delete", "update"]\ntables = ["*"]\nusers = ["guest-{}"]\n'
        'when = {{ days = ["sat", "sun"], timezone = "Europe/Berlin" }}'
    ),
)


def policy_text() -> str:
    """A hundred rules, none a copy of another."""
    parts = [
        '[[rules]]\nid = "all"\neffect = "allow"\nactions = ["read", "update", "delete"]\ntables = ["*"]'
    ]
    for number in range(1, RULES):
        kind = KINDS[number % len(KINDS)].format(*[number] * 2)
        users = f'\nusers = ["u{number}"]' if "users" not in kind else ""
        parts.append(f'[[rules]]\nid = "r{number}"\n{kind}{users}')
    return "\n".join(parts)


def main() -> int:
    tables = load().tables
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hundred.toml"
        path.write_text(policy_text(), encoding="utf-8")
        policy = load_policy(str(path), tables)
    assert len(policy.rules) == RULES
    now, who = datetime(2026, 5, 4, 10, tzinfo=UTC), Principal("user-3", frozenset({"role-1", "role-6"}))
    columns = tuple(tables["account"].concise)
    accesses = (
        Access(Action.READ, "account", reads=frozenset(columns), rows=20),
        Access(Action.UPDATE, "account", writes=frozenset({"revenue"}), values={"revenue": 5}),
        Access(Action.DELETE, "lead"),
    )
    worst = 0.0
    for access in accesses:
        p50, p99 = measured(lambda access=access: decide(policy, who, access, now, Spent(), "production"))
        reference, _ = measured(lambda: json.dumps({"table": "account", "select": columns, "top": 20}))
        worst = max(worst, p50)
        ratio = p50 / reference
        print(
            f"{access.action:<7} {RULES} rules   p50 {p50:5.1f} us   p99 {p99:5.1f} us   "
            f"{ratio:4.1f} times a JSON dump of the call ({reference:.1f} us)"
        )
    print(f"slowest p50 {worst:.1f} us (goal: at most {GOAL_MICROSECONDS:.0f})")
    return 0 if worst <= GOAL_MICROSECONDS else 1


def measured(call: Callable[[], object]) -> tuple[float, float]:
    """Microseconds: the median and the 99th percentile."""
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - started)
    taken.sort()
    return taken[TIMES // 2] / 1000, taken[TIMES * 99 // 100] / 1000


if __name__ == "__main__":
    sys.exit(main())
