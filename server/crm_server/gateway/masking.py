"""What is shown of rows: only what was asked for, and so judged; of masked columns what the mask leaves."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from crm_server.policy.model import Mask
from crm_tools.operations import Row
from crm_tools.shaping import FORMATTED
from crm_tools.tables import ColumnType, Table

HIDDEN = "(hidden)"
_PSEUDONYM_KEY = secrets.token_bytes(32)
_DIGITS = 12


def shown(row: Row, table: Table, selected: tuple[str, ...], masks: Mapping[str, Mask]) -> dict[str, Any]:
    """The selected columns of a row with their annotations; masked ones are texts without any.

    Dataverse sends more than it is asked for: with an amount of money also its currency.
    """
    # The part before "@" is a column's name, or nothing where an annotation is the row's own.
    asked = {"", table.key, *selected} - masks.keys()
    answer = {name: value for name, value in row.items() if name.partition("@")[0] in asked}
    for name, mask in masks.items():
        if name in selected and (text := masked(row.get(name), mask)) is not None:
            answer[name] = text
    return answer


def without_names(row: dict[str, Any], table: Table, may_name: Callable[[tuple[str, ...]], bool]) -> None:
    """Take out the names of the rows that lookups lead to, where these may not be read."""
    for column in table.columns.values():
        if column.type is ColumnType.LOOKUP and not may_name(column.targets):
            row.pop(column.name + FORMATTED, None)


def masked(value: object, mask: Mask) -> str | None:
    """What a mask leaves of a value. Whether a hidden column is empty stays hidden too."""
    if mask is Mask.HIDDEN:
        return HIDDEN
    if value is None:
        return None
    text = str(value)
    match mask:
        case Mask.LAST_FOUR:
            # A short text would be shown nearly whole.
            return f"...{text[-4:]}" if len(text) >= 8 else HIDDEN
        case Mask.DOMAIN:
            return _domain(text)
        case Mask.HASH:
            return _pseudonym(text)


def _domain(text: str) -> str:
    """Of an e-mail address or a web address what stands for the organisation."""
    _, at, domain = text.rpartition("@")
    if at:
        return f"...@{domain}"
    host = text.partition("://")[2].partition("/")[0]
    return host or HIDDEN


def _pseudonym(text: str) -> str:
    """The same for the same value while this process runs; keyed, because most values could be guessed."""
    return "#" + hmac.digest(_PSEUDONYM_KEY, text.encode(), hashlib.sha256).hex()[:_DIGITS]
