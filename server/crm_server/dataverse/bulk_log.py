"""The log of a bulk job: a file of JSON lines by which it is taken up again after a crash.

::

    {"bulk_job": 1, "id": ..., "table": ..., "action": ..., "source": ...}
    {"sending": [[1, 500]]}
    {"settled": [[1, 500]], "refused": [{"row": 17, "key": ..., "error": ..., "message": ...}]}

Row numbers are ranges with both ends; a refused row is settled too. A line is on the disk before what it
announces happens, and before what it reports is told. Rows that are ``sending`` and not ``settled`` may have
been carried out. There are no values of columns in it.
"""

from __future__ import annotations

import json
import os
import stat
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import anyio.to_thread

from crm_tools.bulk import BulkJob, Outcome, RowOutcome
from crm_tools.errors import InputError, UpstreamError

_KIND, _VERSION = "bulk_job", 1
_OWNER_ONLY = 0o600
_LONGEST_HEADER = 10_000
Range = tuple[int, int]


class BulkLogError(InputError):
    """The file cannot be used as the log of this job. Nothing was sent to the CRM."""

    code = "job_log_unusable"


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
    """What is known of the rows of a job, on the disk.

    ``settled`` and ``sent`` are the rows of earlier runs: those whose outcome is known, and those that were
    about to be sent.
    """

    def __init__(self, path: Path, job: BulkJob) -> None:
        """Open the file, or make it.

        Raises:
            BulkLogError: It is the log of another job, no log at all, damaged, or in use.
            OSError: The file cannot be read or written.
        """
        self._turn = anyio.Lock()
        self._file = _opened(path)
        try:
            _locked(self._file, path)
            self._read(path, job)
        except BaseException:
            self._file.close()
            raise

    async def sending(self, numbers: Sequence[int]) -> None:
        """Note that rows are about to be sent."""
        await self._append({"sending": _ranges(numbers)})

    async def settle(self, outcomes: Sequence[RowOutcome]) -> None:
        """Note what became of rows. Unclear ones stay open."""
        known = [item for item in outcomes if item.outcome is not Outcome.UNCLEAR]
        refused = [_refusal(item) for item in known if item.outcome is Outcome.REFUSED]
        line: dict[str, Any] = {"settled": _ranges(sorted(item.number for item in known))}
        await self._append(line | ({"refused": refused} if refused else {}))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, path: Path, job: BulkJob) -> None:
        header = _line(_header(job))
        first = self._file.readline(_LONGEST_HEADER)
        settled: list[Range] = []
        sent: list[Range] = []
        self.refused = 0
        # A header that was torn is ours and nothing was sent yet; what else is here is somebody's file.
        if not first.endswith(b"\n") and header.startswith(first):
            self._begin(header, path)
        else:
            _check_header(first, job, path)
            if os.name == "posix":
                os.fchmod(self._file.fileno(), _OWNER_ONLY)
            whole = self._file.tell()
            for number, line in enumerate(self._file, 2):
                if not line.endswith(b"\n"):
                    break
                entry = _entry(line, number, path)
                settled += _read_ranges(entry.get("settled", []), number, path)
                sent += _read_ranges(entry.get("sending", []), number, path)
                self.refused += len(entry.get("refused", []))
                whole += len(line)
            self._file.truncate(whole)
            self._file.seek(whole)
        self.settled, self.sent = RowNumbers(settled), RowNumbers(sent)
        self.done = len(self.settled) - self.refused

    def _begin(self, header: bytes, path: Path) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._write(header)
        _flush_folder(path.parent)

    async def _append(self, entry: Mapping[str, Any]) -> None:
        async with self._turn:
            await anyio.to_thread.run_sync(self._write, _line(entry))

    def _write(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())


def refusals(path: Path) -> Iterator[RowOutcome]:
    """The rows that a log calls refused, one after the other."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                for item in _entry(line, number, path).get("refused", []):
                    yield _read_refusal(item)


def _opened(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), _OWNER_ONLY)
    file = os.fdopen(descriptor, "r+b")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise BulkLogError(f"{path.name} is no file. Name another file as the log of this job.")
    return file


def _locked(file: BinaryIO, path: Path) -> None:
    """Keep a second run of the same job away, where the system can."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BulkLogError(f"This job is running already: {path.name} is in use. Wait for it.") from None


def _flush_folder(folder: Path) -> None:
    """Make the name of a new file outlive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _header(job: BulkJob) -> dict[str, Any]:
    return {
        _KIND: _VERSION,
        "id": job.id,
        "table": job.table,
        "action": job.action.value,
        "source": job.source,
    }


def _check_header(line: bytes, job: BulkJob, path: Path) -> None:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or _KIND not in found or not line.endswith(b"\n"):
        raise BulkLogError(
            f"{path.name} is not the log of a bulk job and was left as it is. Name another file."
        )
    if found[_KIND] != _VERSION:
        raise BulkLogError(f"{path.name} was written by another version of this server. Use that version.")
    for name, wanted in _header(job).items():
        if found.get(name) != wanted:
            raise BulkLogError(f"{path.name} is the log of another job: {_DIFFERENCES[name]}")


_DIFFERENCES = {
    "id": "its id is another one. Name another file, or take that job up.",
    "table": "it writes to another table. Name another file.",
    "action": "it does something else with the rows. Name another file.",
    "source": "the rows were read from something else, or their source was changed since. "
    "Restore the source to take the job up, or begin a new job with another file.",
}


def _entry(line: bytes, number: int, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("refused", []), list):
        raise _damaged(number, path)
    settled = RowNumbers(_read_ranges(found.get("settled", []), number, path))
    for item in found.get("refused", []):
        if not isinstance(item, dict) or type(item.get("row")) is not int or item["row"] not in settled:
            raise _damaged(number, path)
    return found


def _read_ranges(found: Any, number: int, path: Path) -> list[Range]:
    try:
        ranges = [(first, last) for first, last in found]
    except (TypeError, ValueError):
        raise _damaged(number, path) from None
    if not all(type(end) is int for pair in ranges for end in pair):
        raise _damaged(number, path)
    if not all(1 <= first <= last for first, last in ranges):
        raise _damaged(number, path)
    return ranges


def _damaged(number: int, path: Path) -> BulkLogError:
    return BulkLogError(
        f"Line {number} of {path.name} is damaged, so which rows were sent is unknown. Restore the file, "
        "or look in the CRM for what is there and begin a new job with the rows that are missing."
    )


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


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


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
