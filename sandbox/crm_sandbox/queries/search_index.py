"""The words of rows in SQLite's full-text index, for Dataverse search.

Each searched table has an index of its text columns that triggers keep current. It is made when something
is first searched for, so that nothing of it is felt before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

from crm_sandbox.queries.search_syntax import Pattern, Phrase, Term, Word
from crm_sandbox.schema.model import Column, ColumnType, Schema, Table
from crm_sandbox.store import Store, quoted

HIT, HIT_END = "{crmhit}", "{/crmhit}"
_SEARCHED = frozenset(
    {"account", "contact", "lead", "opportunity", "task", "phonecall", "appointment", "annotation"}
)
_NOT_SEARCHED = frozenset({"documentbody", "mimetype"})
_MOST_SPELLINGS = 50
"""Words that a misspelled word or a pattern stands for; the rest are left out."""


def searched_tables(schema: Schema) -> Iterator[Table]:
    """The tables that are enabled for search: those of selling and the organisation's own."""
    for table in schema.tables.values():
        if (table.name in _SEARCHED or table.is_custom) and not table.union_of and searched_columns(table):
            yield table


def searched_columns(table: Table) -> tuple[Column, ...]:
    """The columns whose words are indexed."""
    return tuple(
        column
        for column in table.columns.values()
        if column.type in (ColumnType.STRING, ColumnType.MEMO) and column.name not in _NOT_SEARCHED
    )


def index_name(table: Table) -> str:
    """The index of a table, as SQL writes it."""
    return quoted(f"{table.name}.search")


def _words_name(table: Table) -> str:
    return quoted(f"{table.name}.search.words")


