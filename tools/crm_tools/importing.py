"""Many records in at once: shown first, carried out by the job that was shown, resumed where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from crm_tools.bulk import BulkDone, BulkJob, BulkRow, Ending, LeftOut, Outcome, Prepared, RowOutcome
from crm_tools.choices import choice_label
from crm_tools.csv_text import CsvRow, read_csv, write_csv
from crm_tools.errors import CrmError, InputError
from crm_tools.import_columns import Mapped, mapped, target_name
from crm_tools.import_rows import Rows, SourceRow, only_tells, prepared_rows
from crm_tools.operations import Action
from crm_tools.outside_text import line
from crm_tools.port import CrmPort
from crm_tools.record_queries import Tables
from crm_tools.tables import Column, Table
from crm_tools.wording import column_named, table_named

Arguments = Mapping[str, Any]
MOST_ROWS = 50_000
CREATE, UPDATE = "create", "update"
_TOLD = 20
_EXAMPLES = 3
_LONGEST_EXAMPLE = 60
_WORDS = {Outcome.DONE: "done", Outcome.REFUSED: "refused", Outcome.UNCLEAR: "unclear"}


async def import_records(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    """What an import would do; with the id of the job that was shown, carries it out."""
    if job := arguments.get("job"):
        if others := sorted(arguments.keys() - {"job"}):
            raise InputError(
                f"Argument job carries out what was shown, as it was shown; leave out {', '.join(others)}."
            )
        return await _carried_out(job, port)
    return await _shown(arguments, tables, port)


async def _shown(arguments: Arguments, tables: Tables, port: CrmPort) -> dict[str, Any]:
    if "table" not in arguments:
        raise InputError(
            "Give table with rows or file to see what would be imported, or job to carry it out."
        )
    table = table_named(arguments["table"], tables)
    creates = arguments.get("mode", CREATE) == CREATE
    names, source = await _source(arguments, port)
    columns = mapped(names, arguments.get("mapping") or {}, table, creates=creates)
    match_on = _match_on(arguments, columns, table, creates=creates)
    sent = [item for item in columns if not only_tells(item, match_on, creates=creates)]
    rows = await prepared_rows(source, columns, table, tables, port, creates=creates, match_on=match_on)
    job = _job(table, Action.CREATE if creates else Action.UPDATE, sent, rows)
    judged = await port.judge_bulk(job, rows.rows)
    rows = _without(rows, judged.denied)
    told: dict[str, Any] = {
        "table": table.name,
        "mode": CREATE if creates else UPDATE,
        "mapping": _mapping(names, columns, source),
        "rows": len(rows.rows),
        "left_out": len(rows.left_out),
    }
    if rows.left_out:
        told["problems"] = _problems(rows.left_out)
    if not rows.rows:
        told["note"] = "No row can be imported, and nothing was changed. Correct the rows and try again."
        return told
    file = arguments.get("file")
    facts = tuple(_facts(rows, sent, file))
    job = replace(job, source=_fingerprint(rows.rows), total=len(rows.rows), facts=facts)
    prepared = Prepared(job, tuple(rows.rows), tuple(rows.numbers), tuple(rows.left_out), file)
    earlier = await port.keep_bulk(prepared)
    asks = " A human is asked first." if judged.needs_approval else ""
    told["job"] = job.id
    told["note"] = (
        f"Nothing was changed yet. Show this to the user; import_records with job alone {_verb(job)} "
        f"{_counted(len(rows.rows), 'record')}.{asks}"
    )
    if earlier:
        told["warning"] = earlier
    return told


async def _source(arguments: Arguments, port: CrmPort) -> tuple[list[str], list[SourceRow]]:
    """The names of the source's columns, and its rows."""
    if ("rows" in arguments) == ("file" in arguments):
        raise InputError("Give either rows or file.")
    if "file" in arguments:
        header, lines = read_csv(await port.read_file(arguments["file"]))
        names, source = list(header), [_csv_row(header, row) for row in lines]
    else:
        given = arguments["rows"]
        names = list(dict.fromkeys(name for row in given for name in row))
        source = [SourceRow(number, row) for number, row in enumerate(given, start=1)]
    if not source:
        raise InputError("There are no rows to import.")
    if len(source) > MOST_ROWS:
        raise InputError(f"At most {MOST_ROWS:,} rows are imported at once, not {len(source):,}. Split them.")
    return names, source


def _csv_row(header: Sequence[str], row: CsvRow) -> SourceRow:
    """A row of a file; one whose cells do not fit the header has a problem instead of values."""
    if len(row.cells) == len(header):
        return SourceRow(row.number, dict(zip(header, row.cells, strict=True)))
    return SourceRow(
        row.number,
        {},
        f"It has {len(row.cells)} cells and the first line {len(header)}: quote a cell that holds the "
        "separator or a line break.",
    )


def _match_on(
    arguments: Arguments, columns: Sequence[Mapped], table: Table, *, creates: bool
) -> Column | None:
    """The column whose values tell which records there are already."""
    given = arguments.get("match_on")
    if given is None:
        if not creates and not any(item.is_key for item in columns):
            raise InputError(
                "To change records, map a column to id, or give match_on: the column that tells them apart, "
                f"such as {table.primary_name}."
            )
        return None
    column = column_named(given, table)
    if not any(item.column.name == column.name for item in columns):
        raise InputError(f"match_on names {column.short_name}, to which no column of the source goes.")
    if any(item.column.name == column.name and (item.ways or item.is_key) for item in columns):
        raise InputError("match_on takes a column of text or numbers, not an id or a lookup.")
    return column


