"""What an administrator reads on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from crm_server.policy.decide import decide
from crm_server.policy.explain import explain
from crm_server.policy.keys import PRESETS
from crm_server.policy.load import load_policy
from crm_server.policy.model import Decision, Policy, Principal, Spent
from crm_server.policy.show import show
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
    shown = show(policy, {name: tables[name] for name in ("account", "contact", "lead")})
    assert shown == dedent("""\
        Policy careful

        table               effect            actions                         rules
        ------------------- ----------------- ------------------------------- ------------------------------
        account             allow             read                            read-everything
        contact             deny              search, aggregate, create,      (no rule)
                                              update, delete, qualify, win,
                                              lose, reopen, assign, merge,
                                              link, bulk

        lead                allow             read                            read-everything
                            allow             create                          write-leads
                            confirm           update                          a-human-looks-at-each-change-o
                                                                              f-a-lead
                            deny              search, aggregate, qualify,     (no rule)
                                              win, lose, reopen, assign,
                                              merge, link, bulk
                            deny              delete                          limit:deletes_per_day

        What no rule allows is denied. Deny beats confirm, confirm beats allow.
        Where it says confirm, a human has to agree first.

        Limits
          writes per minute  at most 10 changes of any kind in any 60 seconds
          deletes per day    at most 0 deletes in any 24 hours

        Limits of each caller
          none beside those above

        Hidden columns
          contact            birthdate, fullname (tells lastname), lastname""")


NARROWED = """
[[rules]]
id = "own-deals"
effect = "allow"
actions = ["read", "update"]
tables = ["opportunity"]
columns = ["name", "estimatedvalue", "parentaccountid"]
rows = "ownerid eq @me and statecode eq 0"
roles = ["Salesperson"]
users = ["ann@fabrikam.example", "bob@fabrikam.example"]
when = { days = ["mon", "tue"], from = "08:00", to = "18:30", timezone = "Europe/Berlin" }
environments = ["production"]

[[rules]]
id = "contacts-without-details"
effect = "allow"
actions = ["read"]
tables = ["contact"]
masked = { emailaddress1 = "domain", telephone1 = "last four" }

[[rules]]
id = "no-big-deals-at-night"
effect = "deny"
actions = ["create"]
tables = ["opportunity"]
values = "estimatedvalue gt 100000"
when = { from = "22:00", to = "06:00" }

[limits]
records_per_day = 1000
"""


def test_show_says_in_words_what_narrows_a_rule(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    file = tmp_path / "narrowed.toml"
    file.write_text(NARROWED)
    shown = show(load_policy(str(file), tables), tables)
    assert max(map(len, shown.splitlines())) <= 100
    assert "allow, narrowed" in shown
    assert (
        dedent("""
        What narrows the rules
          own-deals (allow read, update)
            columns of opportunity only _parentaccountid_value, estimatedvalue, name, opportunityid
            rows of opportunity    ownerid eq @me and statecode eq 0
            callers                who has role Salesperson or user ann@fabrikam.example or
                                   bob@fabrikam.example
            hours                  mon, tue from 08:00 to 18:30, Europe/Berlin
            environments           production
          contacts-without-details (allow read)
            masks in contact       emailaddress1 (domain), telephone1 (last four)
          no-big-deals-at-night (deny create)
            values of opportunity  estimatedvalue gt 100000
            hours                  every day from 22:00 to 06:00 (overnight), UTC
        """)
        in shown
    )
    assert "  records per day    at most 1,000 different records changed in any 24 hours\n" in shown


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
    assert "new_warehouseinvent allow " in shown


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


def test_explain_shows_which_rows_and_how_columns_are_masked(
    tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    file = tmp_path / "narrowed.toml"
    file.write_text(
        NARROWED.replace("masked = {", 'rows = "statecode eq 0 and ownerid eq @my_team"\nmasked = {')
    )
    read = Access(Action.READ, "contact", reads=frozenset({"fullname", "emailaddress1"}))
    text = explain(load_policy(str(file), tables), "x", decided(load_policy(str(file), tables), read))
    assert "  only     ((statecode eq 0 and ownerid eq @my_team))\n" in text
    assert "  masked   emailaddress1 (domain)\n" in text


def test_explain_wraps_many_columns(policy: Policy, tables: Mapping[str, Table]) -> None:
    everything = Access(Action.READ, "account", reads=frozenset(tables["account"].columns))
    text = explain(policy, "list_accounts", decided(policy, everything))
    assert max(map(len, text.splitlines())) <= 100
    assert all(column in text for column in tables["account"].columns)
