"""CSV as spreadsheets write it: read as it was meant, refused with a line, and never run as a formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_tools.csv_text import as_text, is_formula, read_csv, write_csv
from crm_tools.errors import InputError

CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=20).map(
    str.strip
)
CELLS = st.lists(st.tuples(CELL, CELL, CELL).filter(any), max_size=8)


@given(CELLS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_was_written_is_read_again_in_each_encoding(rows: list[tuple[str, ...]], code: str) -> None:
    text = "".join(write_csv(("first", "second", "third"), rows))

    header, found = read_csv(text.encode(code))

    assert header == ("first", "second", "third")
    assert [tuple(as_text(cell) for cell in row.cells) for row in found] == rows


@given(CELL)
def test_no_cell_that_is_written_is_one_that_a_spreadsheet_would_run(cell: str) -> None:
    (_, line) = write_csv(("only",), [(cell,)])

    assert not is_formula(line.strip().removeprefix('"'))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_told_by_the_first_line(separator: str) -> None:
    header, (row,) = read_csv(
        separator.join(["name", '"a, b; c"', "city"]).encode() + b"\n" + b"1" + separator.encode() * 2
    )

    assert header == ("name", "a, b; c", "city")
    assert row.cells == ("1", "", "")


def test_empty_lines_are_passed_over_and_rows_keep_the_number_a_spreadsheet_shows() -> None:
    _, rows = read_csv(b"name\r\n\r\nMia\r\n,\r\nOla\r\n")

    assert [(row.number, row.cells[0]) for row in rows] == [(3, "Mia"), (5, "Ola")]


@pytest.mark.parametrize("cell", ["=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+SUM(1)", "-2+cmd()", "=\u00a0"])
def test_a_formula_is_known_as_one(cell: str) -> None:
    assert is_formula(cell)


@pytest.mark.parametrize(
    "cell", ["+47 22 33 44 55", "-12.50", "+1 (425) 555-0100", "mia@fjord.example", "a=b", ""]
)
def test_telephone_numbers_amounts_and_addresses_are_no_formulas(cell: str) -> None:
    assert not is_formula(cell)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "first line"),
        (b"\n\nname\n", "first line"),
        ("name\nM\u00fcller".encode("cp1252"), "line 2"),
        (b"PK\x03\x04\0\0name", "no text"),
        (b'name\n"open', "Line 2"),
        (b'name\n"a"b', "Line 2"),
        (b"name,,city\n1,2,3", "Column 2"),
        (b"name,Name\n1,2", "'Name'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_where_and_why(content: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_csv(content)
