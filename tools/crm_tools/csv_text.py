"""CSV files as people's spreadsheets write and read them: RFC 4180, in UTF-8 or as Excel's Unicode text.

A cell that a spreadsheet would run as a formula is refused when it is read, and written with an apostrophe
before it, which spreadsheets take for "this is text"; reading takes the apostrophe away again.
https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from crm_tools.errors import InputError

_SEPARATORS = (",", ";", "\t")
_LONGEST_CELL = 1_000_000
_DANGEROUS = re.compile(r"[=+\-@\t\r]")
# What begins with + or - and holds only these is a telephone number or an amount.
_HARMLESS = re.compile(r"[+-][\d\s().,/-]*\d[\d\s().,/-]*")
_APOSTROPHE = "'"


@dataclass(frozen=True, slots=True)
class CsvRow:
    """The cells of a row; ``number`` is its place in the file as a spreadsheet counts, the header being 1."""

    number: int
    cells: tuple[str, ...]


def read_csv(content: bytes) -> tuple[tuple[str, ...], list[CsvRow]]:
    """The header, and the rows that are not empty.

    Raises:
        InputError: It is no CSV file in an encoding that is told apart from others without a guess.
    """
    text = _text(content)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        lines = [tuple(cell.strip() for cell in line) for line in reader]
    except csv.Error:
        raise InputError(
            f"Line {reader.line_num} of the file cannot be read: a quote is not closed, or text follows it. "
            "Quotes inside a quoted cell are doubled."
        ) from None
    rows = [CsvRow(number, line) for number, line in enumerate(lines, start=1) if any(line)]
    if not rows or rows[0].number != 1:
        raise InputError("The first line of the file has to name its columns; it is empty.")
    header = rows[0].cells
    _require_names(header)
    return header, rows[1:]


def _text(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"The file is not in UTF-8 (line {line}). Save it again as UTF-8; Excel calls that "
            '"CSV UTF-8 (Comma delimited)".'
        ) from None
    if "\0" in text:
        raise InputError("The file is no text. Save the table as CSV UTF-8.")
    return text


def _separator(text: str) -> str:
    """What stands between the names of the columns most often, outside of quotes."""
    first = re.sub(r'"[^"]*"', "", text.partition("\n")[0])
    return max(_SEPARATORS, key=first.count)


def _require_names(header: Sequence[str]) -> None:
    seen: set[str] = set()
    for place, name in enumerate(header, start=1):
        if not name:
            raise InputError(f"Column {place} of the file has no name in the first line.")
        if name.casefold() in seen:
            raise InputError(f"Two columns of the file are called {name[:80]!r}; rename one of them.")
        seen.add(name.casefold())


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would take the cell for a formula."""
    return _DANGEROUS.match(cell) is not None and _HARMLESS.fullmatch(cell) is None


def as_text(cell: str) -> str:
    """The cell without the apostrophe that marks it as text."""
    marked = cell.startswith(_APOSTROPHE) and is_formula(cell.lstrip(_APOSTROPHE))
    return cell[1:] if marked else cell


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a CSV file, each with its end; no cell is one that a spreadsheet would run."""
    for row in chain((header,), rows):
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerow([_harmless(cell) for cell in row])
        yield buffer.getvalue()


def _harmless(cell: str) -> str:
    """The cell with one apostrophe more, where it is a formula behind those that it has."""
    return _APOSTROPHE + cell if is_formula(cell.lstrip(_APOSTROPHE)) else cell
