"""The shape of row ids."""

from __future__ import annotations

from uuid import UUID

from crm_tools.errors import InputError


def is_guid(text: str) -> bool:
    """Whether the text is a GUID in its usual form: 8-4-4-4-12 hexadecimal digits."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def guid(text: object, argument: str) -> str:
    """The GUID in lower case.

    Raises:
        InputError: Another shape.
    """
    if not isinstance(text, str) or not is_guid(text.strip()):
        raise InputError(
            f"Argument {argument} must be the id of a row, a GUID such as "
            "01234567-89ab-cdef-0123-456789abcdef, without quotes or braces. A list tool shows ids."
        )
    return text.strip().lower()
