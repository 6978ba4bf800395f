"""What was learnt of tables, kept in a file: the next start lists its tools without asking the CRM."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from crm_server.log import get_logger
from crm_tools.tables import Table

_log = get_logger("organisation")


@cache
def _adapter() -> TypeAdapter[dict[str, Table]]:
    return TypeAdapter(dict[str, Table])


@dataclass(frozen=True, slots=True)
class KeptTables:
    """The file of one environment. It holds names and labels of tables and columns, never a row."""

    path: Path

    @classmethod
    def of(cls, folder: Path, address: str, user: str) -> KeptTables:
        """The file for an environment and whoever signs in: labels are in their language."""
        digest = hashlib.sha256(f"{address}\n{user}".encode()).hexdigest()[:16]
        return cls(folder / f"tables-{digest}.json")

    def read(self, names: Iterable[str]) -> dict[str, Table]:
        """Those of the tables of these names that are there."""
        try:
            kept = _adapter().validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            _log.warning("kept_tables_unreadable", problem=type(error).__name__)
            return {}
        return {name: kept[name] for name in names if name in kept}

    def write(self, tables: Mapping[str, Table]) -> None:
        """Keep these tables. That they cannot be kept is no reason to stop."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_suffix(".new")
            new.write_bytes(_adapter().dump_json(dict(tables)))
            new.replace(self.path)
        except OSError as error:
            _log.warning("tables_not_kept", problem=type(error).__name__)
