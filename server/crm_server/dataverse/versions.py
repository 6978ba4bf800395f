"""Rows that were read before, by version: what has not changed since is not sent again.

The answer is asked for every time, so nothing old is ever shown; only the row's bytes stay away.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/perform-conditional-operations-using-web-api
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from crm_server.dataverse.requests import CrmRequest
from crm_server.sign_in import callers
from crm_tools.operations import Fetch, Row
from crm_tools.shaping import ETAG
from crm_tools.tables import ColumnType, Table

NOT_MODIFIED = 304
MOST_ROWS = 500
_WITHOUT_LABELS = frozenset({ColumnType.UNIQUEIDENTIFIER, ColumnType.STRING, ColumnType.MEMO})


class Versions:
    """The rows that were read last, each with its version, by caller: each has rights of his own."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._rows: OrderedDict[tuple[str, str], Row] = OrderedDict()

    def tell_all_of(self, fetch: Fetch) -> bool:
        """Whether the version changes with everything that the answer shows, which then is texts only.

        It does not with labels and with names beside lookups, which are values of something else, nor with
        related rows; Dataverse answers whole when it is asked for those. Columns that nobody has described
        may be calculated.
        """
        columns = self._tables[fetch.table].columns
        shown = [columns.get(name) for name in fetch.select]
        return (
            bool(shown)
            and not fetch.expand
            and all(column is not None and column.type in _WITHOUT_LABELS for column in shown)
        )

    def known(self, path: str) -> Row | None:
        """The row as this caller last read it from this path, if that is remembered."""
        return self._rows.get((callers.key(), path))

    def keep(self, path: str, row: Row) -> None:
        """Remember a row that has just been read, and forget the one that was read longest ago."""
        if ETAG not in row:
            return
        place = (callers.key(), path)
        self._rows[place] = row
        self._rows.move_to_end(place)
        while len(self._rows) > MOST_ROWS:
            self._rows.popitem(last=False)


def if_changed(request: CrmRequest, known: Row | None) -> CrmRequest:
    """The request for a row without annotations, unless it is still the known one."""
    return replace(request, headers={} if known is None else {"If-None-Match": known[ETAG]})
