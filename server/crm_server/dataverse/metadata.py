"""What a table of this environment is: columns, choices and lookups, read in one trip. Nothing is sent here.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_server.dataverse.literals import query_string
from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse, parse_page, parse_row, unreadable
from crm_server.dataverse.sender import checked
from crm_tools.errors import InputError, NotFoundError
from crm_tools.operations import Action, Row
from crm_tools.tables import Choice

_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
_TABLE = (
    "LogicalName",
    "EntitySetName",
    "PrimaryIdAttribute",
    "PrimaryNameAttribute",
    "DisplayName",
    "DisplayCollectionName",
    "IsCustomEntity",
    "OwnershipType",
)
_COLUMN = (
    "LogicalName",
    "DisplayName",
    "AttributeTypeName",
    "RequiredLevel",
    "IsValidForCreate",
    "IsValidForUpdate",
    "IsValidForRead",
    "IsCustomAttribute",
    "AttributeOf",
    "AutoNumberFormat",
)
_FACTS: Mapping[str, tuple[str, ...]] = {
    "String": ("MaxLength", "FormatName"),
    "Memo": ("MaxLength",),
    "Integer": ("MinValue", "MaxValue"),
    "BigInt": ("MinValue", "MaxValue"),
    "Decimal": ("MinValue", "MaxValue", "Precision"),
    "Double": ("MinValue", "MaxValue", "Precision"),
    "Money": ("MinValue", "MaxValue", "Precision"),
    "DateTime": ("Format", "DateTimeBehavior"),
    "Lookup": ("Targets",),
}
_CHOICES = ("Picklist", "MultiSelectPicklist", "State", "Status")


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column as the environment has it.

    ``type`` is Dataverse's name of it, such as ``StringType``; ``required`` its level, such as
    ``ApplicationRequired``. ``navigations`` are the properties that bind a lookup, by table. A column that is
    a part of another, such as the name beside a lookup, is none.
    """

    name: str
    label: str
    type: str
    required: str
    on_create: bool
    on_update: bool
    readable: bool
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = None
    format: str | None = None
    targets: tuple[str, ...] = ()
    navigations: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    custom: bool = False
    date_only: bool = False
    """A date without a time, on the wire too."""
    generated: bool = False
    """Whether Dataverse numbers it where no value is given.

    https://learn.microsoft.com/power-apps/developer/data-platform/create-auto-number-attributes
    """


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table as the environment has it; labels are in the language of the signed-in user."""

    name: str
    entity_set: str
    key: str
    primary_name: str | None
    label: str
    plural_label: str
    is_custom: bool
    ownership: str
    columns: Mapping[str, ColumnDefinition]


def definition_requests(table: str) -> list[CrmRequest]:
    """The reads that describe a table.

    Raises:
        InputError: No table could have this name.
    """
    if not _NAME.fullmatch(table):
        raise InputError("A table goes by its logical name: small letters, digits and underscores.")
    root = f"EntityDefinitions(LogicalName='{table}')"
    return [
        _read(root, _TABLE),
        _read(f"{root}/Attributes", _COLUMN),
        _read(
            f"{root}/ManyToOneRelationships",
            ("ReferencingAttribute", "ReferencedEntity", "ReferencingEntityNavigationPropertyName"),
        ),
        *(_read(_cast(root, kind), ("LogicalName", *facts)) for kind, facts in _FACTS.items()),
        *(_read(_cast(root, kind), ("LogicalName",), "OptionSet($select=Options)") for kind in _CHOICES),
        _read(_cast(root, "Boolean"), ("LogicalName",), "OptionSet($select=TrueOption,FalseOption)"),
    ]


def table_names_request() -> CrmRequest:
    """The read of the names of all tables."""
    return _read("EntityDefinitions", ("LogicalName",))


def parse_table_names(answer: CrmResponse) -> tuple[str, ...]:
    """The names that the answer to :func:`table_names_request` holds."""
    return tuple(str(row["LogicalName"]) for row in parse_page(checked(answer)).rows if "LogicalName" in row)


def _cast(root: str, kind: str) -> str:
    return f"{root}/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata"


def _read(path: str, select: Iterable[str], expand: str | None = None) -> CrmRequest:
    options = [("$select", ",".join(select)), *([("$expand", expand)] if expand else [])]
    return CrmRequest("GET", f"{path}?{query_string(options)}", Action.READ)


def parse_definition(table: str, answers: Sequence[CrmResponse]) -> TableDefinition:
    """The table that the answers to :func:`definition_requests` describe.

    Raises:
        NotFoundError: The environment has no such table.
        PrivilegeError: The signed-in user may not read metadata.
        UnreadableAnswerError: Not the documented shape.
    """
    first, columns, relationships, *others = answers
    if first.status == 404:
        raise NotFoundError(
            f"This environment has no table {table}. Tables go by their logical names, such as account or "
            "new_project."
        )
    try:
        return _described(table, parse_row(checked(first)), columns, relationships, others)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise unreadable(first) from None


def _described(
    table: str,
    about: Row,
    columns: CrmResponse,
    relationships: CrmResponse,
    others: Iterable[CrmResponse],
) -> TableDefinition:
    facts: dict[str, dict[str, Any]] = {}
    for answer in others:
        for row in parse_page(checked(answer)).rows:
            facts.setdefault(str(row["LogicalName"]), {}).update(row)
    navigations: dict[str, dict[str, str]] = {}
    for row in parse_page(checked(relationships)).rows:
        by_table = navigations.setdefault(str(row["ReferencingAttribute"]), {})
        by_table[str(row["ReferencedEntity"])] = str(row["ReferencingEntityNavigationPropertyName"])
    rows = [row for row in parse_page(checked(columns)).rows if not row.get("AttributeOf")]
    found = [_column(row, facts.get(str(row["LogicalName"]), {}), navigations) for row in rows]
    return TableDefinition(
        name=str(about["LogicalName"]),
        entity_set=str(about["EntitySetName"]),
        key=str(about["PrimaryIdAttribute"]),
        primary_name=about.get("PrimaryNameAttribute"),
        label=_label(about.get("DisplayName")) or table,
        plural_label=_label(about.get("DisplayCollectionName")) or table,
        is_custom=about.get("IsCustomEntity") is True,
        ownership=str(about.get("OwnershipType")),
        columns={column.name: column for column in found},
    )


def _column(
    row: Row, facts: Mapping[str, Any], navigations: Mapping[str, Mapping[str, str]]
) -> ColumnDefinition:
    name = str(row["LogicalName"])
    return ColumnDefinition(
        name=name,
        label=_label(row.get("DisplayName")) or name,
        type=_value(row.get("AttributeTypeName")) or "",
        required=_value(row.get("RequiredLevel")) or "None",
        on_create=row.get("IsValidForCreate") is True,
        on_update=row.get("IsValidForUpdate") is True,
        readable=row.get("IsValidForRead") is True,
        max_length=facts.get("MaxLength"),
        minimum=facts.get("MinValue"),
        maximum=facts.get("MaxValue"),
        precision=facts.get("Precision"),
        format=facts.get("Format") or _value(facts.get("FormatName")),
        targets=tuple(facts.get("Targets") or ()),
        navigations=navigations.get(name, {}),
        choices=_choices(facts.get("OptionSet") or {}),
        custom=row.get("IsCustomAttribute") is True,
        date_only=_value(facts.get("DateTimeBehavior")) == "DateOnly",
        generated=bool(row.get("AutoNumberFormat")),
    )


def _choices(options: Mapping[str, Any]) -> tuple[Choice, ...]:
    if "TrueOption" in options:
        found = [options["FalseOption"], options["TrueOption"]]
    else:
        found = options.get("Options") or []
    return tuple(
        Choice(int(item["Value"]), _label(item.get("Label")) or str(item["Value"]), item.get("State"))
        for item in found
    )


def _label(given: Any) -> str | None:
    """A label in the user's language, or in any that there is."""
    if not isinstance(given, dict):
        return None
    own = given.get("UserLocalizedLabel")
    every = [own, *(given.get("LocalizedLabels") or [])]
    return next((label["Label"] for label in every if isinstance(label, dict) and label.get("Label")), None)


def _value(given: Any) -> str | None:
    """The value of a managed property or of an enumeration, such as ``{"Value": "StringType"}``."""
    return str(given["Value"]) if isinstance(given, dict) and given.get("Value") is not None else None
