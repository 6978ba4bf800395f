"""Cases that an administrator keeps beside a policy, run from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crm_server.cli import run
from crm_server.policy.keys import PRESETS

DOCS = Path(__file__).parents[2] / "docs" / "policy-cases"
GUID = "01234567-89ab-cdef-0123-456789abcdef"

POLICY = """
[[rules]]
id = "own-deals"
effect = "allow"
actions = ["read"]
tables = ["opportunity"]
rows = "ownerid eq @me"

[[rules]]
id = "contacts"
effect = "allow"
actions = ["read"]
tables = ["contact"]
masked = { telephone1 = "last four" }
roles = ["Salesperson"]

[[rules]]
id = "small-deals"
effect = "allow"
actions = ["update"]
tables = ["opportunity"]
values = "estimatedvalue lt 1000"

[[rules]]
id = "no-leads-on-production"
effect = "deny"
actions = ["read"]
tables = ["lead"]
environments = ["production"]

[[rules]]
id = "leads-by-day"
effect = "allow"
actions = ["read"]
tables = ["lead"]
when = { days = ["mon"], from = "08:00", to = "18:00" }

[hidden]
opportunity = ["description"]
"""
PASSING = """
[[cases]]
name = "Own deals only"
tool = "list_opportunities"
expect = "allowed"
rules = ["own-deals"]
narrowed = true

[[cases]]
name = "Telephones are masked for salespeople"
action = "read"
table = "contact"
columns = ["fullname", "telephone1"]
roles = ["Salesperson"]
expect = "allowed"
masked = { telephone1 = "last four" }
narrowed = false

[[cases]]
name = "Others see no contacts"
action = "read"
table = "contact"
user = "bob@fabrikam.example"
expect = "denied"
rules = []

[[cases]]
name = "Big deals are not changed"
action = "update"
table = "opportunity"
values = { estimatedvalue = 5000 }
expect = "denied"

[[cases]]
name = "Leads by day"
action = "read"
table = "lead"
environment = "sandbox"
at = 2026-05-04T10:00:00+02:00
expect = "allowed"

[[cases]]
name = "No leads by night"
action = "read"
table = "lead"
environment = "sandbox"
at = 2026-05-04T22:00:00
expect = "denied"

[[cases]]
name = "No leads on production"
tool = "list_leads"
environment = "production"
at = 2026-05-04T10:00:00Z
expect = "denied"
rules = ["no-leads-on-production"]

[[cases]]
name = "The description is hidden"
tool = "list_opportunities"
arguments = { select = ["description"] }
expect = "denied"
rules = ["hidden:opportunity.description"]
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    (tmp_path / "team.toml").write_text(POLICY)
    return tmp_path / "team.cases.toml"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_cases_in_the_documentation_hold(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "test", str(DOCS / f"{preset}.toml")]) == 0
    shown = capsys.readouterr().out
    assert f"on policy {preset}: " in shown
    assert "FAIL" not in shown


