"""Every error that can end a tool call, in one tree.

::

    CrmError
    ├── InputError               the arguments are wrong; nothing was sent to the CRM
    │   ├── UnknownNameError     a column, table, label or argument that does not exist; says the closest
    │   ├── UnknownRecordError   no record has this name; offers those with names like it
    │   ├── AmbiguousNameError   several records have this name; says which
    │   └── FilterSyntaxError    an OData filter that cannot be read; says where
    ├── AnswerTooLargeError      the answer is larger than a client takes; says what to ask for instead
    ├── PolicyDeniedError        the policy does not allow it; says the rules that decided
    ├── ApprovalError            a human had to agree and did not, or could not be asked
    ├── StateError               the server's own state (journal, budgets, audit) does not work
    ├── UpstreamError            Dataverse answered with an error, or not at all
    │   ├── BadRequestError      400: a name or value Dataverse does not take
    │   ├── SignInError          401, or no token could be had
    │   ├── PrivilegeError       403: the user lacks a privilege
    │   ├── NotFoundError        404: no such row
    │   ├── ConflictError        405, 409, 412: version mismatch, duplicate key, dependent rows
    │   ├── ThrottledError       429: service protection limits
    │   ├── UnavailableError     5xx, time-out, no connection
    │   └── UnreadableAnswerError  not JSON, or of an unexpected shape
    └── InternalError            a defect of this server

Each message is our own text, written for the model: what went wrong and what to change. Text that came
from the CRM or from a library never becomes part of a message. Records to choose from
stand beside it, as data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


class CrmError(Exception):
    """Base of all errors that a tool call may end with.

    ``code`` is a stable word for programs. ``details`` holds JSON values of our own making that help a
    program; CRM text is in it only as the names of records to choose from.
    """

    code = "error"

    def __init__(self, message: str, *, details: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = details or {}


class InputError(CrmError):
    """The arguments are wrong. Nothing was sent to the CRM."""

    code = "invalid_input"


class UnknownNameError(InputError):
    """A name that does not exist, with the closest known ones."""

    code = "unknown_name"

    def __init__(self, what: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        names = list(known)
        near = closest(name, names)
        if near:
            ending = f" Did you mean {_either(near)}?"
        elif names and len(names) <= 40:
            ending = f" Known: {', '.join(names)}."
        else:
            ending = ""
        super().__init__(
            f"Unknown {what} {name[:80]!r}.{ending}{' ' + hint if hint else ''}", details={"closest": near}
        )


class RecordChoiceError(InputError):
    """A name that leads to no one record. ``candidates`` are records to choose from, fit to be shown."""

    def __init__(self, message: str, candidates: Iterable[Mapping[str, object]]) -> None:
        self.candidates = [dict(candidate) for candidate in candidates]
        super().__init__(message, details={"candidates": self.candidates} if self.candidates else None)


class UnknownRecordError(RecordChoiceError):
    """No record has this name. Nothing was sent to be changed."""

    code = "unknown_record"


class AmbiguousNameError(RecordChoiceError):
    """Several records have this name; none of them is taken by guess."""

    code = "ambiguous_name"


class FilterSyntaxError(InputError):
    """An OData filter that cannot be read. ``position`` counts characters from 0."""

    code = "invalid_filter"

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message, details={} if position is None else {"position": position})
        self.position = position


class AnswerTooLargeError(CrmError):
    """The answer is larger than a client takes. It is not cut: a part would look like the whole."""

    code = "answer_too_large"


class PolicyDeniedError(CrmError):
    """The policy does not allow the operation. Nothing was sent to the CRM."""

    code = "denied_by_policy"

    def __init__(self, message: str, *, rules: tuple[str, ...] = ()) -> None:
        super().__init__(message, details={"rules": list(rules)} if rules else None)


class ApprovalError(CrmError):
    """A human had to agree and declined, or could not be asked. Nothing was changed."""

    code = "not_approved"


class StateError(CrmError):
    """The server's own state cannot be read or written. Nothing was sent to the CRM."""

    code = "state_unavailable"


class UpstreamError(CrmError):
    """Dataverse answered with an error, or not at all.

    ``status`` is the HTTP status (None when there was no answer), ``crm_code`` Dataverse's error code such
    as ``0x80040217``, ``request_id`` the value of ``x-ms-service-request-id``.
    """

    code = "crm_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        crm_code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        facts = {
            "status": status,
            "crm_code": crm_code,
            "crm_request_id": request_id,
            "retry_after": retry_after,
        }
        super().__init__(message, details={name: value for name, value in facts.items() if value is not None})
        self.status = status
        self.crm_code = crm_code
        self.request_id = request_id
        self.retry_after = retry_after


class BadRequestError(UpstreamError):
    """400: Dataverse does not take a name or a value of the request."""

    code = "crm_refused"


class SignInError(UpstreamError):
    """401, or no access token could be had."""

    code = "sign_in_failed"


class PrivilegeError(UpstreamError):
    """403: the signed-in user lacks a privilege in the CRM."""

    code = "crm_privilege_missing"


class NotFoundError(UpstreamError):
    """404: no row has this id, or there is no such table."""

    code = "not_found"


class ConflictError(UpstreamError):
    """405, 409 or 412: another version, a duplicate key, or rows that depend on this one."""

    code = "conflict"


class ThrottledError(UpstreamError):
    """429: a service protection limit was reached and the wait was too long."""

    code = "throttled"


class UnavailableError(UpstreamError):
    """5xx, a time-out or no connection."""

    code = "unavailable"


class UnreadableAnswerError(UpstreamError):
    """The answer is not JSON or not of the documented shape."""

    code = "unreadable_answer"


class InternalError(CrmError):
    """A defect of this server. Its message says nothing of the cause; the log does."""

    code = "internal_error"


def closest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names nearest to ``name``, best first, compared without regard to case."""
    folded = {candidate.casefold(): candidate for candidate in known}
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=most, cutoff=0.6)]


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
