"""What is searched for: the simple and the Lucene syntax of Dataverse search as trees.

https://learn.microsoft.com/power-apps/developer/data-platform/search/query#search-parameter
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from crm_sandbox.errors import UNKNOWN_NAME, ODataError

DEEPEST = 20
MOST_EDITS = 2
MOST_VAGUE = 8
"""Misspelled words and patterns of one search: each is held against every word of the index."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or the beginning of one; up to ``edits`` characters may differ."""

    text: str
    prefix: bool = False
    edits: int = 0
    boost: float = 1


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in this order, or in any order with no more than ``slop`` words between them."""

    text: str
    slop: int | None = None
    boost: float = 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """Words of a form, as SQLite's GLOB writes it."""

    glob: str
    boost: float = 1


@dataclass(frozen=True, slots=True)
class Everything:
    """``*`` alone: every row."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Operands that must all match."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Operands of which one must match."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class NotOf:
    """An operand that must not match."""

    operand: Expression


Term = Word | Phrase | Pattern
Expression = Term | Everything | AllOf | AnyOf | NotOf

_PHRASE = r'"(?P<phrase>(?:\\.|[^"\\])*)(?:"|$)'
_SIMPLE = re.compile(
    rf"""
      (?P<space>\s+)
    | {_PHRASE}
    | (?P<mark>[()+|]|-(?=\S))
    | (?P<word>(?:\\.|[^\s"()+|\\])+)
    | (?P<rest>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_LUCENE = re.compile(
    rf"""
      (?P<space>\s+)
    | {_PHRASE}(?:~(?P<slop>\d{{1,3}}))?(?P<phrase_boost>\^\d{{1,3}}(?:\.\d{{1,3}})?)?
    | /(?P<regex>(?:\\.|[^/\\])+)/
    | (?P<mark>&&|\|\||[()+]|[-!\u2013](?=\S)|(?:AND|OR|NOT)(?![^\s()]))
    | (?P<word>(?:\\.|[^\s"()+|&\\])+)
    | (?P<rest>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SUFFIXES = re.compile(r"(?P<fuzzy>~(?P<edits>[0-2])?)?(?P<boost>\^(?P<weight>\d{1,3}(?:\.\d{1,3})?))?$")
_AND, _OR, _NOT = (
    frozenset({"+", "&&", "AND"}),
    frozenset({"|", "||", "OR"}),
    frozenset({"-", "!", "\u2013", "NOT"}),
)


def parse_search(text: str, *, lucene: bool, every_word: bool) -> Expression | None:
    """The tree of a search text; None where it holds nothing that could be found.

    ``every_word`` says that words side by side must all match, else one of them.

    Raises:
        ODataError: 400, it is nested too deeply, has too many patterns or misspelled words, or has a regular
            expression that is not supported.
    """
    found = list(_lucene_tokens(text) if lucene else _simple_tokens(text))
    vague = [part for part in found if isinstance(part, Pattern) or (isinstance(part, Word) and part.edits)]
    if len(vague) > MOST_VAGUE:
        raise ODataError(400, UNKNOWN_NAME, "The search has too many patterns and misspelled words.")
    return _Parser(found, every_word=every_word).expression()


def _simple_tokens(text: str) -> Iterator[str | Expression]:
    for match in _SIMPLE.finditer(text):
        if match["phrase"] is not None:
            yield Phrase(_unescaped(match["phrase"]))
        elif match["mark"]:
            yield match["mark"]
        elif match["word"]:
            yield _simple_word(match["word"])


def _simple_word(raw: str) -> Expression:
    if raw == "*":
        return Everything()
    prefix = raw.endswith("*") and not raw.endswith("\\*")
    return Word(_unescaped(raw), prefix=prefix)


def _lucene_tokens(text: str) -> Iterator[str | Expression]:
    for match in _LUCENE.finditer(text):
        if match["phrase"] is not None:
            slop = int(match["slop"]) if match["slop"] else None
            yield Phrase(_unescaped(match["phrase"]), slop, _weight(match["phrase_boost"]))
        elif match["regex"]:
            yield Pattern(_glob_of_regex(match["regex"]))
        elif match["mark"]:
            yield match["mark"]
        elif match["word"]:
            yield _lucene_word(match["word"])


def _lucene_word(raw: str) -> Expression:
    if raw == "*":
        return Everything()
    suffixes = _SUFFIXES.search(raw)
    edits, boost = 0, 1.0
    if suffixes is not None and suffixes[0]:
        raw = raw[: suffixes.start()]
        edits = int(suffixes["edits"] or MOST_EDITS) if suffixes["fuzzy"] else 0
        boost = float(suffixes["weight"] or 1)
    inside = re.sub(r"\\.", "", raw)
    if "?" in inside or "*" in inside[:-1]:
        return Pattern(_glob_of_wildcards(raw), boost)
    return Word(_unescaped(raw), prefix=inside.endswith("*"), edits=edits, boost=boost)


def _weight(text: str | None) -> float:
    return float(text[1:]) if text else 1


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _glob_of_wildcards(raw: str) -> str:
    parts = []
    for match in re.finditer(r"\\(.)|([*?])|(.)", raw, re.DOTALL):
        escaped, wildcard, plain = match.groups()
        parts.append(wildcard or _literal(escaped or plain))
    return _checked("".join(parts))


def _glob_of_regex(raw: str) -> str:
    """The forms that are documented: ``.*`` , ``.`` and sets of characters such as ``[mh]``."""
    parts = []
    for match in re.finditer(r"\\(.)|(\.\*)|(\.)|(\[[^\W_][\w-]*\])|(.)", raw, re.DOTALL):
        escaped, anything, one, some, plain = match.groups()
        if plain is not None and not plain.isalnum():
            raise ODataError(
                400,
                UNKNOWN_NAME,
                "The search has a regular expression that is not supported: use . .* and [abc].",
            )
        parts.append(
            "*" if anything else "?" if one else some.lower() if some else _literal(escaped or plain)
        )
    return _checked("".join(parts))


def _literal(char: str) -> str:
    # Indexed words are in small letters; in a set, GLOB takes its wildcards literally.
    return f"[{char}]" if char in "*?[" else char.lower()


def _checked(glob: str) -> str:
    """GLOB tries every length for every asterisk: more than a few take too long."""
    if glob.count("*") > 3:
        raise ODataError(400, UNKNOWN_NAME, "The search has too many wildcards in one word.")
    return glob


class _Parser:
    """Reads words side by side, AND, OR, NOT and parentheses. An operator without operand is nothing."""

    def __init__(self, tokens: list[str | Expression], *, every_word: bool) -> None:
        self._tokens = tokens
        self._every_word = every_word
        self._next = 0
        self._depth = 0

    def expression(self) -> Expression | None:
        """The whole; a closing parenthesis too many is passed over."""
        parts = []
        while self._next < len(self._tokens):
            parts.append(self._any())
            self._next += 1
        return _joined(parts, AllOf if self._every_word else AnyOf)

    def _peek(self) -> str | Expression | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _any(self) -> Expression | None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ODataError(400, UNKNOWN_NAME, "The search is nested too deeply.")
        parts = [self._all()]
        while self._peek() not in (None, ")"):
            if self._peek() in _OR:
                self._next += 1
            parts.append(self._all())
        self._depth -= 1
        return _joined(parts, AnyOf)

    def _all(self) -> Expression | None:
        parts = [self._one()]
        while (part := self._peek()) not in (None, ")") and part not in _OR:
            if part in _AND:
                self._next += 1
            elif not self._every_word:
                break
            parts.append(self._one())
        return _joined(parts, AllOf)

    def _one(self) -> Expression | None:
        negated = False
        while (part := self._peek()) in _NOT or part in _AND:
            negated ^= part in _NOT
            self._next += 1
        found = None
        if part == "(":
            self._next += 1
            found = self._any()
            self._next += 1
        elif part is not None and not isinstance(part, str):
            self._next += 1
            found = part if _can_be_found(part) else None
        return NotOf(found) if negated and found is not None else found


def _can_be_found(term: Expression) -> bool:
    """Whether there is anything in it that the index has: letters or digits."""
    if isinstance(term, Word | Phrase):
        return any(char.isalnum() for char in term.text)
    return True


def _joined(parts: list[Expression | None], kind: type[AllOf] | type[AnyOf]) -> Expression | None:
    found = [part for part in parts if part is not None]
    if len(found) <= 1:
        return found[0] if found else None
    return kind(tuple(found))


def terms(expression: Expression) -> Iterator[Term]:
    """The terms that make a row match, which are those that are not negated."""
    match expression:
        case AllOf(operands) | AnyOf(operands):
            for operand in operands:
                yield from terms(operand)
        case Word() | Phrase() | Pattern():
            yield expression


def holds_without_terms(expression: Expression) -> bool:
    """Whether a row can match that has none of the terms."""
    match expression:
        case AllOf(operands):
            return all(map(holds_without_terms, operands))
        case AnyOf(operands):
            return any(map(holds_without_terms, operands))
        case NotOf(operand):
            return not holds_without_terms(operand)
        case Everything():
            return True
    return False


def misspelled(expression: Expression) -> Expression:
    """The same, where one character of each word may differ; a search of very many words stays as it is."""
    return _misspelled(expression) if len(list(terms(expression))) <= MOST_VAGUE else expression


def _misspelled(expression: Expression) -> Expression:
    match expression:
        case AllOf(operands):
            return AllOf(tuple(map(_misspelled, operands)))
        case AnyOf(operands):
            return AnyOf(tuple(map(_misspelled, operands)))
        case Word(edits=0):
            return replace(expression, edits=1)
    return expression
