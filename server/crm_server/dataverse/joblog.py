"""What a bulk job has come to so far, in a file: a job that was interrupted goes on where it stopped.

The first line says which job it is; each line after it says what became of some rows, and is on the disk
before the next rows are counted as done. A last line that was cut off by a crash counts for nothing: its
rows are looked at in the CRM before they are sent again.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crm_tools.errors import InputError

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class JobHeader:
    """Which job a log is of. ``source`` tells one list of rows from another, such as a digest of a file."""

    job: str
    table: str
    action: str
    source: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that the CRM does not take, by its number in the source, with our code and Dataverse's."""

    number: int
    code: str
    message: str
    crm_code: str | None = None


class JobLog:
    """The log of one job; only its owner reads the file."""

    def __init__(self, path: Path, header: JobHeader) -> None:
        """Open the log, or begin it.

        Raises:
            InputError: The file is none, or of another job or other rows.
        """
        self.refused: list[Refused] = []
        self._done = Numbers()
        self.resumed = path.exists() and path.stat().st_size > 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if self.resumed:
                self._read(path, header)
            else:
                self._write({"format": _FORMAT, **_facts(header)})
        except BaseException:
            self.close()
            raise

    def is_settled(self, number: int) -> bool:
        """Whether it is known what became of the row of this number."""
        return number in self._done

    @property
    def settled(self) -> int:
        """How many rows are settled."""
        return self._done.count

    def settle(self, done: Iterable[int], refused: Iterable[Refused]) -> None:
        """Say what became of rows; it is on the disk when this returns."""
        refused = list(refused)
        numbers = Numbers()
        for number in done:
            numbers.add(number)
        self._write({"done": numbers.ranges, "refused": [_line(row) for row in refused]})
        self._count(numbers.ranges, refused)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _count(self, ranges: Iterable[tuple[int, int]], refused: Iterable[Refused]) -> None:
        for first, last in ranges:
            self._done.add_range(first, last)
        for row in refused:
            self._done.add(row.number)
            self.refused.append(row)

    def _write(self, content: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(content, separators=(",", ":")).encode() + b"\n")
        os.fsync(self._file)

    def _read(self, path: Path, header: JobHeader) -> None:
        lines = path.read_bytes().split(b"\n")
        if lines[-1]:
            # A crash cut the last line off; what it was about to say is not known.
            os.truncate(self._file, path.stat().st_size - len(lines[-1]))
        try:
            first, *rest = [json.loads(line) for line in lines[:-1]]
            found = JobHeader(*(first[name] for name in ("job", "table", "action", "source")))
            if first["format"] != _FORMAT:
                raise ValueError(first["format"])
            for line in rest:
                refused = [Refused(*row) for row in line["refused"]]
                self._count([(int(low), int(high)) for low, high in line["done"]], refused)
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{path.name} is not the log of a bulk job, or is damaged. Give another name for a new job."
            ) from None
        if found != header:
            raise InputError(
                f"{path.name} is the log of another job: of {found.action} on {found.table}, or of other "
                "rows. Give the rows of that job to go on with it, or another name for a new one."
            )


def _facts(header: JobHeader) -> dict[str, str]:
    return {"job": header.job, "table": header.table, "action": header.action, "source": header.source}


def _line(row: Refused) -> list[Any]:
    return [row.number, row.code, row.message, row.crm_code]


class Numbers:
    """A set of whole numbers that mostly follow each other, kept as ranges."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        self.count = 0

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self.ranges, (number, number)) - 1
        at_start = place + 1 < len(self.ranges) and self.ranges[place + 1][0] == number
        return at_start or (place >= 0 and self.ranges[place][1] >= number)

    def add(self, number: int) -> None:
        """Put a number in."""
        self.add_range(number, number)

    def add_range(self, first: int, last: int) -> None:
        """Put a range in; it joins those it touches."""
        start = bisect_right(self.ranges, (first, -1))
        if start and self.ranges[start - 1][1] >= first - 1:
            start -= 1
        end = start
        while end < len(self.ranges) and self.ranges[end][0] <= last + 1:
            first, last = min(first, self.ranges[end][0]), max(last, self.ranges[end][1])
            self.count -= self.ranges[end][1] - self.ranges[end][0] + 1
            end += 1
        self.ranges[start:end] = [(first, last)]
        self.count += last - first + 1
