"""What an administrator reads on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from crm_server.policy.decide import decide
from crm_server.policy.explain import explain, show
from crm_server.policy.load import PRESETS, load_policy
from crm_server.policy.model import Decision, Policy, Principal, Spent
from crm_tools.operations import Access, Action
from crm_tools.tables import Table

NOW = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)


@pytest.fixture
def policy(tmp_path: Path, tables: Mapping[str, Table]) -> Policy:
    file = tmp_path / "careful.toml"
    file.write_text(
        dedent("""
        [[rules]]
        id = "read-everything"
        effect = "allow"
        actions = ["read"]
        tables = ["*"]

        [[rules]]
        id = "write-leads"
        effect = "allow"
        actions = ["create", "update", "delete"]
        tables = ["lead"]

        [[rules]]
        id = "a-human-looks-at-each-change-of-a-lead"
        effect = "confirm"
        actions = ["update"]
        tables = ["lead"]

        [limits]
        writes_per_minute = 10
        deletes_per_day = 0

        [hidden]
        contact = ["birthdate", "lastname"]
        """)
    )
    return load_policy(str(file), tables)


def decided(policy: Policy, *accesses: Access) -> list[tuple[Access, Decision]]:
    return [(access, decide(policy, Principal(), access, NOW, Spent())) for access in accesses]


def test_show_prints_the_whole_policy(policy: Policy, tables: Mapping[str, Table]) -> None:
    shown = show(policy, {name: tables[name] for name in ("contact", "lead")})
    assert shown == dedent("""\
        Policy careful

        table           read                 create               update               delete
        --------------- -------------------- -------------------- -------------------- --------------------
        contact         allow                deny                 deny                 deny
                        read-everything      (no rule)            (no rule)            (no rule)

        lead            allow                allow                confirm              deny
                        read-everything      write-leads          a-human-looks-at-    limit:deletes_per_da
                                                                  each-change-of-a-    y
                                                                  lead

        What no rule allows is denied. Deny beats confirm, confirm beats allow.
        Where it says confirm, a human has to agree first.

        Limits
          writes per minute  at most 10 creates, updates and deletes in any 60 seconds
          deletes per day    at most 0 deletes in any 24 hours
          rows per read      no limit

        Hidden columns
          contact            birthdate, fullname (tells lastname), lastname""")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_shown_policy_fits_a_terminal(preset: str, tables: Mapping[str, Table]) -> None:
    shown = show(load_policy(preset, tables), tables)
    assert max(map(len, shown.splitlines())) <= 100
    assert "Hidden columns\n  none" in shown


def test_a_table_with_a_long_name_keeps_the_columns_in_line(
    policy: Policy, tables: Mapping[str, Table]
) -> None:
    shown = show(policy, {"new_warehouseinventoryposition": tables["account"]})
    assert max(map(len, shown.splitlines())) <= 100
    assert "new_warehousein allow " in shown


def test_explain_prints_each_access_with_its_columns_rules_and_reason(policy: Policy) -> None:
    text = explain(
        policy,
        "list_leads",
        decided(
            policy,
            Access(Action.READ, "lead", reads=frozenset({"subject", "fullname"}), rows=20),
            Access(Action.READ, "contact", reads=frozenset({"birthdate"})),
        ),
    )
    assert text == dedent("""\
        Tool list_leads under policy careful: denied

        read lead: allowed
          reads    fullname, subject
          rows     20 asked for
          rules    read-everything
          reason   Policy careful allows read on lead by rule read-everything.

        read contact: denied
          reads    birthdate
          rules    hidden:contact.birthdate
          reason   Policy careful hides the column contact.birthdate: leave it out.""")


def test_explain_shows_what_is_set_and_that_a_human_must_agree(policy: Policy) -> None:
    update = Access(Action.UPDATE, "lead", writes=frozenset({"subject"}))
    text = explain(policy, "update_lead", decided(policy, update))
    assert text.startswith("Tool update_lead under policy careful: needs approval\n")
    assert "  sets     subject\n" in text


def test_explain_says_how_a_read_is_narrowed(tables: Mapping[str, Table]) -> None:
    preset = load_policy("read-only", tables)
    text = explain(preset, "list_leads", decided(preset, Access(Action.READ, "lead", rows=800)))
    assert "  rows     800 asked for, at most 500 are given\n" in text


def test_explain_says_none_matched_where_no_rule_does(policy: Policy) -> None:
    text = explain(policy, "delete_account", decided(policy, Access(Action.DELETE, "account")))
    assert "  rules    none matched\n" in text


def test_explain_of_nothing_is_denied(policy: Policy) -> None:
    assert explain(policy, "nothing", []) == (
        "Tool nothing under policy careful: denied\n\n"
        "  reason   There is nothing that the policy could allow."
    )


def test_explain_wraps_many_columns(policy: Policy, tables: Mapping[str, Table]) -> None:
    everything = Access(Action.READ, "account", reads=frozenset(tables["account"].columns))
    text = explain(policy, "list_accounts", decided(policy, everything))
    assert max(map(len, text.splitlines())) <= 100
    assert all(column in text for column in tables["account"].columns)
