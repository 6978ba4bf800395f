"""Pure parsers: from an answer's status, headers and bytes to rows or to one of our errors.

Codes: https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from crm_tools.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    PrivilegeError,
    SignInError,
    ThrottledError,
    UnavailableError,
    UnreadableAnswerError,
    UpstreamError,
)
from crm_tools.operations import Row

UNAUTHORIZED = 401
COUNT_LIMIT = 5_000
DUPLICATE_KEY = "0x80040237"
REQUEST_ID = "x-ms-service-request-id"
_LIMIT_EXCEEDED = "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"


@dataclass(frozen=True, slots=True)
class CrmResponse:
    """An answer: its status, its headers by lower-case name and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Rows of one page. ``next_link`` is there only if more rows match."""

    rows: tuple[Row, ...]
    next_link: str | None = None
    total: int | None = None
    total_is_floor: bool = False


def parse_page(response: CrmResponse) -> ResultPage:
    """A page of rows.

    Raises:
        UnreadableAnswerError: Not the documented shape.
    """
    content = _object(response)
    rows, link, total = content.get("value"), content.get("@odata.nextLink"), content.get("@odata.count")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unreadable(response)
    if not isinstance(link, str | None) or not isinstance(total, int | None):
        raise unreadable(response)
    floor = total is not None and (content.get(_LIMIT_EXCEEDED) is True or total >= COUNT_LIMIT)
    return ResultPage(tuple(rows), link, total, floor)


def parse_row(response: CrmResponse) -> Row:
    """One row.

    Raises:
        UnreadableAnswerError: Not the documented shape.
    """
    return _object(response)


def parse_hits(response: CrmResponse) -> list[tuple[str, str]]:
    """Table and key of what a search found, best first. The answer is JSON in a string of JSON.

    https://learn.microsoft.com/power-apps/developer/data-platform/search/query#response

    Raises:
        UnreadableAnswerError: Not the documented shape.
    """
    try:
        found = json.loads(_object(response)["response"])["Value"]
        return [(str(hit["EntityName"]), str(hit["Id"])) for hit in found or ()]
    except (ValueError, KeyError, TypeError):
        raise unreadable(response) from None


def entity_id(response: CrmResponse) -> str | None:
    """The key in the ``OData-EntityId`` header of an answer without a body."""
    match = re.search(r"\(([0-9a-fA-F-]{36})\)$", response.headers.get("odata-entityid", ""))
    return match[1].lower() if match else None


def crm_code(response: CrmResponse) -> str | None:
    """Dataverse's error code, such as ``0x80040217``."""
    try:
        code = json.loads(response.body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return None
    return code.lower() if isinstance(code, str) and re.fullmatch(r"0x[0-9a-fA-F]{8}", code) else None


def retry_after(response: CrmResponse, now: datetime | None = None) -> float | None:
    """Seconds to wait, from a number or a date; RFC 9110 section 10.2.3."""
    text = response.headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,6}(\.\d+)?", text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


_TOO_HEAVY = (
    "The CRM gave the question up: it would have to look through too many records. Narrow it: dates, open "
    "records or an owner, the beginning of a name instead of a part of it, fewer words or columns."
)
"""A time-out of its database, or a question that it slows down because it weighs on all others.

https://learn.microsoft.com/power-apps/developer/data-platform/query-throttling
"""

