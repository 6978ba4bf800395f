"""Writes that are carried out once: after an unclear outcome the row is looked at before anything is sent.

A create carries a key of its own, so its row can be found. An update or delete that knows the row's version
can tell whether it was itself that changed it; one that does not can be repeated, since it says how the row
is to be and not how it is to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_server.dataverse.requests import build
from crm_server.dataverse.responses import DUPLICATE_KEY, CrmResponse, crm_code, parse_row, request_id
from crm_server.dataverse.sender import Sender, UnclearError, checked
from crm_tools.errors import ConflictError, NotFoundError, UnreadableAnswerError, UpstreamError
from crm_tools.operations import Create, Delete, Fetch, Row, Update, Write
from crm_tools.shaping import ETAG
from crm_tools.tables import Table

NO_CONTENT, NOT_FOUND, PRECONDITION_FAILED = 204, 404, 412


class Writing:
    """Creates, updates and deletes rows of one environment."""

    def __init__(self, sender: Sender, tables: Mapping[str, Table]) -> None:
        self._sender = sender
        self._tables = tables

    async def create(self, create: Create) -> Row:
        """The created row.

        Raises:
            UnclearError: Nobody knows whether it was created, and the CRM cannot be asked.
            UpstreamError: It was not.
        """
        deadline, attempt = self._sender.deadline(), 0
        while True:
            attempt += 1
            try:
                response = confirmed(await self._sender.send(build(create, self._tables), deadline))
            except UnclearError as unclear:
                found = await self._look(create, create.returning, deadline, unclear)
                if found is not None:
                    return self._shown(found, create)
                await self._sender.wait(attempt, deadline, unclear)
                continue
            if attempt > 1 and _key_exists(response):
                # The earlier try was carried out after it had been looked for.
                found = await self._look(create, create.returning, deadline, UnclearError("unclear"))
                if found is not None:
                    return self._shown(found, create)
            return self._saved(checked(response), create)

    async def update(self, update: Update) -> Row:
        """The changed row.

        Raises:
            UnclearError: Nobody knows whether it was changed, and the CRM cannot be asked.
            ConflictError: Somebody else changed the row, before or while the outcome was unclear.
            UpstreamError: It was not changed.
        """
        deadline, attempt = self._sender.deadline(), 0
        while True:
            attempt += 1
            try:
                response = confirmed(await self._sender.send(build(update, self._tables), deadline))
            except UnclearError as unclear:
                found = await self._changed(update, deadline, unclear)
                if found is not None:
                    return found
                await self._sender.wait(attempt, deadline, unclear)
                continue
            if attempt > 1 and response.status == PRECONDITION_FAILED:
                # The earlier try was carried out after it had been looked for.
                found = await self._changed(update, deadline, UnclearError("unclear"))
                if found is not None:
                    return found
            return self._saved(checked(response), update)

    async def delete(self, delete: Delete) -> None:
        """Deletes the row.

        Raises:
            UnclearError: Nobody knows whether it was deleted, and the CRM cannot be asked.
            ConflictError: Somebody else changed the row, before or while the outcome was unclear.
            UpstreamError: It was not deleted.
        """
        deadline, attempt = self._sender.deadline(), 0
        while True:
            attempt += 1
            try:
                response = confirmed(await self._sender.send(build(delete, self._tables), deadline))
            except UnclearError as unclear:
                found = await self._look(delete, (), deadline, unclear)
                if found is None:
                    return
                if delete.etag is not None and found.get(ETAG) != delete.etag:
                    raise _overtaken() from None
                await self._sender.wait(attempt, deadline, unclear)
                continue
            if attempt > 1 and response.status == NOT_FOUND:
                return
            checked(response)
            return

    async def _changed(self, update: Update, deadline: float, unclear: UnclearError) -> Row | None:
        """The row if it is as the update wants it; None if the update can be sent again."""
        columns = (*update.returning, *update.values, *(item.column for item in update.bindings))
        found = await self._look(update, columns, deadline, unclear)
        if found is None:
            raise NotFoundError(
                "The record was deleted while it was being changed. Nothing is left to change."
            ) from None
        if is_as_wanted(found, update):
            return self._shown(found, update)
        if update.etag is not None and found.get(ETAG) != update.etag:
            raise _overtaken() from None
        return None

    async def _look(
        self, write: Write, columns: tuple[str, ...], deadline: float, unclear: UnclearError
    ) -> Row | None:
        """The row as it is, or None; ``unclear`` is raised when the CRM cannot be asked."""
        table = self._tables[write.table]
        fetch = Fetch(write.table, write.key, tuple(dict.fromkeys((table.key, *columns))))
        try:
            return parse_row(checked(await self._sender.send(build(fetch, self._tables), deadline)))
        except NotFoundError:
            return None
        except UpstreamError:
            raise unclear from None

    def _saved(self, response: CrmResponse, write: Create | Update) -> Row:
        if write.returning and response.status != NO_CONTENT:
            return parse_row(response)
        return {self._tables[write.table].key: write.key}

    def _shown(self, row: Row, write: Create | Update) -> Row:
        """What the write asked to be shown of a row that was looked at."""
        key = self._tables[write.table].key
        if not write.returning:
            return {key: write.key}
        kept = {key, "", *write.returning}
        return {name: value for name, value in row.items() if name.partition("@")[0] in kept}


def confirmed(response: CrmResponse) -> CrmResponse:
    """The answer, if it is one that Dataverse gives to a write: no content, a row, or an error.

    Something between here and there may have answered with a page of its own and a status of success.

    Raises:
        UnclearError: It is a success that says nothing of a row.
    """
    if 200 <= response.status < 300 and response.status != NO_CONTENT:
        try:
            parse_row(response)
        except UnreadableAnswerError:
            raise UnclearError(
                "Something between this server and the CRM answered for it. Whether the change was made "
                "is unknown; read the record before you change it again.",
                status=response.status,
                request_id=request_id(response),
            ) from None
    return response


def _key_exists(response: CrmResponse) -> bool:
    return response.status == PRECONDITION_FAILED and crm_code(response) == DUPLICATE_KEY


def is_as_wanted(row: Row, update: Update) -> bool:
    """Whether a row has every value that an update gives it."""
    values = all(_same(row.get(name), value) for name, value in update.values.items())
    return values and all(_same(row.get(item.column), item.key) for item in update.bindings)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return value.lower() == wanted.lower() if _is_guid(wanted) else value == wanted
    return bool(value == wanted)


def _is_guid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4


def _overtaken() -> ConflictError:
    return ConflictError(
        "The connection broke, and the record has another version now: somebody else changed it, before or "
        "after this change. Read it and decide anew."
    )
