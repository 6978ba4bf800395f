"""What the resources of one request share."""

from __future__ import annotations

from dataclasses import dataclass

from crm_sandbox.messages import Request
from crm_sandbox.queries.reading import RowReader
from crm_sandbox.queries.sql import Asker
from crm_sandbox.records.deleting import RowDeleter
from crm_sandbox.records.writer import RowWriter
from crm_sandbox.schema.model import Table
from crm_sandbox.session import Caller, Privilege, Session
from crm_sandbox.store import Store


@dataclass(frozen=True)
class Context:
    """A request with the store that answers it and the caller whose rights it has."""

    store: Store
    request: Request
    session: Session

    @classmethod
    def of(cls, store: Store, request: Request, caller: Caller) -> Context:
        """The context of a request."""
        asker = Asker(
            store.now(),
            caller.user_id,
            caller.business_unit_id,
            caller.team_ids,
            lambda table: caller.require(Privilege.READ, table),
        )
        return cls(store, request, Session(caller, asker, request.root))

    @property
    def reader(self) -> RowReader:
        """Reads rows as the request asks for them."""
        return RowReader(self.store, self.session.asker, self.request.annotations, self.request.root)

    @property
    def writer(self) -> RowWriter:
        """Writes rows with the caller's rights."""
        # https://learn.microsoft.com/power-apps/developer/data-platform/webapi/manage-duplicate-detection-create-update
        suppressed = self.request.headers.get("mscrm.suppressduplicatedetection", "true").lower()
        return RowWriter(self.store, self.session, check_duplicates=suppressed == "false")

    @property
    def deleter(self) -> RowDeleter:
        """Deletes rows with the caller's rights."""
        return RowDeleter(self.store, self.session)

    def may_read(self, table: Table) -> None:
        """Check that the caller may read a table.

        Raises:
            ODataError: 403, no role allows it.
        """
        self.session.asker.require_read(table)

    def address(self, table: Table, key: str) -> str:
        """The address of a row."""
        return f"{self.request.root}{table.entity_set}({key})"
