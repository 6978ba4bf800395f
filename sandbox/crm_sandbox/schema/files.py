"""Table files: TOML that describes a table, the same for the standard tables and for an organisation's own.

A file names the table, its columns, what its lookups lead to, its alternate keys and its many-to-many
relationships. Columns that every table has (createdon, ownerid, statecode ...) follow from its ownership.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from crm_sandbox.schema.model import (
    LOOKUP_TYPES,
    NAMESPACE,
    AlternateKey,
    Choice,
    Column,
    ColumnType,
    ManyToMany,
    ManyToOne,
    OnDelete,
    Ownership,
    Requirement,
    Table,
)

_NAME = r"^[a-z][a-z0-9_]{0,99}$"
_NAVIGATION = r"^[A-Za-z][A-Za-z0-9_]{0,127}$"
_OWNERSHIP = {
    "user": Ownership.USER,
    "organization": Ownership.ORGANIZATION,
    "business": Ownership.BUSINESS,
    "none": Ownership.NONE,
}


class TableFileError(ValueError):
    """A table file that cannot be used; the text says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _ChoiceFact(_Strict):
    value: int
    label: str
    state: int | None = None


class _TargetFact(_Strict):
    table: str = Field(pattern=_NAME)
    navigation: str = Field(pattern=_NAVIGATION)
    collection: str = Field(pattern=_NAVIGATION)
    relationship: str | None = Field(default=None, pattern=_NAVIGATION)
    on_delete: OnDelete = OnDelete.UNLINK


class _ColumnFact(_Strict):
    type: ColumnType
    label: str
    description: str = ""
    max_length: int | None = Field(default=None, ge=1)
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = Field(default=None, ge=0, le=10)
    format: Literal["Text", "Email", "Phone", "Url", "TextArea"] | None = None
    required: Requirement = Requirement.NONE
    set_on: tuple[Literal["create", "update"], ...] = ("create", "update")
    choices: tuple[_ChoiceFact, ...] = ()
    default: bool | int | None = None
    targets: tuple[_TargetFact, ...] = ()
    indexed: bool = False

    @field_validator("choices", mode="before")
    @classmethod
    def _short_choices(cls, given: Any) -> Any:
        """Take ``[1, "Hot"]`` and ``[3, "Qualified", 1]`` (with the state) for a choice."""
        if not isinstance(given, list):
            return given
        names = ("value", "label", "state")
        return [
            dict(zip(names, item, strict=False)) if isinstance(item, list) and len(item) <= 3 else item
            for item in given
        ]


class _ManyToManyFact(_Strict):
    relationship: str = Field(pattern=_NAVIGATION)
    table: str = Field(pattern=_NAME)
    navigation: str = Field(pattern=_NAVIGATION)
    other_navigation: str = Field(pattern=_NAVIGATION)
    intersect: str | None = Field(default=None, pattern=_NAME)


