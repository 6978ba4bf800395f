"""Jobs of many rows that were shown and may be carried out, kept on the disk until they are forgotten.

Beside each job stands its log (:mod:`crm_server.dataverse.bulk_log`). A job holds the values of its rows, so
only the user of the process may read it, and it is forgotten after a week.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from crm_tools.actions import Action
from crm_tools.bulk import BulkJob, BulkRow, LeftOut, Prepared
from crm_tools.errors import InputError
from crm_tools.guids import is_guid
from crm_tools.operations import Binding

KEPT = timedelta(days=7)
_OWNER_ONLY, _OWNER_FOLDER = 0o600, 0o700


class KeptJobs:
    """The jobs of one environment, each of one caller. Without a folder they end with the process."""

    def __init__(self, folder: Path | None = None, address: str = "") -> None:
        self._folder = folder
        self._address = address
        self._own: tempfile.TemporaryDirectory[str] | None = None

    def keep(self, prepared: Prepared, caller: str, now: datetime) -> str | None:
        """Keep a job; a sentence if the caller has carried the same one out before.

        Raises:
            InputError: It cannot be kept.
        """
        try:
            folder = self._made()
            self._forget(folder, now)
            earlier = self._earlier(folder, prepared.job, caller)
            document = {"caller": caller, "address": self._address, "at": now.isoformat(), **asdict(prepared)}
            document["job"] = _job_facts(prepared.job)
            _write(self._path(folder, prepared.job), json.dumps(document, ensure_ascii=False))
        except OSError:
            raise InputError(
                "The server cannot keep the job: its folder for state cannot be written."
            ) from None
        return earlier

    def find(self, job_id: str, caller: str) -> Prepared:
        """The job of this id, if it is one of this caller.

        Raises:
            InputError: There is none.
        """
        document = self._read(job_id) if is_guid(job_id) else None
        if document is None or (document["caller"], document["address"]) != (caller, self._address):
            raise InputError(
                "There is no job of yours with this id; jobs are kept for a week. Give table and rows to "
                "prepare one."
            )
        return _prepared(document)

    def log_file(self, job: BulkJob) -> Path:
        """Where the log of a job is."""
        return self._path(self._made(), job).with_suffix(".log")

    def close(self) -> None:
        """Take away what ends with the process."""
        if self._own is not None:
            self._own.cleanup()
            self._own = None

    def _made(self) -> Path:
        if self._folder is None:
            self._own = self._own or tempfile.TemporaryDirectory(prefix="dynamics-crm-mcp-")
            return Path(self._own.name)
        self._folder.mkdir(mode=_OWNER_FOLDER, parents=True, exist_ok=True)
        return self._folder

    def _path(self, folder: Path, job: BulkJob) -> Path:
        return folder / f"{job.source[:16]}-{job.id}.json"

    def _read(self, job_id: str) -> Mapping[str, Any] | None:
        for path in self._made().glob(f"*-{job_id.lower()}.json"):
            try:
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return None
            return found
        return None

    def _earlier(self, folder: Path, job: BulkJob, caller: str) -> str | None:
        for path in sorted(folder.glob(f"{job.source[:16]}-*.json")):
            if not path.with_suffix(".log").exists():
                continue
            document = self._read(path.stem.partition("-")[2]) or {}
            same = (document.get("caller"), document.get("address")) == (caller, self._address)
            if same and document["job"]["table"] == job.table and document["job"]["action"] == job.action:
                began = datetime.fromisoformat(document["at"])
                return (
                    f"The same rows were imported before: job {document['job']['id']} of "
                    f"{began:%Y-%m-%d %H:%M %Z}. Importing them again makes them twice; ask the user first."
                )
        return None

    def _forget(self, folder: Path, now: datetime) -> None:
        for path in folder.glob("*-*.*"):
            if (
                path.suffix in (".json", ".log")
                and now.timestamp() - path.stat().st_mtime > KEPT.total_seconds()
            ):
                path.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).chmod(_OWNER_ONLY)
    Path(name).replace(path)


def _job_facts(job: BulkJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "table": job.table,
        "action": job.action.value,
        "source": job.source,
        "columns": sorted(job.columns),
        "total": job.total,
        "facts": list(job.facts),
    }


def _prepared(document: Mapping[str, Any]) -> Prepared:
    facts = document["job"]
    job = BulkJob(
        facts["id"],
        facts["table"],
        Action(facts["action"]),
        facts["source"],
        frozenset(facts["columns"]),
        facts["total"],
        facts=tuple(facts["facts"]),
    )
    return Prepared(
        job,
        tuple(_row(row) for row in document["rows"]),
        tuple(document["numbers"]),
        tuple(LeftOut(**item) for item in document["left_out"]),
        document["file"],
    )


def _row(facts: Mapping[str, Any]) -> BulkRow:
    return BulkRow(facts["values"], tuple(Binding(**item) for item in facts["bindings"]), facts["key"])
