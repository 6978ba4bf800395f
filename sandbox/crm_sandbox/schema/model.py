"""What a table of the sandbox is: columns, lookups, collections, alternate keys.

Names are Dataverse's logical names. On the wire a lookup reads as ``_parentaccountid_value``
(:attr:`Column.wire`) and is set through the navigation property of its relationship.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

NAMESPACE = "Microsoft.Dynamics.CRM"


class ColumnType(StrEnum):
    """Attribute types by their names in the metadata; ``DATE_ONLY`` is a DateTime with that behaviour.

    https://learn.microsoft.com/power-apps/developer/data-platform/entity-attribute-metadata
    """

    UNIQUEIDENTIFIER = "Uniqueidentifier"
    STRING = "String"
    MEMO = "Memo"
    INTEGER = "Integer"
    BIGINT = "BigInt"
    DOUBLE = "Double"
    DECIMAL = "Decimal"
    MONEY = "Money"
    BOOLEAN = "Boolean"
    DATE_ONLY = "DateOnly"
    DATE_TIME = "DateTime"
    PICKLIST = "Picklist"
    MULTI_SELECT = "MultiSelectPicklist"
    STATE = "State"
    STATUS = "Status"
    LOOKUP = "Lookup"
    CUSTOMER = "Customer"
    OWNER = "Owner"
    ENTITY_NAME = "EntityName"


LOOKUP_TYPES = frozenset({ColumnType.LOOKUP, ColumnType.CUSTOMER, ColumnType.OWNER})
CHOICE_TYPES = frozenset({ColumnType.PICKLIST, ColumnType.STATE, ColumnType.STATUS})
TEXT_TYPES = frozenset({ColumnType.STRING, ColumnType.MEMO, ColumnType.ENTITY_NAME})
WHOLE_NUMBER_TYPES = frozenset({ColumnType.INTEGER, ColumnType.BIGINT})
REAL_NUMBER_TYPES = frozenset({ColumnType.DOUBLE, ColumnType.DECIMAL, ColumnType.MONEY})
NUMBER_TYPES = WHOLE_NUMBER_TYPES | REAL_NUMBER_TYPES
TIME_TYPES = frozenset({ColumnType.DATE_ONLY, ColumnType.DATE_TIME})
ID_TYPES = LOOKUP_TYPES | {ColumnType.UNIQUEIDENTIFIER}


class Requirement(StrEnum):
    """How much a column is required. The Web API enforces SystemRequired only."""

    NONE = "None"
    RECOMMENDED = "Recommended"
    APPLICATION = "ApplicationRequired"
    SYSTEM = "SystemRequired"


class OnDelete(StrEnum):
    """What happens to the rows that refer to a row when it is deleted.

    https://learn.microsoft.com/power-apps/developer/data-platform/configure-entity-relationship-cascading-behavior
    """

    CASCADE = "cascade"
    UNLINK = "unlink"
    RESTRICT = "restrict"


class Ownership(StrEnum):
    """Who owns the rows of a table."""

    USER = "UserOwned"
    ORGANIZATION = "OrganizationOwned"
    BUSINESS = "BusinessOwned"
    NONE = "None"


OWNERS = frozenset({"systemuser", "team"})
"""Tables whose rows are owners, which have ``ownerid`` as a second name for their key."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a choice. ``state`` is set on status reasons: the state that they belong to."""

    value: int
    label: str
    state: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``computed`` is the SQL expression of a column that is derived from others of the row.

    ``on_create`` and ``on_update`` say whether a request may set it; what it may not set is ignored.
    """

    name: str
    type: ColumnType
    label: str
    description: str = ""
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = None
    format: str | None = None
    required: Requirement = Requirement.NONE
    on_create: bool = True
    on_update: bool = True
    choices: tuple[Choice, ...] = ()
    default: int | bool | None = None
    targets: tuple[str, ...] = ()
    computed: str | None = None
    indexed: bool = False
    custom: bool = False
    own_schema_name: str = ""

    @property
    def schema_name(self) -> str:
        """The name in the metadata, with capitals."""
        return self.own_schema_name or (self.name if self.custom else self.name[:1].upper() + self.name[1:])

    @property
    def is_lookup(self) -> bool:
        """Whether the column refers to a row."""
        return self.type in LOOKUP_TYPES

    @property
    def is_polymorphic(self) -> bool:
        """Whether it may refer to rows of several tables, so that the table is stored beside the id."""
        return len(self.targets) > 1

    @property
    def wire(self) -> str:
        """The name of the property that answers it."""
        return f"_{self.name}_value" if self.is_lookup else self.name

    @property
    def type_column(self) -> str:
        """The SQL column that holds which table a polymorphic lookup's value is a row of."""
        return f"{self.name}.table"

    def label_of(self, value: int) -> str | None:
        """The label of a choice's value."""
        return next((choice.label for choice in self.choices if choice.value == value), None)


_PARENTAL = frozenset({"account_parent_account", "contact_customer_contacts"})
"""Relationships in which rows change their owner with the row above, but are not deleted with it."""


