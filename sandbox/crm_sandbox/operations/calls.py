"""Calls of actions and functions: their parameters from the address or the body.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/use-web-api-functions
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/use-web-api-actions
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crm_sandbox.addresses import RowKey, Segment, reference
from crm_sandbox.errors import UNKNOWN_NAME, ODataError, bad_property
from crm_sandbox.messages import Answer, no_resource
from crm_sandbox.queries.options import split_outside
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import NAMESPACE, OWNERS, Table
from crm_sandbox.store import Row


@dataclass(frozen=True)
class Call:
    """A call; ``table`` and ``row`` are what it is bound to."""

    context: Context
    name: str
    parameters: Mapping[str, Any]
    table: Table | None = None
    row: Row | None = None

    @classmethod
    def of(
        cls, context: Context, segment: Segment, table: Table | None = None, row: Row | None = None
    ) -> Call:
        """The call that a segment of an address makes.

        Raises:
            ODataError: 400, its parameters cannot be read.
        """
        request = context.request
        if request.method == "GET":
            parameters = _of_address(segment.key or "", request.options)
        elif request.method == "POST":
            parameters = request.json() if request.body else {}
        else:
            raise no_resource(request)
        return cls(context, segment.name.removeprefix(f"{NAMESPACE}."), parameters, table, row)

    @property
    def bound_table(self) -> Table:
        """The table that the call is bound to."""
        if self.table is None:
            raise AssertionError(self.name)
        return self.table

    @property
    def bound_row(self) -> Row:
        """The row that the call is bound to."""
        if self.row is None:
            raise AssertionError(self.name)
        return self.row

    def needs(self, method: str) -> None:
        """Check the method: functions are called by GET, actions by POST.

        Raises:
            ODataError: 404, another method; an operation is then no resource at all.
        """
        if self.context.request.method != method:
            raise no_resource(self.context.request)

    def get(self, name: str, kind: type | tuple[type, ...], *, needed: bool = True) -> Any:
        """A parameter; None where it is not given and not needed.

        Raises:
            ODataError: 400, it is missing or of another type.
        """
        value = self.parameters.get(name)
        if value is None and not needed:
            return None
        if value is None:
            raise ODataError(400, UNKNOWN_NAME, f"The parameter '{name}' of '{self.name}' is missing.")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            raise bad_property(f"The parameter '{name}' of '{self.name}' is of another type")
        return value

    def reference(self, name: str) -> RowKey:
        """A row that a parameter names: ``{"@odata.id": ...}``, or its type and key.

        Raises:
            ODataError: 400, it names none.
        """
        return row_reference(self.context, self.get(name, dict), name)

    def answer(self, **content: Any) -> Answer:
        """The answer of a function or action with a result."""
        context = f"{self.context.request.root}$metadata#{NAMESPACE}.{self.name}Response"
        return Answer(200, {"@odata.context": context, **content})


Handler = Callable[[Call], Answer]


def row_reference(context: Context, given: Mapping[str, Any], name: str) -> RowKey:
    """The row that an object names by ``@odata.id``, or by ``@odata.type`` and its key.

    Raises:
        ODataError: 400, it names none.
    """
    schema = context.store.schema
    if "@odata.id" in given:
        return reference(schema, given["@odata.id"], name)
    table = schema.get(str(given.get("@odata.type", "")).removeprefix("#").removeprefix(f"{NAMESPACE}."))
    key = _key_in(given, table) if table is not None else None
    if table is None or key is None:
        raise bad_property(f"'{name}' names no row: it takes '@odata.id', or '@odata.type' and the key")
    return reference(schema, f"{table.entity_set}({key})", name)


def _key_in(given: Mapping[str, Any], table: Table) -> Any:
    return given.get(table.key, given.get("ownerid") if table.name in OWNERS else None)


def _of_address(text: str, options: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for part in split_outside(text, ","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals:
            raise ODataError(400, UNKNOWN_NAME, f"The parameters '{text}' cannot be read.")
        value = value.strip()
        if value.startswith("@"):
            if value not in options:
                raise ODataError(400, UNKNOWN_NAME, f"The parameter alias '{value}' has no value.")
            value = options[value]
        found[name.strip()] = _value(value)
    return found


def _value(text: str) -> Any:
    """A literal of an address: JSON, with texts in single quotes too, a GUID, or an enumeration's member."""
    as_json = re.sub(r"'((?:[^']|'')*)'", lambda match: json.dumps(match[1].replace("''", "'")), text)
    member = re.fullmatch(r"[\w.]+(\"[^\"]*\")", as_json, re.ASCII)
    try:
        return json.loads(member[1] if member else as_json)
    except (ValueError, RecursionError):
        if re.fullmatch(r"[\w.-]{1,100}", text, re.ASCII):
            return text
        raise ODataError(400, UNKNOWN_NAME, "A parameter's value cannot be read.") from None
