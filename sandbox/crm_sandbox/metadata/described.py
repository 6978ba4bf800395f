"""Tables, columns, keys and relationships as bodies of requests describe them.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-definitions-using-web-api
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-column-definitions-using-web-api
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crm_sandbox.coverage import Missing
from crm_sandbox.errors import INVALID_ARGUMENT, ODataError, bad_property, not_here
from crm_sandbox.metadata.definitions import LANGUAGE
from crm_sandbox.schema.model import (
    NAMESPACE,
    NUMBER_TYPES,
    TEXT_TYPES,
    Choice,
    Column,
    ColumnType,
    OnDelete,
    Ownership,
    Requirement,
)

Body = Mapping[str, Any]
_CUSTOM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{1,7}_[A-Za-z0-9_]{1,90}", re.ASCII)
_ANY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}", re.ASCII)
_CLASS = re.compile(rf"#?{re.escape(NAMESPACE)}\.(?:Complex)?(\w+?)(?:Attribute)?Metadata", re.ASCII)
_TYPES = {
    "String": ColumnType.STRING,
    "Memo": ColumnType.MEMO,
    "Integer": ColumnType.INTEGER,
    "BigInt": ColumnType.BIGINT,
    "Double": ColumnType.DOUBLE,
    "Decimal": ColumnType.DECIMAL,
    "Money": ColumnType.MONEY,
    "Boolean": ColumnType.BOOLEAN,
    "DateTime": ColumnType.DATE_TIME,
    "Picklist": ColumnType.PICKLIST,
    "MultiSelectPicklist": ColumnType.MULTI_SELECT,
}
# What a column may be at most; the lengths and precisions are those of a column made without them.
# https://learn.microsoft.com/power-apps/maker/data-platform/types-of-fields
_LENGTHS = {ColumnType.STRING: (100, 4_000), ColumnType.MEMO: (2_000, 1_048_576)}
_RANGES = {
    ColumnType.INTEGER: (-2_147_483_648, 2_147_483_647),
    ColumnType.BIGINT: (-(2**63), 2**63 - 1),
    ColumnType.DOUBLE: (-1e11, 1e11),
    ColumnType.DECIMAL: (-1e11, 1e11),
    ColumnType.MONEY: (-922_337_203_685_477.0, 922_337_203_685_477.0),
}
_PRECISIONS = {ColumnType.DOUBLE: (5, 5), ColumnType.DECIMAL: (2, 10), ColumnType.MONEY: (2, 4)}
_TEXT_FORMATS = ("Text", "Email", "Phone", "Url", "TextArea")
_FIRST_CHOICE = 100_000_000
_OWNERSHIPS = {"UserOwned": Ownership.USER, "OrganizationOwned": Ownership.ORGANIZATION}
_DELETES = {
    "Cascade": OnDelete.CASCADE,
    "RemoveLink": OnDelete.UNLINK,
    "NoCascade": OnDelete.UNLINK,
    "Restrict": OnDelete.RESTRICT,
}


def invalid(message: str) -> ODataError:
    """The refusal of a definition that cannot be."""
    return ODataError(400, INVALID_ARGUMENT, message)


def object_of(value: Any, name: str) -> Body:
    """A JSON object.

    Raises:
        ODataError: 400, it is none.
    """
    if not isinstance(value, dict):
        raise bad_property(f"'{name}' must be an object")
    return value


def class_of_body(body: Body, fallback: str = "") -> str:
    """The class that ``@odata.type`` names, without its prefix and ``Metadata``: ``String``, ``Entity``.

    Raises:
        ODataError: 400, it names none.
    """
    text = body.get("@odata.type", fallback and f"{NAMESPACE}.{fallback}Metadata")
    match = _CLASS.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise bad_property("'@odata.type' must name the type of the definition")
    return match[1]


def custom_name(body: Body, name: str = "SchemaName") -> str:
    """A schema name with the prefix of a publisher.

    Raises:
        ODataError: 400, there is none, or it has no prefix.
    """
    text = body.get(name)
    if not isinstance(text, str) or not _CUSTOM_NAME.fullmatch(text):
        raise invalid(f"'{name}' must begin with a customization prefix, such as new_Project")
    return text


def optional_name(body: Body, name: str, default: str) -> str:
    """A name that need not be given.

    Raises:
        ODataError: 400, it is none.
    """
    text = body.get(name) or default
    if not isinstance(text, str) or not _ANY_NAME.fullmatch(text):
        raise invalid(f"'{name}' is not a valid name")
    return text


def label_text(body: Body, name: str, default: str) -> str:
    """The text of a label in the base language, or in the first one that it has.

    Raises:
        ODataError: 400, it is no label.
    """
    given = body.get(name)
    if given is None:
        return default
    labels = object_of(given, name).get("LocalizedLabels") or []
    texts = {
        item["LanguageCode"]: item["Label"]
        for item in (labels if isinstance(labels, list) else [])
        if isinstance(item, dict)
        and isinstance(item.get("LanguageCode"), int)
        and isinstance(item.get("Label"), str)
    }
    found = texts.get(LANGUAGE, next(iter(texts.values()), default))
    return found or default


def truth(body: Body, name: str) -> bool:
    """A Boolean, false when it is not given."""
    return body.get(name) is True


def ownership_of(body: Body) -> Ownership:
    """Who owns the rows.

    Raises:
        ODataError: 400, the value is none of the two that a table can be made with.
    """
    text = body.get("OwnershipType", "UserOwned")
    if not isinstance(text, str) or text not in _OWNERSHIPS:
        raise invalid("'OwnershipType' must be UserOwned or OrganizationOwned")
    return _OWNERSHIPS[text]


def column_of(body: Body, known: Column | None = None) -> Column:
    """The column that a definition describes; ``known`` is the one it takes the place of.

    Raises:
        ODataError: 400, the definition is wrong; 501, its type is not done here.
    """
    kind = _type_of(body)
    if known is not None and kind is not known.type:
        raise invalid("The type of a column cannot be changed")
    schema_name = custom_name(body) if known is None else known.schema_name
    low, high = _range(body, kind)
    return Column(
        name=schema_name.lower() if known is None else known.name,
        type=kind,
        label=label_text(body, "DisplayName", schema_name),
        description=label_text(body, "Description", ""),
        max_length=_within(body, "MaxLength", *_LENGTHS[kind], low=1) if kind in _LENGTHS else None,
        minimum=low,
        maximum=high,
        precision=_within(body, "Precision", *_PRECISIONS[kind], low=0) if kind in _PRECISIONS else None,
        format=_format(body) if kind in TEXT_TYPES else None,
        required=_requirement(body),
        choices=_choices(body, kind) if known is None else known.choices,
        default=_default(body, kind),
        custom=True,
        own_schema_name=schema_name,
    )


def on_delete_of(body: Body) -> OnDelete:
    """What happens to the rows of the many side.

    Raises:
        ODataError: 400, the behaviour has no such name.
    """
    given = body.get("CascadeConfiguration")
    delete = "RemoveLink" if given is None else object_of(given, "CascadeConfiguration").get("Delete")
    if delete is None:
        return OnDelete.UNLINK
    if not isinstance(delete, str) or delete not in _DELETES:
        raise invalid(f"'Delete' must be one of {', '.join(_DELETES)}")
    return _DELETES[delete]


def requirement_of(body: Body) -> Requirement:
    """How much a column is required; see :func:`column_of`."""
    return _requirement(body)


def _type_of(body: Body) -> ColumnType:
    name = class_of_body(body)
    if name not in _TYPES:
        raise not_here(Missing.COLUMN_TYPES)
    kind = _TYPES[name]
    behaviour = body.get("DateTimeBehavior")
    named = behaviour.get("Value") if isinstance(behaviour, dict) else None
    if kind is ColumnType.DATE_TIME and (named or body.get("Format")) == "DateOnly":
        return ColumnType.DATE_ONLY
    return kind


def _within(body: Body, name: str, default: int, most: int, *, low: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= most:
        raise invalid(f"'{name}' must be a whole number between {low} and {most}")
    return value


def _range(body: Body, kind: ColumnType) -> tuple[float | None, float | None]:
    if kind not in NUMBER_TYPES:
        return None, None
    least, most = _RANGES[kind]
    low = _number(body, "MinValue", least)
    high = _number(body, "MaxValue", most)
    if not least <= low <= high <= most:
        raise invalid(f"'MinValue' and 'MaxValue' must lie between {least} and {most}, in this order")
    return low, high


def _number(body: Body, name: str, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise invalid(f"'{name}' must be a number")
    return value


def _format(body: Body) -> str | None:
    named = body.get("FormatName")
    text = named.get("Value") if isinstance(named, dict) else body.get("Format")
    if text is None:
        return None
    if text not in _TEXT_FORMATS:
        raise invalid(f"The format of a text must be one of {', '.join(_TEXT_FORMATS)}")
    return str(text)


def _requirement(body: Body) -> Requirement:
    given = body.get("RequiredLevel")
    if given is None:
        return Requirement.NONE
    text = object_of(given, "RequiredLevel").get("Value")
    if text not in (Requirement.NONE, Requirement.RECOMMENDED, Requirement.APPLICATION):
        raise invalid("'RequiredLevel' must be None, Recommended or ApplicationRequired")
    return Requirement(text)


def _choices(body: Body, kind: ColumnType) -> tuple[Choice, ...]:
    if kind is ColumnType.BOOLEAN:
        return _two_choices(body)
    if kind not in (ColumnType.PICKLIST, ColumnType.MULTI_SELECT):
        return ()
    if body.get("OptionSet") is None:
        raise (
            not_here(Missing.METADATA)
            if "GlobalOptionSet@odata.bind" in body
            else invalid("'OptionSet' is missing")
        )
    options = object_of(body["OptionSet"], "OptionSet").get("Options")
    if not isinstance(options, list) or not options:
        raise invalid("'Options' must list at least one choice")
    found: dict[int, Choice] = {}
    for number, option in enumerate(options):
        choice = _choice(object_of(option, "Options"), _FIRST_CHOICE + number)
        if choice.value in found:
            raise invalid(f"The choice {choice.value} is there twice")
        found[choice.value] = choice
    return tuple(found.values())


def _two_choices(body: Body) -> tuple[Choice, ...]:
    given = body.get("OptionSet")
    if given is None:
        return ()
    options = object_of(given, "OptionSet")
    return tuple(
        Choice(value, label_text(object_of(options.get(name, {}), name), "Label", default))
        for value, name, default in ((1, "TrueOption", "Yes"), (0, "FalseOption", "No"))
    )


def _choice(option: Body, default: int) -> Choice:
    value = option.get("Value")
    if value is None:
        value = default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise invalid("The value of a choice must be a whole number")
    return Choice(value, label_text(option, "Label", str(value)))


def _default(body: Body, kind: ColumnType) -> int | bool | None:
    if kind is ColumnType.BOOLEAN:
        return truth(body, "DefaultValue")
    value = body.get("DefaultFormValue") if kind is ColumnType.PICKLIST else None
    return value if isinstance(value, int) and value >= 0 else None