class FullText:
    """The indexes of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def prepare(self, table: Table) -> None:
        """Make the index of a table, if it does not exist or is of other columns."""
        wanted = _definitions(table)
        marks = ",".join("?" * len(wanted))
        found = self._store.connection.execute(
            f"SELECT name, sql FROM sqlite_master WHERE name IN ({marks})",  # noqa: S608 - marks for values
            list(wanted),
        )
        if dict(found.fetchall()) == wanted:
            return
        self.remove(table.name)
        for sql in wanted.values():
            self._store.connection.execute(sql)
        name = index_name(table)
        self._store.connection.execute(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")  # noqa: S608 - a name of the schema

    def remove(self, table: str) -> None:
        """Forget the index of a table, before its columns are removed; the next search makes another."""
        for event in ("insert", "update", "delete"):
            self._store.connection.execute(f"DROP TRIGGER IF EXISTS {quoted(f'{table}.search.{event}')}")
        for name in (f"{table}.search.words", f"{table}.search"):
            self._store.connection.execute(f"DROP TABLE IF EXISTS {quoted(name)}")

    def match(self, table: Table, columns: Iterable[Column], term: Term) -> str | None:
        """What the index is asked for a term in some columns; None where it cannot be found.

        The words of the request stand in quotes, so none of them is an operator of the index.
        """
        asked = self._asked(table, term)
        if asked is None:
            return None
        return f"{{{' '.join(quoted(column.name) for column in columns)}}} : ({asked})"

    def _asked(self, table: Table, term: Term) -> str | None:
        match term:
            case Word(text, prefix, 0):
                return f"{_string(text)}{' *' if prefix else ''}"
            case Word():
                return _any_of(self._spellings(table, term))
            case Phrase(text, None):
                return _string(text)
            case Phrase(text, slop):
                return f"NEAR({' '.join(map(_string, _words(text)))}, {slop})"
            case Pattern(glob):
                return _any_of(self._words_like(table, glob))

    def _words_like(self, table: Table, glob: str) -> list[str]:
        found = self._store.connection.execute(
            f"SELECT term FROM {_words_name(table)} WHERE term GLOB ? ORDER BY doc DESC, term LIMIT ?",  # noqa: S608 - a name of the schema
            [_indexed(glob), _MOST_SPELLINGS],
        )
        return [word for (word,) in found]

    def _spellings(self, table: Table, word: Word) -> list[str]:
        """The indexed words that a misspelled word may mean, the commonest first."""
        shortest = len(_indexed(word.text)) - word.edits
        found = self._store.connection.execute(
            f"SELECT term FROM {_words_name(table)} WHERE length(term) >= ? ORDER BY doc DESC, term",  # noqa: S608 - a name of the schema
            [shortest],
        )
        near = (term for (term,) in found if is_spelling(word, term))
        return list(islice(near, _MOST_SPELLINGS))

    def size(self, table: Table) -> int:
        """The bytes that the index of a table takes."""
        sql = f"SELECT coalesce(sum(length(block)), 0) FROM {quoted(f'{table.name}.search_data')}"  # noqa: S608 - a name of the schema
        ((size,),) = self._store.connection.execute(sql).fetchall()
        return int(size)


def is_spelling(word: Word, found: str) -> bool:
    """Whether a word that was found is what was looked for, or begins so, but for a few characters."""
    wanted, found = _indexed(word.text), _indexed(found)
    if not word.prefix:
        return _distance(wanted, found, word.edits) <= word.edits
    lengths = range(max(len(wanted) - word.edits, 0), len(wanted) + word.edits + 1)
    return any(_distance(wanted, found[:length], word.edits) <= word.edits for length in lengths)


def _definitions(table: Table) -> dict[str, str]:
    """The statements that make an index and what keeps it current, by the names of what they make."""
    index, base = index_name(table), quoted(table.name)
    names = [column.name for column in searched_columns(table)]
    columns = ", ".join(map(quoted, names))
    old = ", ".join(f"old.{quoted(name)}" for name in names)
    new = ", ".join(f"new.{quoted(name)}" for name in names)
    changed = " OR ".join(f"old.{quoted(name)} IS NOT new.{quoted(name)}" for name in names)
    add = f"INSERT INTO {index} (rowid, {columns}) VALUES (new.rowid, {new});"  # noqa: S608 - names of the schema
    remove = f"INSERT INTO {index} ({index}, rowid, {columns}) VALUES ('delete', old.rowid, {old});"  # noqa: S608 - names of the schema
    made = f"{table.name}.search"
    return {
        made: f"CREATE VIRTUAL TABLE {index} USING fts5({columns}, content={base})",
        f"{made}.words": f"CREATE VIRTUAL TABLE {_words_name(table)} USING fts5vocab({index}, 'row')",
        f"{made}.insert": (
            f"CREATE TRIGGER {quoted(f'{made}.insert')} AFTER INSERT ON {base} BEGIN {add} END"
        ),
        f"{made}.update": (
            f"CREATE TRIGGER {quoted(f'{made}.update')} AFTER UPDATE ON {base} WHEN {changed} "
            f"BEGIN {remove} {add} END"
        ),
        f"{made}.delete": (
            f"CREATE TRIGGER {quoted(f'{made}.delete')} AFTER DELETE ON {base} BEGIN {remove} END"
        ),
    }


def _indexed(text: str) -> str:
    """A word as the index has it: in small letters without marks such as accents."""
    taken_apart = unicodedata.normalize("NFD", text.lower())
    return "".join(char for char in taken_apart if not unicodedata.combining(char))


def _string(text: str) -> str:
    """A text in the index's own syntax, where it can be nothing but a text."""
    escaped = text.replace('"', '""')
    return f'"{escaped}"'


def _any_of(words: list[str]) -> str | None:
    return " OR ".join(map(_string, words)) if words else None


def _words(text: str) -> list[str]:
    """The words of a phrase that the index knows as words."""
    return [word for word in text.split() if any(char.isalnum() for char in word)]


def _distance(left: str, right: str, limit: int) -> int:
    """How many characters must be added, removed or replaced; more than ``limit`` when it is more."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before = list(range(len(right) + 1))
    for row, char in enumerate(left, 1):
        now = [row]
        for place, other in enumerate(right, 1):
            now.append(min(before[place] + 1, now[-1] + 1, before[place - 1] + (char != other)))
        if min(now) > limit:
            return limit + 1
        before = now
    return before[-1]