_BY_CODE: Mapping[str, tuple[type[UpstreamError], str]] = {
    "0x80040217": (NotFoundError, "The CRM has no record with this id. Find the id with a list tool; ids are not guessed."),
    "0x80060888": (BadRequestError, "The CRM does not know a column, table or option that the request names."),
    "0x8006088a": (NotFoundError, "The CRM does not have this table."),
    "0x80060891": (NotFoundError, "The CRM has no record with this alternate key."),
    "0x80048d19": (BadRequestError, "The CRM does not take a column of the request, or its value has the wrong type."),
    "0x80044331": (BadRequestError, "A text is longer than its column allows in this environment. Shorten it."),
    "0x8004431a": (BadRequestError, "A choice has a value that this environment does not offer."),
    "0x8004432f": (BadRequestError, "A number is outside the range its column allows."),
    "0x80044330": (BadRequestError, "A number is outside the range its column allows."),
    "0x80048408": (BadRequestError, "The status reason does not belong to the state. Give one that does, or only the state."),
    "0x8004e023": (BadRequestError, "The question covers more than 50,000 records, and more are not added up. Narrow it: to dates, to open records, to an owner."),
    "0x80044151": (BadRequestError, _TOO_HEAVY),
    "0x80048544": (BadRequestError, _TOO_HEAVY),
    "0x80048644": (BadRequestError, _TOO_HEAVY),
    "0x80048744": (BadRequestError, _TOO_HEAVY),
    "0x80048745": (BadRequestError, _TOO_HEAVY),
    "0x80100005": (
        BadRequestError,
        "An opportunity is not won or lost by an update. Close it with close_opportunity, or in the CRM itself.",
    ),
    "0x80072560": (SignInError, "The account or application of this server is no user of the environment. An administrator adds it (Power Platform admin center, Environments, Settings, Users or Application users)."),
    "0x80040220": (PrivilegeError, "The CRM user of this server lacks a privilege for this. An administrator grants it by a security role."),
    "0x80048306": (PrivilegeError, "The CRM user of this server lacks a privilege for this. An administrator grants it by a security role."),
    "0x80040227": (ConflictError, "The CRM refuses to delete the record because others depend on it, such as invoices or orders."),
    DUPLICATE_KEY: (ConflictError, "A record with this id exists already. Nothing was created."),
    "0x80060892": (ConflictError, "A record with the same alternate key exists already. Nothing was changed."),
    "0x80060882": (ConflictError, "The record was changed since it was read. Read it again and decide anew; nothing was changed."),
    "0x80040333": (ConflictError, "The CRM's duplicate detection found a record like this one. Nothing was changed; look for it."),
    "0x80072322": (ThrottledError, "The CRM's limit on the number of requests was reached. Try again later, with fewer calls."),
    "0x80072321": (ThrottledError, "The CRM's limit on execution time was reached. Try again later, with lighter questions."),
    "0x80072326": (ThrottledError, "The CRM's limit on requests at the same time was reached. Try again later."),
}  # fmt: skip

_BY_STATUS: Mapping[int, tuple[type[UpstreamError], str]] = {
    400: (BadRequestError, "The CRM refused the request as wrong."),
    401: (SignInError, "The CRM did not accept the sign-in. An administrator checks the sign-in settings and the application user."),
    403: (PrivilegeError, "The CRM user of this server may not do this. An administrator grants it by a security role."),
    404: (NotFoundError, "The CRM has no such record or table."),
    405: (ConflictError, "The CRM does not allow this on the record."),
    409: (ConflictError, "The CRM reports a conflict with another change. Read the record again."),
    412: (ConflictError, "The record is not in the state that the request required. Read it again; nothing was changed."),
    413: (BadRequestError, "The request is larger than the CRM takes."),
    429: (ThrottledError, "The CRM is limiting requests. Try again later."),
    501: (BadRequestError, "The CRM does not offer this feature."),
}  # fmt: skip


def no_such_row() -> NotFoundError:
    """The error for a row that a question did not find."""
    code = "0x80040217"
    return NotFoundError(_BY_CODE[code][1], status=404, crm_code=code)


def error_from(response: CrmResponse) -> UpstreamError:
    """The error of an answer, in our own words; nothing of the CRM's text is kept."""
    code = crm_code(response)
    kind, message = _BY_STATUS.get(
        response.status,
        (UnavailableError, "The CRM is not available at the moment. Try again later."),
    )
    if code is not None and code in _BY_CODE and response.status != UNAUTHORIZED:
        kind, message = _BY_CODE[code]
        if code == "0x80060888" and response.status == 404:
            kind, message = _BY_CODE["0x8006088a"]
    elif 300 <= response.status < 400:
        kind, message = (
            UnreadableAnswerError,
            "The CRM's address answers with a redirect. Check DYNAMICS_URL.",
        )
    return kind(
        message,
        status=response.status,
        crm_code=code,
        request_id=request_id(response),
        retry_after=retry_after(response),
    )


def request_id(response: CrmResponse) -> str | None:
    """Dataverse's id of the request, for Microsoft's support."""
    found = response.headers.get(REQUEST_ID, "")
    return found if re.fullmatch(r"[0-9a-zA-Z-]{1,64}", found) else None


def _object(response: CrmResponse) -> dict[str, Any]:
    try:
        content = json.loads(response.body)
    except ValueError:
        raise unreadable(response) from None
    if not isinstance(content, dict):
        raise unreadable(response)
    return content


def unreadable(response: CrmResponse) -> UnreadableAnswerError:
    """The error of an answer that is none of the Web API."""
    return UnreadableAnswerError(
        "The CRM's answer cannot be read: it is not the JSON that the Web API documents. "
        "Something between this server and the CRM may have answered instead.",
        status=response.status,
        request_id=request_id(response),
    )