def test_cases_that_hold_end_with_code_0_and_a_line_each(
    cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases.write_text('policy = "team.toml"\n' + PASSING)
    assert run(["policy", "test", str(cases)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ok    Own deals only", "ok    Telephones are masked for salespeople"]
    assert lines[-1] == "8 cases on policy team: 8 as expected, 0 not."


# fmt: off
FAILING = [
    # changed in the cases                                    said of it
    (('expect = "allowed"\nrules = ["own-deals"]', 'expect = "denied"'),
     "expected denied, got allowed: Policy team allows read on opportunity by rule own-deals"),
    (('rules = ["own-deals"]', 'rules = ["contacts"]'),
     "expected to be decided by contacts, got own-deals"),
    (("narrowed = true", "narrowed = false"),                 "expected any row, got "),
    (("narrowed = false", "narrowed = true"),                 "expected some rows only, got any row"),
    (('masked = { telephone1 = "last four" }', "masked = {}"),
     "expected masks none, got telephone1 (last four)"),
    (("rules = []", 'rules = ["contacts"]'),
     "expected to be decided by contacts, got no rule"),
]
# fmt: on


@pytest.mark.parametrize(("change", "said"), FAILING)
def test_a_case_that_does_not_hold_ends_with_code_1_and_says_why(
    cases: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], said: str
) -> None:
    assert change[0] in PASSING
    cases.write_text('policy = "team.toml"\n' + PASSING.replace(*change))
    assert run(["policy", "test", str(cases)]) == 1
    shown = capsys.readouterr().out
    assert said in shown
    assert shown.count("FAIL") == 1
    assert "7 as expected, 1 not." in shown


def test_the_policy_of_the_command_line_wins(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases.write_text(
        'policy = "nowhere.toml"\n[[cases]]\nname = "a"\naction = "read"\ntable = "lead"\nexpect = "allowed"'
    )
    assert run(["policy", "test", str(cases), "--policy", "read-only"]) == 0
    assert "1 case on policy read-only: 1 as expected, 0 not." in capsys.readouterr().out


CASE = '[[cases]]\nname = "c"\nexpect = "denied"\n'

# fmt: off
REFUSED = [
    # text of the file, the line that is named, what the message says
    ("",                                                None, "cases is missing; needed are cases."),
    ("[[case]]",                                        1, "Unknown key 'case'. Did you mean cases?"),
    (CASE, 1,
     "Case 1 (c): it names either a tool, or an action"),
    (CASE + 'tool = "x"\naction = "read"', 1,
     "Case 1 (c): it names either a tool, or an action"),
    (CASE + 'tool = "list_lead"',                       1, "Case 1 (c): Unknown tool 'list_lead'."),
    (CASE + 'tool = "list_leads"\narguments = { tp = 5 }', 1, "Did you mean top"),
    (CASE + 'tool = "list_leads"\ntable = "lead"',      5, "table belongs to an action"),
    (CASE + 'action = "read"',                          1, "table is missing"),
    (CASE + 'action = "raed"\ntable = "lead"',          4, "Unknown action 'raed'. Did you mean read?"),
    (CASE + 'action = "read"\ntable = "laed"',          5, "Unknown table 'laed'. Did you mean lead?"),
    (CASE + 'action = "read"\ntable = "lead"\ncolumns = ["x"]', 6, "Unknown column of lead 'x'."),
    (CASE + 'action = "read"\ntable = "lead"\nvalues = { subject = "x" }', 6, "values are written, and read"),
    (CASE + 'action = "read"\ntable = "lead"\narguments = { }', 6, "arguments belong to a tool"),
    (CASE + 'action = "read"\ntable = "lead"\nrules = ["x"]', 6, "Unknown rule of policy read-only 'x'."),
    (CASE + 'action = "read"\ntable = "lead"\nat = "noon"', 6, "at must be a date and time"),
    (CASE + 'action = "read"\ntable = "lead"\nenvironment = "prod"', 6,
     "Unknown kind of environment 'prod'."),
    (CASE + 'action = "read"\ntable = "lead"\nmasked = { x = "hash" }', 6, "Unknown column of lead 'x'."),
    (CASE.replace("denied", "deny"),                    3, "Unknown outcome 'deny'. Did you mean denied?"),
    (CASE + 'action = "read"\ntable = "lead"\nnarowed = true', 6, "Unknown key 'narowed'."),
]
# fmt: on


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_a_slip_in_a_file_of_cases_ends_with_code_2_and_its_line(
    cases: Path, capsys: pytest.CaptureFixture[str], text: str, line: int | None, message: str
) -> None:
    cases.write_text(text)
    assert run(["policy", "test", str(cases), "--policy", "read-only"]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert f"Cases {cases}{'' if line is None else f', line {line}'}: " in printed.err
    assert printed.out == ""


def test_a_file_that_names_no_policy_needs_one(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases.write_text(PASSING)
    assert run(["policy", "test", str(cases)]) == 2
    assert "It names no policy." in capsys.readouterr().err


# fmt: off
ASKED = [
    # words after the tool                                                    outcome
    (["list_contacts", "--role", "Other", "--role", "Salesperson"],           "allowed"),
    (["list_contacts", "--role", "Other"],                                    "denied"),
    (["list_leads", "--at", "2026-05-04T10:00", "--environment", "sandbox"],  "allowed"),
    (["list_leads", "--at", "2026-05-05T10:00", "--environment", "sandbox"],  "denied"),
    (["list_leads", "--at", "2026-05-04T10:00+02:00", "--environment", "production"], "denied"),
    (["list_leads", "--at", "2026-05-04T10:00"],                              "denied"),
]
# fmt: on


@pytest.mark.parametrize(("words", "outcome"), ASKED)
def test_explain_asks_as_a_caller_somewhere_at_some_time(
    cases: Path, capsys: pytest.CaptureFixture[str], words: list[str], outcome: str
) -> None:
    assert run(["policy", "explain", *words, "--policy", str(cases.with_name("team.toml"))]) == 0
    assert f"under policy team: {outcome}\n" in capsys.readouterr().out


def test_explain_refuses_an_unknown_kind_of_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "explain", "list_leads", "--environment", "prodction"]) == 2
    assert "Did you mean production?" in capsys.readouterr().err


def test_schema_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"].keys() >= {"rules", "extends", "limits"}
