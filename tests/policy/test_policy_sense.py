"""Policies that are well written and cannot be meant: each is refused, and the message names the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy.model import Policy
from crm_tools.tables import Table

Read = Callable[[str], Policy]


def rule(rule_id: str, effect: str, actions: str, tables: str, *more: str) -> str:
    lists = [f'actions = ["{actions.replace(" ", chr(34) + ", " + chr(34))}"]']
    lists += [f'tables = ["{tables.replace(" ", chr(34) + ", " + chr(34))}"]']
    return "\n".join(["[[rules]]", f'id = "{rule_id}"', f'effect = "{effect}"', *lists, *more, ""])


def allow(*more: str, actions: str = "read", tables: str = "contact") -> str:
    return rule("r", "allow", actions, tables, *more)


MASKED = 'masked = { telephone1 = "last four" }'
ROWS = 'rows = "statecode eq 0"'

# fmt: off
REFUSED = [
    # text of the file, the line that is named, what the message says
    # Conditions that nothing satisfies.
    (allow('rows = "statecode eq 0 and statecode eq 1"'),      6, "rows: no row of contact can satisfy this"),
    (allow('rows = "statecode ne 0 and statecode ne 1"'),      6, "rows: no row of contact can satisfy this"),
    (allow('rows = "fullname eq \'a\' and fullname eq \'b\'"'), 6, "no row of contact can satisfy this"),
    (allow('rows = "fullname eq null and fullname ne null"'),  6, "no row of contact can satisfy this"),
    (allow('rows = "createdon gt 2026-02-01 and createdon lt 2026-01-01"'), 6,
     "no row of"),
    (allow('rows = "not (statecode eq 0 or statecode eq 1)"'), 6, "no row of contact can satisfy this"),
    (allow('rows = "(fullname eq \'a\' or fullname eq \'b\') and fullname eq \'c\'"'), 6,
     "no row of contact"),
    (allow('values = "revenue lt 5 and revenue ge 5"', actions="create", tables="account"), 6,
     "values: no row of account can satisfy this, so the rule would never hold."),
    # Values that nothing is held against.
    (allow('values = "createdon gt 2026-01-01T00:00:00Z"', actions="create update"), 6,
     "values: createdon of contact is never written by create or update"),
    (allow('values = "actualvalue lt 100"', actions="update", tables="opportunity"), 6,
     "values: actualvalue of opportunity is never written by update"),
    (allow('values = "firstname eq \'x\'"', actions="read"),   6, "values is about what is written"),
    (allow('values = "ownerid eq @me"', actions="create"),     6, "not with the caller"),
    # Columns that an action does not have.
    (allow('columns = ["fullname"]', actions="delete"),        6, "columns says nothing of delete"),
    (allow('columns = ["fullname"]', actions="read merge"),    6, "columns says nothing of merge"),
    (allow('columns = ["fullname"]', actions="bulk"),          6, "columns says nothing of bulk"),
    (allow('columns = ["fulname"]'),                           6, "Unknown column of contact 'fulname'."),
    (allow('columns = ["fullname"]', tables="*"),              6, "columns needs tables that are known"),
    (allow('columns = ["name"]', tables="account contact"),    6, "Unknown column of contact 'name'."),
    (rule("r", "deny", "read", "contact", 'columns = ["contactid"]'), 6, "contactid is the key of contact"),
    (allow('masked = { telephon1 = "hidden" }'),               6, "Unknown column of contact 'telephon1'."),
    (allow('masked = { telephone1 = "hiden" }'), 6,
     "Unknown mask 'hiden'. Did you mean hidden?"),
    (allow('masked = { contactid = "hidden" }'),               6, "contactid is the key of contact"),
    (allow(MASKED, actions="read update"),                     6, "masked belongs to a rule that allows or"),
    (rule("r", "deny", "read", "contact", MASKED),             6, "masked belongs to a rule that allows or"),
    # Nobody, never and nowhere.
    (allow("roles = []"), 6,
     "roles must be a list of at least one text"),
    (allow('users = [" "]'), 6,
     "users must be a list of at least one text"),
    (allow('environments = ["prod"]'),                         6, "Unknown kind of environment 'prod'."),
    (allow('when = { from = "08:00", to = "08:00" }'),         6, "from and to are the same"),
    (allow('when = { from = "00:00", to = "00:00" }'),         6, "from and to are the same"),
    (allow("when = { days = [] }"), 6,
     "when: days must be a list of at least one day"),
    (allow('when = { days = ["monday"] }'),                    6, "Unknown day 'monday'. Did you mean mon?"),
    (allow('when = { from = "8" }'), 6,
     'when: from must be a time in quotes from "00:00"'),
    (allow('when = { to = "25:00" }'),                         6, "when: to must be a time"),
    (allow('when = { timezone = "Europe/Berln" }'), 6,
     "'Europe/Berln'. Did you mean Europe/Berlin"),
    (allow('when = { timezone = "../etc/passwd" }'),           6, "when: Unknown time zone"),
    (allow('when = { form = "08:00" }'), 6,
     "when: Unknown key 'form'. Did you mean from?"),
    (allow("[rules.when]", 'from = "8"'),                      7, "when: from must be a time"),
    # Copies.
    (allow() + rule("copy", "allow", "read", "contact"), 6,
     "Rule 2 (copy) says the same as rule 1 (r)."),
    (allow(ROWS) + rule("copy", "allow", "read", "contact", 'rows = "statecode  eq 0"'), 7,
     "says the same as"),
    # Behind a denial.
    (allow(actions="read search") + rule("no", "deny", "search read", "contact lead"), 6,
     "Rule 1 (r) can never have an effect: rule 2 (no) denies all that it is about. Leave it out."),
    (rule("no", "deny", "read", "*") + rule("s", "deny", "search", "*") + allow(actions="read search"), 11,
     "Rule 3 (r) can never have an effect: rule 1 (no) and rule 2 (s) deny all that it is about."),
    (rule("ask", "confirm", "delete", "lead", 'roles = ["a"]') + rule("no", "deny", "delete", "*"), 7,
     "Rule 1 (ask) can never have an effect"),
    # Masks in one rule, rows in another.
    (allow(MASKED) + rule("own", "allow", "read", "contact", ROWS), 7,
     "Rule 1 (r) masks telephone1 of contact, and rule 2 (own) shows more of it in some rows"),
    (allow(MASKED) + rule("own", "confirm", "read search", "contact", ROWS), 7,
     "shows more of it in some rows"),
    (rule("own", "allow", "read", "contact", ROWS) + allow(MASKED, ROWS), 7, "shows more of it in some rows"),
    (allow('masked = { telephone1 = "hidden" }') + rule("own", "allow", "read", "contact", ROWS, MASKED), 7,
     "shows more of it in some rows"),
]
# fmt: on


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_what_cannot_be_meant_is_refused_with_its_line(
    read: Read, tmp_path: Path, text: str, line: int, message: str
) -> None:
    with pytest.raises(PolicyFileError) as refused:
        read(text)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"Policy {tmp_path / 'mine.toml'}, line {line}: ")


# fmt: off
TAKEN = [
    allow('rows = "statecode eq 0 or statecode eq 1"'),
    allow('rows = "fullname ne \'a\' and fullname ne \'b\'"'),
    allow('rows = "createdon ge 2026-01-01 and createdon le 2026-01-01"'),
    allow('rows = "not (createdon gt 2026-01-01) and not (createdon le 2026-01-01)"'),
    allow('rows = "startswith(fullname,\'a\') and startswith(fullname,\'b\')"'),
    allow('rows = "fullname eq \'a%\' and fullname eq \'ab\'"'),
    allow('rows = "ownerid eq @me and ownerid eq @my_team"'),
    allow('when = { from = "18:00", to = "24:00" }'),
    allow('when = { from = "22:00", to = "06:00" }'),
    # A denial that leaves something, or does not always hold.
    allow(actions="read search") + rule("no", "deny", "read", "contact"),
    allow(tables="contact lead") + rule("no", "deny", "read", "contact"),
    allow(tables="*") + rule("no", "deny", "read", "contact account lead opportunity"),
    allow() + rule("no", "deny", "read", "contact", 'environments = ["production"]'),
    allow() + rule("no", "deny", "read", "contact", 'columns = ["birthdate"]'),
    # Masks and rows that do not meet, or where the rule that shows more shows it in every row.
    allow(MASKED) + rule("own", "allow", "read", "contact", ROWS, 'columns = ["fullname"]'),
    allow(MASKED) + rule("own", "allow", "read", "lead", ROWS),
    allow(MASKED) + rule("own", "allow", "update", "contact", ROWS),
    allow(MASKED) + rule("own", "deny", "read", "contact", ROWS),
    allow(MASKED, ROWS) + rule("all", "allow", "read", "contact", 'roles = ["a"]'),
    allow(MASKED) + rule("own", "allow", "read", "contact", ROWS, MASKED),
]
# fmt: on


@pytest.mark.parametrize("text", TAKEN)
def test_what_can_be_meant_is_taken(read: Read, text: str) -> None:
    assert read(text).rules


def test_a_rule_of_the_base_that_can_have_no_effect_is_refused_with_both_files(
    read: Read, tmp_path: Path
) -> None:
    text = 'extends = "sales-assistant"\n' + rule("frozen", "deny", "delete merge", "*")
    with pytest.raises(PolicyFileError) as refused:
        read(text)
    assert str(refused.value) == (
        f"Policy {tmp_path / 'mine.toml'}, line 2: Rule 4 (ask-before-delete) of sales-assistant "
        "can never have an effect: rule 1 (frozen) denies all that it is about. "
        'Leave it out: remove = ["ask-before-delete"].'
    )
    removing = 'remove = ["ask-before-delete"]\n' + text
    assert {rule.id for rule in read(removing).rules} >= {"frozen", "ask-before-bulk"}


def test_masks_and_rows_of_two_files_are_refused_with_both_files(
    read: Read, tmp_path: Path, tables: Mapping[str, Table]
) -> None:
    base = tmp_path / "base.toml"
    base.write_text(rule("masking", "allow", "read", "contact", MASKED))
    with pytest.raises(PolicyFileError) as refused:
        read('extends = "base.toml"\n' + rule("own", "allow", "read", "contact", ROWS))
    assert f"Rule 1 (masking) of {base} masks telephone1 of contact, and rule 1 (own) shows more" in str(
        refused.value
    )
    assert load_policy(str(base), tables).rules