def _job(table: Table, action: Action, columns: Sequence[Mapped], rows: Rows) -> BulkJob:
    wire = frozenset(item.column.name for item in columns)
    return BulkJob(str(uuid4()), table.name, action, _fingerprint(rows.rows), wire, len(rows.rows))


def _fingerprint(rows: Sequence[BulkRow]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        links = [[item.navigation, item.key] for item in row.bindings]
        digest.update(json.dumps([row.key, row.values, links], sort_keys=True).encode())
    return digest.hexdigest()


def _without(rows: Rows, denied: Mapping[int, CrmError]) -> Rows:
    """The rows without those (by place) that the policy does not let be written."""
    kept = Rows(left_out=list(rows.left_out))
    for place, (row, number) in enumerate(zip(rows.rows, rows.numbers, strict=True)):
        if place in denied:
            kept.leave_out(number, denied[place].message)
        else:
            kept.rows.append(row)
            kept.numbers.append(number)
    kept.left_out.sort(key=lambda item: item.number)
    return kept


def _mapping(
    names: Sequence[str], columns: Sequence[Mapped], source: Sequence[SourceRow]
) -> list[dict[str, Any]]:
    goes = {item.name: target_name(item) for item in columns}
    return [
        {"from": name, "to": goes.get(name, "left out"), "examples": _examples(name, source)}
        for name in names
    ]


def _examples(name: str, source: Iterable[SourceRow]) -> str:
    found: dict[str, None] = {}
    for row in source:
        text = line(str(row.values.get(name) or ""))
        if text:
            found[text if len(text) <= _LONGEST_EXAMPLE else f"{text[:_LONGEST_EXAMPLE]}..."] = None
        if len(found) == _EXAMPLES:
            break
    return ", ".join(found)


def _problems(left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [{"row": item.number, "why": item.why} for item in left_out[:_TOLD]]
    if len(left_out) > _TOLD:
        told.append({"row": f"{len(left_out) - _TOLD:,} more", "why": "not shown"})
    return told


def _facts(rows: Rows, columns: Sequence[Mapped], file: str | None) -> Iterable[str]:
    """What a human is shown who has to agree."""
    if file is not None:
        yield f"From the file {file}"
    yield f"Columns: {', '.join(item.column.label for item in columns if not item.is_key)}"
    for row in rows.rows[:_EXAMPLES]:
        yield f"For example: {', '.join(_told_values(row, columns)) or 'links only'}"
    if rows.left_out:
        yield f"{_counted(len(rows.left_out), 'row')} left out, because something is wrong there"


def _told_values(row: BulkRow, columns: Sequence[Mapped]) -> Iterable[str]:
    for item in columns:
        if (value := row.values.get(item.column.name)) is not None:
            label = choice_label(value, item.column) or value
            yield f"{item.column.label} {line(str(label))[:_LONGEST_EXAMPLE]}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _verb(job: BulkJob) -> str:
    return "creates" if job.action is Action.CREATE else "changes"


async def _carried_out(job_id: str, port: CrmPort) -> dict[str, Any]:
    done = await port.bulk(job_id)
    prepared, progress = done.prepared, done.result.progress
    told: dict[str, Any] = {
        "job": job_id,
        "table": prepared.job.table,
        "created" if prepared.job.action is Action.CREATE else "changed": progress.done,
        "refused": progress.refused,
    }
    if progress.unclear:
        told["unclear"] = progress.unclear
    if done.refused:
        told["problems"] = _problems([_left_out(item, prepared) for item in done.refused])
    open_rows = len(prepared.rows) - progress.done - progress.refused
    if open_rows:
        told["without_outcome"] = open_rows
        why = done.result.error.message if done.result.error is not None else "It was cancelled."
        told["note"] = (
            f"Not finished: {why} Call import_records with this job again: it goes on where it was."
        )
    if prepared.file is not None and done.result.ending is Ending.COMPLETE:
        told["outcomes"] = await _outcome_file(done, port)
    return told


def _left_out(item: RowOutcome, prepared: Prepared) -> LeftOut:
    return LeftOut(prepared.numbers[item.number - 1], item.error.message if item.error else "refused")


async def _outcome_file(done: BulkDone, port: CrmPort) -> str:
    """The name of a file beside the one that was imported, with the outcome of each of its rows."""
    prepared = done.prepared
    outcomes = {item.number: item for item in done.refused}
    lines: list[tuple[int, str, str, str]] = [
        (item.number, "left out", "", item.why) for item in prepared.left_out
    ]
    for place, (number, row) in enumerate(zip(prepared.numbers, prepared.rows, strict=True), start=1):
        refused = outcomes.get(place)
        key = row.key or prepared.job.key_of(place)
        if refused is None:
            lines.append((number, _WORDS[Outcome.DONE], key, ""))
        else:
            why = refused.error.message if refused.error else ""
            lines.append((number, _WORDS[Outcome.REFUSED], "", why))
    lines.sort()
    rows = [[str(number), outcome, key, why] for number, outcome, key, why in lines]
    stem = (prepared.file or "import").rpartition(".")[0]
    name = f"{stem}.outcome-{prepared.job.id[:8]}.csv"
    text = "".join(write_csv(("row", "outcome", "id", "why"), rows))
    # The name is this job's own, so what is there already is an earlier account of it.
    await port.write_file(name, text.encode("utf-8-sig"), replace=True)
    return name