class TableFile(_Strict):
    """The content of a table file. ``extends`` adds to a table that the API description names."""

    name: str = Field(pattern=_NAME)
    extends: bool = False
    entity_set: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,99})?$")
    key: str = Field(default="", pattern=r"^([a-z][a-z0-9_]{0,99})?$")
    primary_column: str = ""
    label: str = ""
    plural: str = ""
    object_type_code: int | None = None
    ownership: Literal["user", "organization", "business", "none"] = "user"
    activity: bool = False
    state: bool = True
    # What tools show of a row and ask for; a sandbox has no use for it.
    concise: tuple[str, ...] = ()
    create_needs: tuple[str, ...] = ()
    columns: dict[str, _ColumnFact] = {}
    keys: dict[str, tuple[str, ...]] = {}
    many_to_many: tuple[_ManyToManyFact, ...] = ()

    @classmethod
    def read(cls, path: Path) -> TableFile:
        """The table file at a path.

        Raises:
            TableFileError: The file cannot be read, is not TOML, or is not a table file.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TableFileError(f"{path}: the table file cannot be read: {error}") from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, origin: str) -> TableFile:
        """A table file from its text; ``origin`` names it in errors.

        Raises:
            TableFileError: The text is not TOML or not a table file.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise TableFileError(f"{origin}: not TOML: {error}") from None
        except ValidationError as error:
            raise TableFileError(f"{origin}: {_reason(error)}") from None

    def table(self, base: Table | None = None, *, custom: bool = False) -> Table:
        """The table that the file describes, or ``base`` with what the file adds.

        Raises:
            TableFileError: A column refers to what is not there.
        """
        columns = {name: self._column(name, fact, custom) for name, fact in self.columns.items()}
        lookups = {
            lookup.navigation: lookup
            for name, fact in self.columns.items()
            for lookup in self._lookups(name, fact, custom)
        }
        many = {fact.navigation: self._many_to_many(fact, custom) for fact in self.many_to_many}
        keys = {name: AlternateKey(name, key) for name, key in self.keys.items()}
        if base is not None:
            return Table(
                name=base.name,
                entity_set=base.entity_set,
                key=base.key,
                primary_name=base.primary_name,
                label=base.label,
                plural=self.plural or base.plural,
                object_type_code=self.object_type_code or base.object_type_code,
                ownership=base.ownership,
                columns={**base.columns, **columns},
                lookups={**base.lookups, **lookups},
                many_to_many={**base.many_to_many, **many},
                keys=keys,
            )
        self._check(columns)
        return Table(
            name=self.name,
            entity_set=self.entity_set or f"{self.name}s",
            key=self.key or f"{self.name}id",
            primary_name=self.primary_column,
            label=self.label or self.name,
            plural=self.plural or f"{self.label or self.name}s",
            object_type_code=self.object_type_code or 10_000 + sum(self.name.encode()) % 10_000,
            ownership=_OWNERSHIP[self.ownership],
            columns=columns,
            lookups=lookups,
            many_to_many=many,
            keys=keys,
            is_activity=self.activity,
            is_custom=custom,
            is_stateless=not self.state,
        )

    def _many_to_many(self, fact: _ManyToManyFact, custom: bool) -> ManyToMany:
        own, other = f"{self.name}id", f"{fact.table}id"
        if own == other:
            own, other = f"{own}one", f"{other}two"
        return ManyToMany(
            name=fact.relationship,
            table=self.name,
            navigation=fact.navigation,
            column=own,
            other=fact.table,
            other_navigation=fact.other_navigation,
            other_column=other,
            intersect=fact.intersect or fact.relationship.lower(),
            custom=custom,
        )

    def _check(self, columns: Mapping[str, Column]) -> None:
        if self.primary_column not in columns:
            raise TableFileError(
                f"table {self.name}: primary_column '{self.primary_column}' is none of its columns"
            )
        for key, names in self.keys.items():
            for name in names:
                if name not in columns:
                    raise TableFileError(f"table {self.name}: key {key} names '{name}', which is no column")

    def _column(self, name: str, fact: _ColumnFact, custom: bool) -> Column:
        if (fact.type in LOOKUP_TYPES) != bool(fact.targets):
            raise TableFileError(
                f"table {self.name}: column {name} of type {fact.type} "
                + ("needs targets" if not fact.targets else "cannot have targets")
            )
        if (fact.type in (ColumnType.PICKLIST, ColumnType.MULTI_SELECT)) and not fact.choices:
            raise TableFileError(f"table {self.name}: column {name} of type {fact.type} needs choices")
        return Column(
            name=name,
            type=fact.type,
            label=fact.label,
            description=fact.description,
            max_length=fact.max_length or _LENGTHS.get(fact.type),
            minimum=fact.minimum if fact.minimum is not None else _LOWEST.get(fact.type),
            maximum=fact.maximum if fact.maximum is not None else _HIGHEST.get(fact.type),
            precision=fact.precision if fact.precision is not None else _PRECISIONS.get(fact.type),
            format=fact.format,
            required=fact.required,
            on_create="create" in fact.set_on,
            on_update="update" in fact.set_on,
            choices=tuple(Choice(item.value, item.label, item.state) for item in fact.choices),
            default=fact.default,
            targets=tuple(target.table for target in fact.targets),
            indexed=fact.indexed or fact.type in LOOKUP_TYPES,
            custom=custom,
        )

    def _lookups(self, name: str, fact: _ColumnFact, custom: bool) -> list[ManyToOne]:
        return [
            ManyToOne(
                name=target.relationship or target.collection,
                table=self.name,
                column=name,
                target=target.table,
                navigation=target.navigation,
                collection=target.collection,
                on_delete=target.on_delete,
                custom=custom,
            )
            for target in fact.targets
        ]


# Ranges and lengths that Dataverse takes when a column is made without them.
# https://learn.microsoft.com/power-apps/maker/data-platform/types-of-fields
_LENGTHS = {ColumnType.STRING: 100, ColumnType.MEMO: 2_000, ColumnType.ENTITY_NAME: 64}
_LOWEST = {
    ColumnType.INTEGER: -(2.0**31),
    ColumnType.BIGINT: -(2.0**63),
    ColumnType.DOUBLE: -1e11,
    ColumnType.DECIMAL: -1e11,
    ColumnType.MONEY: -922_337_203_685_477.0,
}
_HIGHEST = {
    ColumnType.INTEGER: 2.0**31 - 1,
    ColumnType.BIGINT: 2.0**63 - 1,
    ColumnType.DOUBLE: 1e11,
    ColumnType.DECIMAL: 1e11,
    ColumnType.MONEY: 922_337_203_685_477.0,
}
_PRECISIONS = {ColumnType.DOUBLE: 5, ColumnType.DECIMAL: 10, ColumnType.MONEY: 4}


_KEYS = {
    "targets": _TargetFact.model_fields,
    "columns": _ColumnFact.model_fields,
    "many_to_many": _ManyToManyFact.model_fields,
}


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        level = "targets" if "targets" in first["loc"] else first["loc"][0] if len(first["loc"]) > 1 else ""
        known = _KEYS.get(str(level), TableFile.model_fields)
        close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        return f"unknown key '{where}'" + (f"; did you mean '{close[0]}'?" if close else "")
    return f"{where}: {first['msg']}"


def odata_type(table: str) -> str:
    """The type name of a table's rows on the wire."""
    return f"#{NAMESPACE}.{table}"
