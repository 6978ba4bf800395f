"""Facts about Dataverse tables: columns, choices, lookups and relationships.

The values are read from the API description (:mod:`crm_tools.description`); this module only says
what such a fact is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property


class ColumnType(StrEnum):
    """Dataverse attribute types, by their names in the metadata."""

    UNIQUEIDENTIFIER = "Uniqueidentifier"
    STRING = "String"
    MEMO = "Memo"
    INTEGER = "Integer"
    BIGINT = "BigInt"
    DECIMAL = "Decimal"
    DOUBLE = "Double"
    MONEY = "Money"
    BOOLEAN = "Boolean"
    DATE_ONLY = "DateOnly"
    DATE_TIME = "DateTime"
    PICKLIST = "Picklist"
    MULTI_SELECT = "MultiSelectPicklist"
    STATE = "State"
    STATUS = "Status"
    LOOKUP = "Lookup"
    ENTITY_NAME = "EntityName"


CHOICE_TYPES = frozenset({ColumnType.PICKLIST, ColumnType.STATE, ColumnType.STATUS})
WHOLE_TYPES = frozenset({ColumnType.INTEGER, ColumnType.BIGINT})
NUMBER_TYPES = WHOLE_TYPES | {ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.MONEY}
TEXT_TYPES = frozenset({ColumnType.STRING, ColumnType.MEMO})


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a choice column. ``state`` is set on status reasons: the state they belong to."""

    value: int
    label: str
    state: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the wire names it; a lookup's name is ``_parentaccountid_value``.

    ``on_create`` and ``on_update`` say whether a request body may set the column. Lookups are never set
    through this name but through their :class:`Navigation`.
    """

    name: str
    type: ColumnType
    label: str
    max_length: int | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    required: bool = False
    on_create: bool = True
    on_update: bool = True
    choices: tuple[Choice, ...] = ()
    lookup: str | None = None
    targets: tuple[str, ...] = ()
    custom: bool = False
    """Whether an organisation made it, so that only its label says what it is."""

    @property
    def short_name(self) -> str:
        """The name an answer uses: the lookup's own name for lookups, else the column's name."""
        return self.lookup or self.name


def lookup_column(name: str, label: str, targets: tuple[str, ...]) -> Column:
    """The column of the lookup ``name``; bodies set it through a navigation, never by this name."""
    return Column(
        f"_{name}_value",
        ColumnType.LOOKUP,
        label,
        on_create=False,
        on_update=False,
        lookup=name,
        targets=targets,
    )


@dataclass(frozen=True, slots=True)
class Navigation:
    """A single-valued navigation property through which a lookup is set and expanded.

    ``parentcustomerid_account`` writes the column ``_parentcustomerid_value`` with a row of ``account``.
    ``writable`` is false where a body may not bind it.
    """

    name: str
    column: str
    table: str
    label: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Relationship:
    """A one-to-many navigation property: ``contact_customer_accounts`` of ``account`` holds contacts.

    ``lookup`` is the navigation property of ``table`` that points back. ``cascades`` says that related rows
    are deleted with the row; otherwise they lose their link.
    """

    name: str
    table: str
    lookup: str
    cascades: bool


@dataclass(frozen=True)
class Table:
    """A Dataverse table: ``name`` is the logical name, ``entity_set`` its name in addresses."""

    name: str
    entity_set: str
    key: str
    primary_name: str
    label: str
    columns: Mapping[str, Column]
    navigations: Mapping[str, Navigation] = field(default_factory=dict)
    relationships: Mapping[str, Relationship] = field(default_factory=dict)
    many_to_many: Mapping[str, str] = field(default_factory=dict)
    """Collections of rows that are connected by a many-to-many relationship, and the tables of these."""
    concise: tuple[str, ...] = ()
    create_needs: tuple[str, ...] = ()
    note: str = ""
    """What whoever reads its description has to know of where it comes from."""
    is_internal: bool = False
    """Whether it serves tools themselves: a policy judges it as any table, but nobody names it to a tool."""

    @cached_property
    def by_short_name(self) -> Mapping[str, Column]:
        """Columns by wire name and, for lookups, also by the lookup's own name."""
        return {**{column.short_name: column for column in self.columns.values()}, **self.columns}

    @property
    def has_names(self) -> bool:
        """Whether its rows have names; else its key stands for the name."""
        return self.primary_name != self.key

    def without(self, columns: frozenset[str]) -> Table:
        """The table without these columns and the lookups that they are; its key stays."""
        kept = {name: column for name, column in self.columns.items() if name not in columns}
        ways = {name: way for name, way in self.navigations.items() if way.column not in columns}
        needs = tuple(name for name in self.create_needs if name in kept)
        return replace(self, columns=kept, navigations=ways, create_needs=needs)
