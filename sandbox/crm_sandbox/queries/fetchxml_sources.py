"""Where the rows of a fetch come from: its table, the linked ones, and the conditions on them.

https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/join-tables
https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/filter-rows
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from crm_sandbox.queries.fetchxml_reading import (
    INVALID_ALIAS,
    INVALID_FILTER_TYPE,
    INVALID_LINK_TYPE,
    LINK_ATTRIBUTES,
    NO_ATTRIBUTE,
    NO_TABLE,
    UNKNOWN_ALIAS,
    alias_of,
    refused,
    required,
)
from crm_sandbox.queries.operators import fetch_condition
from crm_sandbox.queries.sql import Aliases, Asker, Condition, Operand, Source, all_of, any_of
from crm_sandbox.schema.model import Column, ColumnType, ManyToMany, Ownership, Schema, Table
from crm_sandbox.store import intersects, quoted

_SIGNS = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_JOINS = {"inner": "JOIN", "outer": "LEFT JOIN"}
_FIRST_MATCH = "matchfirstrowusingcrossapply"
_SEMI_JOINS = frozenset({"exists", "in"})
_IN_FILTERS = frozenset({"any", "not any", "all", "not all"})


@dataclass(frozen=True, slots=True)
class Shown:
    """A table whose columns can be answered. ``prefix`` stands before their names, with a dot.

    ``bare`` is set on a link of which the first match is taken: the documentation says that its columns
    are named without the alias, by schema names.
    """

    element: Element
    source: Source
    prefix: str | None = None
    bare: bool = False

    def name_of(self, column: Column) -> str:
        """The property that answers a column."""
        if self.bare:
            return column.name.capitalize()
        return column.wire if self.prefix is None else f"{self.prefix}.{column.name}"


@dataclass
class Block:
    """A FROM and a WHERE clause under construction: the statement's, or a subquery's."""

    joins: list[Condition] = field(default_factory=list)
    where: list[Condition] = field(default_factory=list)
    names: dict[str, Source] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)

    def body(self, root: Source) -> Condition:
        """``FROM ... WHERE ...``."""
        clauses = " ".join([f"{quoted(root.table.name)} {root.alias}", *(join.sql for join in self.joins)])
        where = all_of(self.where)
        values: list[Any] = [value for join in self.joins for value in join.values]
        return Condition(f"FROM {clauses} WHERE {where.sql}", (*values, *where.values))


def operand_of(source: Source, name: str) -> Operand:
    """The column of a logical name.

    Raises:
        ODataError: 400, the table does not have it.
    """
    if name not in source.table.columns:
        raise refused(
            f"'{source.table.name}' entity doesn't contain attribute with Name = '{name[:80]}' and "
            "NameMapping = 'Logical'.",
            NO_ATTRIBUTE,
        )
    return source.operand(name)


class Sources:
    """Compiles the links and filters of one fetch. ``tables`` are those that it reads."""

    def __init__(self, fetch: Element, schema: Schema, asker: Asker) -> None:
        self._schema = schema
        self._asker = asker
        self._aliases = Aliases()
        self._intersects = intersects(schema)
        self._numbers = {id(link): place for place, link in enumerate(fetch.iter("link-entity"), 1)}
        self._taken: set[str] = set()
        self.tables: dict[str, Table] = {}
        self.block = Block()
        entity = fetch[0]
        self.root = self._source(self._table(required(entity, "name")))
        self.block.shown.append(Shown(entity, self.root))
        self._add_links(entity, self.root, self.block)
        # The root's filters come last: they may name every link.
        self.block.where += self._filters(entity, self.root, self.block)

    def _source(self, table: Table) -> Source:
        return Source(self._aliases.fresh(), table)

    def _table(self, name: str) -> Table:
        table = self._schema.get(name)
        if table is not None:
            self.tables[name] = table
            return table
        raise refused(
            f"The entity with a name = '{name[:80]}' with namemapping = 'Logical' was not found in the "
            "MetadataCache.",
            NO_TABLE,
        )

    def _linked_table(self, link: Element) -> Table:
        name = required(link, "name")
        many = self._intersects.get(name)
        if many is None:
            return self._table(name)
        # Of its two columns the key is the one that the link does not go by: it tells the rows apart.
        return _intersect_table(many.reversed() if link.get("from") == many.column else many)

    def _add_links(self, element: Element, parent: Source, block: Block) -> None:
        for link in element.findall("link-entity"):
            kind = link.get("link-type", "inner")
            if kind in _SEMI_JOINS:
                block.where.append(self._exists(link, parent, block))
            elif kind in _JOINS or kind == _FIRST_MATCH:
                self._join(link, parent, block, kind)
            else:
                raise refused(f"Invalid link-type specified: '{kind[:80]}'.", INVALID_LINK_TYPE)

    def _join(self, link: Element, parent: Source, block: Block, kind: str) -> None:
        source = self._source(self._linked_table(link))
        prefix = self._named(link, source, block)
        if kind == _FIRST_MATCH:
            condition = self._first_match(link, source, parent, block)
        else:
            condition = self._on(link, source, parent, block)
        word = _JOINS.get(kind, "JOIN")
        sql = f"{word} {quoted(source.table.name)} {source.alias} ON {condition.sql}"
        block.joins.append(Condition(sql, condition.values))
        block.shown.append(Shown(link, source, prefix, bare=kind == _FIRST_MATCH))
        self._add_links(link, source, block)

    def _on(self, link: Element, source: Source, parent: Source, block: Block) -> Condition:
        return all_of([_equal(link, source, parent), *self._filters(link, source, block)])

    def _first_match(self, link: Element, source: Source, parent: Source, block: Block) -> Condition:
        """The link is one row: the first by its key of those that match."""
        first = self._source(source.table)
        condition = self._on(link, first, parent, block)
        table = quoted(source.table.name)
        chosen = (
            f"SELECT {first.key} FROM {table} {first.alias} WHERE {condition.sql} "  # noqa: S608 - names of the schema
            f"ORDER BY {first.key} LIMIT 1"
        )
        return all_of(
            [Condition(f"{source.key} = ({chosen})", condition.values), _equal(link, source, parent)]
        )

    def _named(self, link: Element, source: Source, block: Block) -> str:
        """Make a link known by its alias, or by its table where it has none, and name its columns' prefix."""
        alias = alias_of(link)
        prefix = alias or f"{source.table.name}{self._numbers[id(link)]}"
        if prefix in self._taken:
            raise refused(f"The alias '{prefix}' is used more than once.", INVALID_ALIAS)
        self._taken.add(prefix)
        if alias is None:
            block.names.setdefault(source.table.name, source)
        else:
            block.names[alias] = source
        return prefix

    def _exists(self, link: Element, parent: Source, block: Block, *, filtered: bool = True) -> Condition:
        """There is a linked row; ``filtered`` says whether it must meet the link's filters and links."""
        if link.find("attribute") is not None or link.find("all-attributes") is not None:
            raise refused(f"A link-entity of link-type '{link.get('link-type')}' cannot return attributes.")
        source = self._source(self._linked_table(link))
        inner = Block(names=dict(block.names))
        inner.where.append(_equal(link, source, parent))
        if filtered:
            inner.names[alias_of(link) or source.table.name] = source
            self._add_links(link, source, inner)
            inner.where += self._filters(link, source, inner)
        body = inner.body(source)
        return Condition(f"(EXISTS (SELECT 1 {body.sql}))", body.values)

    def _related(self, link: Element, parent: Source, block: Block) -> Condition:
        """A link within a filter. "All" means: there are some, and none that meets the filters.

        https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/filter-rows#filter-on-values-in-related-records
        """
        kind = link.get("link-type", "inner")
        if kind not in _IN_FILTERS:
            raise refused(f"Invalid link-type specified for a filter: '{kind[:80]}'.", INVALID_LINK_TYPE)
        matching = self._exists(link, parent, block)
        if kind in ("any", "not all"):
            return matching
        if kind == "not any":
            return matching.negated()
        return all_of([self._exists(link, parent, block, filtered=False), matching.negated()])

    def _filters(self, element: Element, source: Source, block: Block) -> list[Condition]:
        return [self._filter(item, source, block) for item in element.findall("filter")]

    def _filter(self, element: Element, source: Source, block: Block) -> Condition:
        kind = element.get("type", "and")
        if kind not in ("and", "or"):
            raise refused(f"Invalid filter type specified: '{kind[:80]}'.", INVALID_FILTER_TYPE)
        source = self._scope(element, source, block)
        parts = [self._part(child, source, block) for child in element]
        if not parts:
            return Condition("1")
        return all_of(parts) if kind == "and" else any_of(parts)

    def _part(self, element: Element, source: Source, block: Block) -> Condition:
        if element.tag == "filter":
            return self._filter(element, source, block)
        if element.tag == "link-entity":
            return self._related(element, source, block)
        return self._condition(element, self._scope(element, source, block), block)

    def _scope(self, element: Element, source: Source, block: Block) -> Source:
        """The source that ``entityname`` names; without it the one that the filter stands in."""
        name = element.get("entityname")
        return source if name is None else named_source(name, block)

    def _condition(self, element: Element, source: Source, block: Block) -> Condition:
        operand = operand_of(source, required(element, "attribute"))
        operator = required(element, "operator")
        other = element.get("valueof")
        if other is not None:
            return _columns(operator, operand, self._value_of(other, source, block))
        return fetch_condition(operator, operand, _values(element), self._asker, self._schema)

    def _value_of(self, path: str, source: Source, block: Block) -> Operand:
        alias, dot, name = path.rpartition(".")
        return operand_of(named_source(alias, block) if dot else source, name)


