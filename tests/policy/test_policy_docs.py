"""The examples of docs/policy.md do what the page says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crm_server.cli import run
from crm_server.policy.decide import decide
from crm_server.policy.explain import explain
from crm_server.policy.keys import PRESETS
from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy.model import Limits, Mask, Outcome, Policy, Principal, Spent
from crm_server.policy.show import show
from crm_tools.operations import Access, Action
from crm_tools.tables import Table

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
POLICIES = {match[1]: text for text in BLOCKS if (match := re.match(r'name = "([\w-]+)"', text)) is not None}
(CASES,) = (text for text in BLOCKS if "[[cases]]" in text)
MONDAY_NOON = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)
ALLOWED, DENIED, CONFIRM = Outcome.ALLOWED, Outcome.DENIED, Outcome.CONFIRM
READ, CREATE, UPDATE = Action.READ, Action.CREATE, Action.UPDATE
SALES = Principal("bob@fabrikam.example", frozenset({"Salesperson"}))


def example(name: str, folder: Path, tables: Mapping[str, Table]) -> Policy:
    file = folder / "example.toml"
    file.write_text(POLICIES[name], encoding="utf-8")
    return load_policy(str(file), tables)


def read(table: str, *columns: str, used: str = "") -> Access:
    return Access(READ, table, frozenset(columns), used=frozenset(used.split()))


def write(action: Action, table: str, **values: object) -> Access:
    return Access(action, table, writes=frozenset(values), values=values)


def test_every_block_on_the_page_is_tried_here() -> None:
    assert len(BLOCKS) == len(POLICIES) + 1
    assert {case[0] for case in PROMISES} | {"no-deletes", "limited", "careful"} == set(POLICIES)


@pytest.mark.parametrize("name", POLICIES)
def test_an_example_on_the_page_is_a_policy_of_that_name(
    name: str, tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    policy = example(name, tmp_path, tables)
    assert policy.name == name
    assert policy.rules


# fmt: off
PROMISES = [
    # example, what is asked, by whom, where                                              outcome
    ("leads-only", write(CREATE, "lead", subject="x"), Principal(), None,                 ALLOWED),
    ("leads-only", write(CREATE, "contact", lastname="x"), Principal(), None,             DENIED),
    ("careful-with-people", read("contact", "lastname", "telephone1"), Principal(), None, ALLOWED),
    ("careful-with-people", read("contact", "telephone1", used="telephone1"), Principal(), None, DENIED),
    ("careful-with-people", read("contact", "address1_city"), Principal(), None,          DENIED),
    ("careful-with-people", read("contact", "birthdate"), Principal(), None,              DENIED),
    ("own-deals", read("opportunity", "name"), Principal(), None,                         ALLOWED),
    ("own-deals", write(UPDATE, "opportunity", name="x"), Principal(), None,              ALLOWED),
    ("own-deals", write(CREATE, "opportunity", name="x"), Principal(), None,              DENIED),
    ("small-deals", write(UPDATE, "opportunity", estimatedvalue=99_999), Principal(), None, ALLOWED),
    ("small-deals", write(UPDATE, "opportunity", estimatedvalue=100_000), Principal(), None, CONFIRM),
    ("small-deals", write(UPDATE, "opportunity", name="x"), Principal(), None,            ALLOWED),
    ("small-deals", write(UPDATE, "opportunity", statecode=1), Principal(), None,         DENIED),
    ("by-day", write(CREATE, "lead", subject="x"), SALES, "sandbox",                      ALLOWED),
    ("by-day", write(CREATE, "lead", subject="x"), SALES, "production",                   CONFIRM),
    ("by-day", write(CREATE, "lead", subject="x"), SALES, None,                           CONFIRM),
    ("by-day", write(CREATE, "lead", subject="x"), Principal("ann@fabrikam.example"), "sandbox", ALLOWED),
    ("by-day", write(CREATE, "lead", subject="x"), Principal("eve"), "sandbox",           DENIED),
    ("custom-tables", read("new_project"), Principal(), None,                             ALLOWED),
    ("custom-tables", read("contact"), Principal(), None,                                 DENIED),
    ("north", write(CREATE, "lead", subject="x"), Principal(), None,                      ALLOWED),
    ("north", write(CREATE, "opportunity", name="x"), Principal(), None,                  DENIED),
    ("north", read("contact", "birthdate"), Principal(), None,                            DENIED),
    ("north", Access(Action.BULK, "lead"), Principal(), None,                             DENIED),
]
# fmt: on


@pytest.mark.parametrize(("name", "asked", "principal", "environment", "outcome"), PROMISES)
def test_an_example_on_the_page_decides_as_the_page_says(
    tmp_path: Path,
    tables: Mapping[str, Table],
    name: str,
    asked: Access,
    principal: Principal,
    environment: str | None,
    outcome: Outcome,
) -> None:
    policy = example(name, tmp_path, tables)
    assert decide(policy, principal, asked, MONDAY_NOON, Spent(), environment).outcome is outcome


def test_the_masks_and_rows_of_the_examples_are_in_force(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    careful = example("careful-with-people", tmp_path, tables)
    shown = decide(careful, Principal(), read("contact", "telephone1", "jobtitle"), MONDAY_NOON, Spent())
    assert shown.masks == {"telephone1": Mask.LAST_FOUR, "jobtitle": Mask.HIDDEN}
    deals = example("own-deals", tmp_path, tables)
    scope = decide(deals, Principal(), read("opportunity", "name"), MONDAY_NOON, Spent()).scope
    assert scope is not None
    assert len(scope.groups) == len(scope.never) == 1


def test_the_limits_of_the_examples_are_those_of_the_page(
    tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    limited = example("limited", tmp_path, tables)
    assert limited.limits == Limits(60, 2000, 20, 500, 5000, 500, 5000)
    assert limited.each_caller == Limits(writes_per_minute=10, deletes_per_day=5)
    north = example("north", tmp_path, tables)
    assert north.limits == Limits(writes_per_minute=15, rows_per_read=500)


def test_the_careful_example_asks_after_reading_and_names_what_is_audited(
    tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    careful = example("careful", tmp_path, tables)
    assert careful.ask_after_reading
    assert careful.audited == {"opportunity": {"estimatedvalue", "estimatedclosedate"}}
    assert "each write needs a human" in show(careful, tables)


def test_the_page_shows_what_show_prints(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    assert show(example("no-deletes", tmp_path, tables), tables) + "\n```" in PAGE


def test_the_page_shows_what_explain_prints(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    policy = example("no-deletes", tmp_path, tables)
    asked = Access(READ, "contact", frozenset({"birthdate", "contactid", "fullname"}), rows=20)
    decided = [(asked, decide(policy, Principal(), asked, MONDAY_NOON, Spent()))]
    assert explain(policy, "list_contacts", decided) + "\n```" in PAGE


def test_the_page_shows_the_cases_of_read_only_and_what_test_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = DOCS / "policy-cases" / "read-only.toml"
    assert file.read_text(encoding="utf-8").endswith(CASES)
    assert run(["policy", "test", str(file)]) == 0
    assert capsys.readouterr().out + "```" in PAGE


@pytest.mark.parametrize("preset", PRESETS)
def test_the_page_gives_the_limits_of_each_preset(preset: str, tables: Mapping[str, Table]) -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{preset}`"))
    *_, writes, deletes, rows = (
        None if cell == "-" else int(cell.replace(",", "")) for cell in cells(row)[-3:]
    )
    assert load_policy(preset, tables).limits == Limits(
        writes_per_minute=writes, deletes_per_day=deletes, rows_per_read=rows
    )


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_message_on_the_page_is_what_a_slip_gets(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    rules = [
        f'[[rules]]\nid = "{name}"\neffect = "allow"\nactions = [\n    "{action}",\n]\ntables = ["lead"]\n'
        for name, action in (("look", "read"), ("work", "updat"))
    ]
    file = tmp_path / "team.toml"
    file.write_text("\n" + "".join(rules))
    with pytest.raises(PolicyFileError) as refused:
        load_policy(str(file), tables)
    (shown,) = (line for line in PAGE.splitlines() if line.startswith("Policy team.toml, line "))
    assert str(refused.value).replace(f"{tmp_path}/", "") == re.sub(
        r"line \d+", f"line {refused.value.line}", shown
    )


@pytest.mark.parametrize("link", re.findall(r"\(#([\w-]+)\)", PAGE))
def test_the_links_within_the_page_lead_somewhere(link: str) -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    assert link in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