@dataclass(frozen=True, slots=True)
class ManyToOne:
    """A lookup from ``table`` to ``target``, seen from both ends.

    ``navigation`` is the single-valued navigation property of ``table``, ``collection`` the
    collection-valued one of ``target``, ``name`` the relationship's schema name.
    """

    name: str
    table: str
    column: str
    target: str
    navigation: str
    collection: str
    on_delete: OnDelete = OnDelete.UNLINK
    custom: bool = False

    @property
    def assigns(self) -> bool:
        """Whether rows of ``table`` get a new owner together with the row of ``target`` they belong to.

        https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/account, .../contact
        """
        return not self.custom and (self.on_delete is OnDelete.CASCADE or self.name in _PARENTAL)


@dataclass(frozen=True, slots=True)
class ManyToMany:
    """A relationship through an intersect table, as ``table`` sees it.

    The intersect table has two columns: ``column`` holds keys of ``table``, ``other_column`` keys of
    ``other``.
    """

    name: str
    table: str
    navigation: str
    column: str
    other: str
    other_navigation: str
    other_column: str
    intersect: str
    custom: bool = False
    turned: bool = False
    """Whether ``table`` is the second of the two in the metadata."""

    def reversed(self) -> ManyToMany:
        """The same relationship as the other table sees it."""
        return replace(
            self,
            table=self.other,
            navigation=self.other_navigation,
            column=self.other_column,
            other=self.table,
            other_navigation=self.navigation,
            other_column=self.column,
            turned=not self.turned,
        )


@dataclass(frozen=True, slots=True)
class AlternateKey:
    """Columns whose values together name one row."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table: ``name`` is the logical name, ``entity_set`` its name in addresses.

    ``columns`` are by logical name, ``lookups`` by navigation property.
    """

    name: str
    entity_set: str
    key: str
    primary_name: str
    label: str
    plural: str
    object_type_code: int
    ownership: Ownership
    columns: Mapping[str, Column]
    lookups: Mapping[str, ManyToOne] = field(default_factory=dict)
    many_to_many: Mapping[str, ManyToMany] = field(default_factory=dict)
    keys: Mapping[str, AlternateKey] = field(default_factory=dict)
    is_activity: bool = False
    is_custom: bool = False
    is_stateless: bool = False
    own_schema_name: str = ""
    union_of: tuple[str, ...] = ()
    """Tables whose rows a read-only table shows together, such as activitypointer."""

    @cached_property
    def by_wire(self) -> Mapping[str, Column]:
        """Columns by the names of the properties that answer them."""
        return {column.wire: column for column in self.columns.values()}

    @property
    def schema_name(self) -> str:
        """The name in the metadata, with capitals."""
        return self.own_schema_name or (self.name if self.is_custom else self.name.capitalize())

    @property
    def is_read_only(self) -> bool:
        """Whether its rows can only be read."""
        return bool(self.union_of)

    @property
    def has_state(self) -> bool:
        """Whether rows have a state and a status reason."""
        return "statecode" in self.columns

    def lookups_of(self, column: str) -> Iterator[ManyToOne]:
        """The relationships that a lookup column takes part in, one for each target."""
        return (lookup for lookup in self.lookups.values() if lookup.column == column)


class Schema:
    """All tables of one sandbox. Tables can be added, replaced and removed while it runs."""

    def __init__(self, tables: Iterable[Table] = ()) -> None:
        self._tables: Mapping[str, Table] = {}
        self._sets: dict[str, str] = {}
        self._incoming: dict[str, dict[str, ManyToOne]] = {}
        self._become({table.name: table for table in tables})
        self._first = self._tables

    @property
    def tables(self) -> Mapping[str, Table]:
        """Tables by logical name. It is never changed: a change of the schema puts another in its place."""
        return self._tables

    @property
    def first(self) -> Mapping[str, Table]:
        """The tables of the start."""
        return self._first

    def put(self, *tables: Table) -> None:
        """Add tables, or put others in the place of those of their names."""
        self._become({**self._tables, **{table.name: table for table in tables}})

    def remove(self, name: str) -> None:
        """Forget a table."""
        self._become({known: table for known, table in self._tables.items() if known != name})

    def go_back_to(self, tables: Mapping[str, Table] | None = None) -> None:
        """Undo changes: back to earlier :attr:`tables`, or to those of the start."""
        wanted = self._first if tables is None else tables
        if wanted is not self._tables:
            self._become(wanted)

    def __getitem__(self, name: str) -> Table:
        return self._tables[name]

    def get(self, name: str) -> Table | None:
        """The table of a logical name."""
        return self._tables.get(name)

    def of_entity_set(self, entity_set: str) -> Table | None:
        """The table of an entity set; the name's case counts."""
        name = self._sets.get(entity_set)
        return None if name is None else self._tables[name]

    def incoming(self, table: Table) -> Mapping[str, ManyToOne]:
        """Relationships whose lookups lead to the table, by its collection-valued navigation property."""
        return self._incoming.get(table.name, {})

    def _become(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._sets = {table.entity_set: table.name for table in self._tables.values()}
        self._incoming = {}
        for table in self._tables.values():
            for lookup in table.lookups.values():
                self._incoming.setdefault(lookup.target, {})[lookup.collection] = lookup
