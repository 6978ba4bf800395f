"""Filters as syntax trees, by recursive descent.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from crm_sandbox.coverage import Missing
from crm_sandbox.errors import UNKNOWN_NAME, ODataError, not_here
from crm_sandbox.queries.lexing import Token, malformed, tokens
from crm_sandbox.queries.syntax import (
    Both,
    Comparison,
    Either,
    InList,
    Lambda,
    Literal,
    LiteralKind,
    Negation,
    Node,
    Path,
    QueryFunction,
    TextTest,
)

DEEPEST = 50
MOST_CONDITIONS = 500
_COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_TEXT_TESTS = frozenset({"contains", "startswith", "endswith"})
_NAMESPACES = ("Microsoft.Dynamics.CRM.", "mscrm.")
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "divby", "mod", "has"})
_LITERALS = {
    "text": LiteralKind.TEXT,
    "guid": LiteralKind.GUID,
    "time": LiteralKind.TIME,
    "date": LiteralKind.DATE,
    "number": LiteralKind.NUMBER,
    "integer": LiteralKind.INTEGER,
}


def parse_filter(text: str, aliases: Mapping[str, str] | None = None) -> Node:
    """The tree of a ``$filter``; ``aliases`` are the values of parameter aliases such as ``@p1``.

    Raises:
        ODataError: 400 for what is no filter, 501 for the parts of OData that Dataverse does not have
            and this sandbox therefore cannot answer as Dataverse would.
    """
    reader = Reader(tokens(text, aliases or {}), "$filter")
    if reader.at_end:
        raise malformed("the filter is empty")
    node = FilterParser(reader).condition()
    reader.expect_end()
    return node


class Reader:
    """Walks over tokens. ``$apply`` and others read with it too."""

    def __init__(self, found: list[Token], option: str) -> None:
        self._tokens = found
        self._next = 0
        self.option = option

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._next >= len(self._tokens)

    def peek(self, ahead: int = 0) -> Token:
        """A coming token; of kind ``end`` behind the last."""
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else Token("end", "", -1)

    def take(self) -> Token:
        """The next token, which is then behind."""
        token = self.peek()
        self._next += 1
        return token

    def takes(self, text: str) -> bool:
        """Go past a mark or word if it stands here; says whether it did."""
        token = self.peek()
        if token.text == text and token.kind in ("mark", "name"):
            self._next += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Go past a mark that must stand here.

        Raises:
            ODataError: 400, something else does.
        """
        if not self.takes(text):
            raise self.wrong()

    def expect_end(self) -> None:
        """Check that nothing is left.

        Raises:
            ODataError: 400, something is.
        """
        if not self.at_end:
            raise self.wrong()

    def name(self) -> str:
        """The name that must stand here.

        Raises:
            ODataError: 400, something else does.
        """
        token = self.peek()
        if token.kind != "name":
            raise self.wrong()
        self._next += 1
        return token.text

    def path(self) -> Path:
        """Names joined by slashes."""
        names = [self.name()]
        while self.takes("/"):
            names.append(self.name())
        return tuple(names)

    def wrong(self) -> ODataError:
        """The refusal of what stands here."""
        token = self.peek()
        where = "unexpected end" if token.kind == "end" else f"syntax error at position {token.at}"
        return malformed(where, self.option)