def named_source(name: str, block: Block) -> Source:
    """The link of an alias.

    Raises:
        ODataError: 400, no link before this place has it.
    """
    source = block.names.get(name)
    if source is None:
        raise refused(f"The specified alias does not exist: '{name[:80]}'.", UNKNOWN_ALIAS)
    return source


def _equal(link: Element, source: Source, parent: Source) -> Condition:
    names = link.get("from"), link.get("to")
    if not all(names):
        raise refused("A link-entity takes the attributes 'from' and 'to'.", LINK_ATTRIBUTES)
    near, far = operand_of(source, str(names[0])), operand_of(parent, str(names[1]))
    for operand in (near, far):
        if operand.column.type is ColumnType.MULTI_SELECT:
            raise refused(f"'{operand.column.name}' is a choices column, by which nothing can be linked.")
    return Condition(f"({near.compared} = {far.compared})")


def _columns(operator: str, left: Operand, right: Operand) -> Condition:
    """A column compared with another one, which is of the same type.

    https://learn.microsoft.com/power-apps/developer/data-platform/column-comparison
    """
    if operator not in (*_SIGNS, "ne", "neq"):
        raise refused(f"The operator '{operator[:80]}' cannot compare columns.")
    if left.column.type is not right.column.type and not (left.column.is_lookup and right.column.is_lookup):
        raise refused(f"'{left.column.name}' and '{right.column.name}' are of different types.")
    if operator in _SIGNS:
        return Condition(f"({left.compared} {_SIGNS[operator]} {right.compared})")
    return Condition(f"({left.compared} <> {right.compared} OR {left.sql} IS NULL)")


def _values(element: Element) -> list[str]:
    """The values of a condition: its children, or else its attribute."""
    children = [value.text or "" for value in element.findall("value")]
    given = element.get("value")
    return children if children or given is None else [given]


def _intersect_table(many: ManyToMany) -> Table:
    """The intersect table of a many-to-many relationship, as a fetch sees it."""
    return Table(
        name=many.intersect,
        entity_set=many.intersect,
        key=many.column,
        primary_name=many.column,
        label=many.intersect,
        plural=many.intersect,
        object_type_code=0,
        ownership=Ownership.NONE,
        columns=_ids((many.column, many.other_column)),
    )


def _ids(names: Iterable[str]) -> dict[str, Column]:
    return {name: Column(name, ColumnType.UNIQUEIDENTIFIER, name) for name in names}
