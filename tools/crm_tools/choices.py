"""Choice columns in human words: labels in, labels out."""

from __future__ import annotations

from crm_tools.errors import InputError, UnknownNameError, closest
from crm_tools.tables import Column


def choice_value(given: object, column: Column) -> int:
    """The number of a choice that was given as number, number in text, or label in any case.

    Raises:
        UnknownNameError: No such label or number; says the closest labels.
        InputError: Neither text nor a whole number.
    """
    if isinstance(given, str):
        label = given.strip().casefold()
        for choice in column.choices:
            if label in (choice.label.casefold(), str(choice.value)):
                return choice.value
    elif isinstance(given, int) and not isinstance(given, bool):
        for choice in column.choices:
            if given == choice.value:
                return choice.value
    else:
        raise InputError(f"{column.name} takes a label or a number.")
    labels = [item.label for item in column.choices]
    if not closest(str(given), labels):
        labels = [f"{item.label} ({item.value})" for item in column.choices]
    raise UnknownNameError(f"choice of {column.name}", str(given), labels)


def choice_label(value: object, column: Column) -> str | None:
    """The label of a number, or None when the table facts do not know it."""
    return next((choice.label for choice in column.choices if choice.value == value), None)
