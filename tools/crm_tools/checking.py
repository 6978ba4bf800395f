"""Checks a tool's arguments against its input schema, and says in our own words what does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from crm_tools.errors import InputError, UnknownNameError
from crm_tools.schemas import JsonSchema

if TYPE_CHECKING:
    import jsonschema_rs


class ArgumentChecker:
    """The check of one tool. Its validator is compiled on the first call, not at start.

    The arguments named in ``choices`` are text by the schema and may be given as whole numbers too.
    """

    def __init__(self, tool: str, schema: JsonSchema, choices: frozenset[str] = frozenset()) -> None:
        self._tool = tool
        self._schema = schema
        self._choices = choices
        self._properties: Mapping[str, JsonSchema] = schema["properties"]

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments that do not fit the schema.

        Raises:
            UnknownNameError: An argument the tool does not have; says the closest.
            InputError: One is missing, or of the wrong type, length or range.
        """
        for name, value in arguments.items():
            _refuse_half_characters(name, value)
            if name not in self._properties:
                raise UnknownNameError(f"argument of {self._tool}", name, self._properties)
        problems = [self._missing(name) for name in self._schema.get("required", ()) if name not in arguments]
        problems += [
            self._misfit(error.instance_path)
            for error in self._validator.iter_errors(self._with_numbers_as_text(arguments))
            if error.instance_path
        ]
        if problems:
            raise InputError(" ".join(dict.fromkeys(problems)))

    def _with_numbers_as_text(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: str(value) if name in self._choices and type(value) is int else value
            for name, value in arguments.items()
        }

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        import jsonschema_rs

        return jsonschema_rs.Draft202012Validator(self._schema)

    def _missing(self, name: str) -> str:
        return f"Argument {name} of {self._tool} is missing; it must be {expected(self._properties[name])}."

    def _misfit(self, path: Sequence[str | int]) -> str:
        name = str(path[0])
        where = "".join(f"[{step}]" for step in path[1:])
        schema = self._properties[name]
        if len(path) > 1 and "items" in schema:
            schema = schema["items"]
        return f"Argument {name}{where} must be {expected(schema)}."


def _refuse_half_characters(name: str, value: Any) -> None:
    # JSON can spell half of a surrogate pair, which is no text: it can be neither sent nor stored.
    try:
        json.dumps([name, value], ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(
            "An argument holds half of a character (an unpaired surrogate). Leave it out."
        ) from None


def expected(schema: JsonSchema) -> str:
    """What a schema asks for, in words."""
    if "anyOf" in schema:
        parts = [expected(part) for part in schema["anyOf"]]
        return " or ".join(parts)
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    match schema["type"]:
        case "null":
            return "null to clear it"
        case "boolean":
            return "true or false"
        case "array":
            return f"a list, each item {expected(schema['items'])}"
        case "integer" | "number":
            kind = "a whole number" if schema["type"] == "integer" else "a number"
            return kind + _range(schema)
    return _text(schema)


def _range(schema: JsonSchema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    return ("" if low is None else f" from {low:,}") + ("" if high is None else f" to {high:,}")


def _text(schema: JsonSchema) -> str:
    match schema.get("format"):
        case "uuid":
            return "the id (GUID) of a row"
        case "date":
            return "a date such as 2026-12-31"
    longest = schema.get("maxLength")
    return f"text of at most {longest:,} characters" if longest else "text"