class FilterParser:
    """Reads one condition from a :class:`Reader`."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._depth = 0
        self._conditions = 0

    def condition(self) -> Node:
        """``a or b or ...``, where each is ``c and d and ...``."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise malformed("it is nested too deeply", self._reader.option)
        operands = [self._conjunction()]
        while self._reader.takes("or"):
            operands.append(self._conjunction())
        self._depth -= 1
        return operands[0] if len(operands) == 1 else Either(tuple(operands))

    def _conjunction(self) -> Node:
        operands = [self._factor()]
        while self._reader.takes("and"):
            operands.append(self._factor())
        return operands[0] if len(operands) == 1 else Both(tuple(operands))

    def _factor(self) -> Node:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise malformed("it has too many conditions", self._reader.option)
        if self._reader.peek().text == "not" and self._reader.peek().kind == "name":
            return self._negation()
        if self._reader.takes("("):
            inner = self.condition()
            self._reader.expect(")")
            return inner
        return self._simple()

    def _negation(self) -> Node:
        self._reader.take()
        self._depth += 1
        if self._depth > DEEPEST:
            raise malformed("it is nested too deeply", self._reader.option)
        operand = self._factor()
        self._depth -= 1
        if isinstance(operand, QueryFunction):
            # https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
            raise ODataError(
                400,
                UNKNOWN_NAME,
                f"The not operator is not supported with the query function {operand.name}.",
            )
        return Negation(operand)

    def _simple(self) -> Node:
        token = self._reader.peek()
        if token.kind != "name":
            raise self._reader.wrong()
        if self._reader.peek(1).text == "(":
            return self._call()
        path = self._reader.path()
        if self._reader.takes("("):
            return self._lambda(path)
        return self._comparison(path)

    def _comparison(self, path: Path) -> Node:
        operator = self._reader.take()
        if operator.kind == "name" and operator.text in _ARITHMETIC:
            raise not_here(Missing.ARITHMETIC)
        if operator.kind == "name" and operator.text == "in":
            return InList(path, self._list())
        if operator.kind != "name" or operator.text not in _COMPARISONS:
            raise malformed(f"an operator is expected at position {operator.at}", self._reader.option)
        return Comparison(operator.text, path, self._right())

    def _right(self) -> Literal | Path:
        token = self._reader.peek()
        if token.kind == "name" and token.text not in ("null", "true", "false"):
            if self._reader.peek(1).text == "(":
                raise not_here(Missing.ARITHMETIC)
            path = self._reader.path()
            if self._reader.peek().text in _ARITHMETIC:
                raise not_here(Missing.ARITHMETIC)
            return path
        return self.literal()

    def literal(self) -> Literal:
        """The literal that must stand here."""
        token = self._reader.peek()
        kind = _LITERALS.get(token.kind)
        if kind is None and token.text not in ("null", "true", "false"):
            raise self._reader.wrong()
        self._reader.take()
        return _literal(token)

    def _list(self) -> tuple[Literal, ...]:
        self._reader.expect("(")
        values = [self.literal()]
        while self._reader.takes(","):
            values.append(self.literal())
        self._reader.expect(")")
        return tuple(values)

    def _call(self) -> Node:
        name = self._reader.name()
        if "." in name:
            return self._query_function(name)
        if name not in _TEXT_TESTS:
            # cast, date functions, arithmetic: Dataverse documents the three text functions only.
            raise not_here(Missing.ARITHMETIC)
        self._reader.expect("(")
        path = self._reader.path()
        self._reader.expect(",")
        value = self.literal()
        self._reader.expect(")")
        if value.kind is not LiteralKind.TEXT:
            raise malformed(f"{name} takes a text", self._reader.option)
        if self._reader.peek().text in ("eq", "ne"):
            return self._compared_with_truth(TextTest(name, path, str(value.value)))
        return TextTest(name, path, str(value.value))

    def _compared_with_truth(self, node: Node) -> Node:
        """``contains(...) eq true`` and its like."""
        negative = self._reader.take().text == "ne"
        value = self.literal()
        if value.kind is not LiteralKind.BOOLEAN:
            raise malformed("a condition can only be compared with true or false", self._reader.option)
        return node if bool(value.value) is not negative else Negation(node)

    def _query_function(self, name: str) -> Node:
        for namespace in _NAMESPACES:
            if name.startswith(namespace):
                break
        else:
            raise ODataError(400, UNKNOWN_NAME, f"An unknown function with name '{name}' was found.")
        self._reader.expect("(")
        path: Path | None = None
        values: tuple[Literal, ...] = ()
        while not self._reader.takes(")"):
            if path is not None or values:
                self._reader.expect(",")
            parameter = self._reader.name()
            self._reader.expect("=")
            match parameter:
                case "PropertyName":
                    path = self._property_name()
                case "PropertyValue":
                    values = (self.literal(),)
                case "PropertyValues":
                    values = self._values()
                case "PropertyValue1" | "PropertyValue2":
                    values = (*values, self.literal())
                case _:
                    raise malformed(f"{name} has no parameter '{parameter}'", self._reader.option)
        if path is None:
            raise malformed(f"{name} needs the parameter PropertyName", self._reader.option)
        return QueryFunction(name.removeprefix(namespace), path, values)

    def _property_name(self) -> Path:
        token = self._reader.peek()
        if token.kind != "text":
            return self._reader.path()
        self._reader.take()
        return tuple(str(_literal(token).value).split("/"))

    def _values(self) -> tuple[Literal, ...]:
        self._reader.expect("[")
        values: list[Literal] = []
        while not self._reader.takes("]"):
            if values:
                self._reader.expect(",")
            values.append(self._member())
        return tuple(values)

    def _member(self) -> Literal:
        """A value of a list, which the samples write as JSON: ``["Redmond","Seattle"]``."""
        token = self._reader.peek()
        if token.kind != "quoted":
            return self.literal()
        self._reader.take()
        try:
            text = json.loads(token.text)
            text.encode()  # half a surrogate pair is no text
        except ValueError:
            raise malformed(
                f"a text of a list is not JSON at position {token.at}", self._reader.option
            ) from None
        return Literal(LiteralKind.TEXT, text)

    def _lambda(self, path: Path) -> Node:
        *collection, word = path
        if word not in ("any", "all") or not collection:
            raise malformed(f"'{'/'.join(path)}' is no function", self._reader.option)
        if self._reader.takes(")"):
            if word == "all":
                raise malformed("all needs a condition", self._reader.option)
            return Lambda(tuple(collection), every=False, variable="", body=None)
        variable = self._reader.name()
        self._reader.expect(":")
        body = self.condition()
        self._reader.expect(")")
        return Lambda(tuple(collection), word == "all", variable, body)


def _literal(token: Token) -> Literal:
    match token.kind:
        case "text":
            return Literal(LiteralKind.TEXT, token.text[1:-1].replace("''", "'"))
        case "integer":
            if len(token.text) > 20:
                raise malformed("a number is out of range")
            return Literal(LiteralKind.INTEGER, int(token.text))
        case "number":
            number = float(token.text)
            if not math.isfinite(number):
                raise malformed("a number is out of range")
            return Literal(LiteralKind.NUMBER, number)
        case "name":
            value = {"null": None, "true": True, "false": False}[token.text]
            return Literal(LiteralKind.NULL if value is None else LiteralKind.BOOLEAN, value)
    return Literal(_LITERALS[token.kind], token.text)
