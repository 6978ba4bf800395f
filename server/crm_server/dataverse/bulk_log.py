"""What is known of the rows of a bulk job, by which it is taken up again after a crash.

It is a list of entries, each a JSON object on a line::

    {"sending": [[1, 500]]}
    {"settled": [[1, 500]], "refused": [{"row": 17, "key": ..., "error": ..., "message": ...}]}

Row numbers are ranges with both ends; a refused row is settled too. An entry is kept before what it announces
happens, and before what it reports is told. Rows that are ``sending`` and not ``settled`` may have been
carried out. There are no values of columns in it.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio

from crm_tools.bulk import Outcome, RowOutcome
from crm_tools.errors import UpstreamError

Range = tuple[int, int]
Keep = Callable[[str], Awaitable[None]]
"""Keeps an entry; raises when it cannot, and then nothing more may be sent."""


class RowNumbers:
    """A set of row numbers, kept as ranges."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._ranges = _merged(ranges)
        self._firsts = [first for first, _ in self._ranges]

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._ranges[place][1]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._ranges)


class BulkLog:
    """The log of one run of a job.

    ``settled`` and ``sent`` are the rows of earlier runs: those whose outcome is known, and those that were
    about to be sent. ``done`` counts what earlier runs settled well; ``refusals`` are those of all runs.
    """

    def __init__(self, entries: Iterable[str], keep: Keep) -> None:
        """``entries`` are those of earlier runs, in their order."""
        self._keep = keep
        self._turn = anyio.Lock()
        self.refusals: list[RowOutcome] = []
        settled: list[Range] = []
        sent: list[Range] = []
        for text in entries:
            entry: dict[str, Any] = json.loads(text)
            settled += _ends(entry, "settled")
            sent += _ends(entry, "sending")
            self.refusals += map(_read_refusal, entry.get("refused", []))
        self.settled, self.sent = RowNumbers(settled), RowNumbers(sent)
        self.refused = len(self.refusals)
        self.done = len(self.settled) - self.refused

    async def sending(self, numbers: Sequence[int]) -> None:
        """Note that rows are about to be sent."""
        await self._append({"sending": _ranges(numbers)})

    async def settle(self, outcomes: Sequence[RowOutcome]) -> None:
        """Note what became of rows. Unclear ones stay open."""
        known = [item for item in outcomes if item.outcome is not Outcome.UNCLEAR]
        refused = [item for item in known if item.outcome is Outcome.REFUSED]
        entry: dict[str, Any] = {"settled": _ranges(sorted(item.number for item in known))}
        await self._append(entry | ({"refused": list(map(_refusal, refused))} if refused else {}))
        self.refusals += refused

    async def _append(self, entry: Mapping[str, Any]) -> None:
        async with self._turn:
            await self._keep(json.dumps(entry, separators=(",", ":")))


def _ends(entry: Mapping[str, Any], name: str) -> list[Range]:
    return [(first, last) for first, last in entry.get(name, [])]


def _refusal(item: RowOutcome) -> dict[str, Any]:
    found: dict[str, Any] = {"row": item.number, "key": item.key}
    if item.error is not None:
        found |= {"error": item.error.code, "message": item.error.message}
        code = getattr(item.error, "crm_code", None)
        found |= {"crm_code": code} if code else {}
    return found


def _read_refusal(item: Mapping[str, Any]) -> RowOutcome:
    error = UpstreamError(str(item.get("message", "")), crm_code=item.get("crm_code"))
    error.code = str(item.get("error", error.code))
    return RowOutcome(int(item["row"]), str(item["key"]), Outcome.REFUSED, error)


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def _merged(ranges: Iterable[Range]) -> list[Range]:
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found
