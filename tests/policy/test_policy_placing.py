"""Where a key or a value stands in a policy's text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crm_server.policy.placing import line_of

TEXT = """\
name = "a"  # a comment
"quoted key" = 1
a.b = 2

[[rules]]
id = "x"
actions = [
    "read",  # look
    # and
    "update",
]
when = { days = ["mon"], "from" = "08:00" }
rows = \"\"\"
statecode eq 0\"\"\"

[[rules]]
id = "y"
[rules.when]
from = "08:00"

[limits]
x = 1
[limits.each_caller]
y = 2
"""

# fmt: off
PLACES = [
    (("name",), 1),
    (("quoted key",), 2),
    (("a",), 3),
    (("a", "b"), 3),
    (("rules",), 5),
    (("rules", 0), 5),
    (("rules", 0, "id"), 6),
    (("rules", 0, "actions"), 7),
    (("rules", 0, "actions", 0), 8),
    (("rules", 0, "actions", 1), 10),
    (("rules", 0, "when", "from"), 12),
    (("rules", 0, "when", "days", 0), 12),
    (("rules", 0, "rows"), 13),
    (("rules", 1), 16),
    (("rules", 1, "when"), 18),
    (("rules", 1, "when", "from"), 19),
    (("limits",), 21),
    (("limits", "each_caller"), 23),
    (("limits", "each_caller", "y"), 24),
    (("rules", 1, "effect"), 16),          # what is missing is looked for in its section
    (("nowhere",), None),
    ((), None),
]
# fmt: on


@pytest.mark.parametrize(("path", "line"), PLACES)
def test_a_path_has_a_line(path: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(TEXT, path) == line


def test_sections_in_one_line_have_their_places() -> None:
    assert (
        line_of('rules = [\n{ id = "x" },\n{ id = "y", tables = ["lead"] },\n]', ("rules", 1, "tables", 0))
        == 3
    )


def test_letters_outside_ascii_do_not_shift_lines() -> None:
    assert line_of('name = "Zoë née ß"\n"schlüssel" = 1', ("schlüssel",)) == 2


def test_a_good_policy_is_read_without_the_parser_that_places_errors() -> None:
    script = (
        "import sys\nfrom crm_server.policy.load import load_policy\nfrom crm_tools.description import load\n"
        "load_policy('sales-assistant', load().tables)\nprint('tree_sitter' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == "False"
