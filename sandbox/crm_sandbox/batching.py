"""``$batch``: many requests in one, and change sets that are all or nothing.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes
from uuid import uuid4

from crm_sandbox.errors import UNKNOWN_NAME, ODataError
from crm_sandbox.messages import Answer, Request, error_answer, no_method
from crm_sandbox.store import Store

MOST_OPERATIONS = 1_000
LONGEST_URL = 65_536
_CRLF = b"\r\n"
# Microsoft's own client leaves spaces in the filters of a part's address, and Dataverse takes them.
_REQUEST_LINE = re.compile(r"(GET|POST|PATCH|PUT|DELETE) (\S(?:[^\r\n]*\S)?) HTTP/1\.1")
_REFERENCE = re.compile(r"\$(\w+)(?=[/(?]|$)")

Answering = Callable[[Request], Answer]


def refused(why: str) -> ODataError:
    """The refusal of a batch that is not written as one."""
    return ODataError(400, UNKNOWN_NAME, f"The batch request is not valid: {why}.")


@dataclass(frozen=True, slots=True)
class _Operation:
    """One request of a batch; ``content_id`` is what the answer and references repeat."""

    request: Request
    target: str
    content_id: str | None


@dataclass(frozen=True, slots=True)
class _ChangeSet:
    operations: tuple[_Operation, ...]


def answer_batch(request: Request, store: Store, answer: Answering) -> Answer:
    """The answer to a batch. The first failure ends it, unless ``odata.continue-on-error`` is asked for.

    Raises:
        ODataError: 400, the body is no batch; 405, another method than POST.
    """
    if request.method != "POST":
        raise no_method(request.method)
    operations = list(_operations(request))
    total = sum(len(item.operations) if isinstance(item, _ChangeSet) else 1 for item in operations)
    if total > MOST_OPERATIONS:
        raise refused(f"it has more than {MOST_OPERATIONS} operations")
    goes_on = "odata.continue-on-error" in request.preferences
    made: dict[str, str] = {}
    parts: list[bytes] = []
    failed = False
    for item in operations:
        if isinstance(item, _ChangeSet):
            part, succeeded = _answer_change_set(item, store, answer, made)
        else:
            part, succeeded = _answer_one(item, answer, made)
        parts.append(part)
        failed = failed or not succeeded
        if failed and not goes_on:
            break
    boundary = f"batchresponse_{uuid4()}"
    headers = request.applied("odata.continue-on-error")
    # A failure that ended the batch is the status of the whole; its parts are there all the same.
    status = 400 if failed and not goes_on else 200
    return Answer(status, _multipart(parts, boundary), headers, f"multipart/mixed; boundary={boundary}")


def _answer_one(operation: _Operation, answer: Answering, made: dict[str, str]) -> tuple[bytes, bool]:
    try:
        given = answer(_resolved(operation, made))
    except ODataError as error:
        given = error_answer(error)
    _remember(operation, given, made)
    created = operation.request.method == "POST"
    return _part(given, operation.content_id, created=created), given.status < 400


def _answer_change_set(
    changes: _ChangeSet, store: Store, answer: Answering, made: dict[str, str]
) -> tuple[bytes, bool]:
    parts = []
    inside = dict(made)
    try:
        with store.transaction():
            for operation in changes.operations:
                part, succeeded = _answer_one(operation, answer, inside)
                if not succeeded:
                    raise _ChangeFailedError(part)
                parts.append(part)
    except _ChangeFailedError as failure:
        return failure.part, False
    made.update(inside)
    boundary = f"changesetresponse_{uuid4()}"
    head = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()
    return head + _multipart(parts, boundary), True


class _ChangeFailedError(Exception):
    """A change failed: the others of its set are taken back, and its answer stands for the set."""

    def __init__(self, part: bytes) -> None:
        super().__init__()
        self.part = part


def _remember(operation: _Operation, given: Answer, made: dict[str, str]) -> None:
    """Keep the address of a row that was written, for references by content id."""
    if operation.content_id is not None and given.status < 400:
        made[operation.content_id] = given.row_address or operation.target


def _resolved(operation: _Operation, made: Mapping[str, str]) -> Request:
    """The request with the addresses that its references such as ``$1`` stand for."""
    request = _located(operation.request, _dereferenced(operation.target, made))
    if b'"$' not in request.body:
        return request
    try:
        content = _references_in(json.loads(request.body), made)
        return replace(request, body=json.dumps(content).encode())
    except (ValueError, RecursionError):
        return request  # refused when it is read


def _references_in(content: Any, made: Mapping[str, str]) -> Any:
    if isinstance(content, dict):
        return {
            name: _dereferenced(value, made)
            if isinstance(value, str) and name.endswith(("@odata.bind", "@odata.id"))
            else _references_in(value, made)
            for name, value in content.items()
        }
    if isinstance(content, list):
        return [
            _dereferenced(item, made)
            if isinstance(item, str) and item.startswith("$")
            else _references_in(item, made)
            for item in content
        ]
    return content


def _dereferenced(text: str, made: Mapping[str, str]) -> str:
    match = _REFERENCE.match(text.removeprefix("/"))
    if match is None or match[1] in ("batch", "metadata"):
        return text
    if match[1] not in made:
        raise ODataError(
            400, UNKNOWN_NAME, f"Content-ID Reference: '{match[0]}' does not exist in the batch context."
        )
    return made[match[1]] + text.removeprefix("/")[match.end() :]


def _located(request: Request, target: str) -> Request:
    """The request with its path and options, from an address that is absolute or relative."""
    if len(target) > LONGEST_URL:
        raise ODataError(414, UNKNOWN_NAME, "The request URL is too long.")
    base = "/" + request.root.split("/", 3)[3]
    local = re.sub(r"^https?://[^/]+", "", target)
    local = local.partition("#")[0].removeprefix(base) if local.startswith("/") else local
    path, _, query = local.partition("?")
    try:
        decoded = unquote_to_bytes(path).decode("utf-8").removeprefix("/")
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict"))
    except ValueError:
        raise ODataError(400, UNKNOWN_NAME, "The request URL is not valid.") from None
    return replace(request, path=decoded, options=options)


def _operations(request: Request) -> Iterator[_Operation | _ChangeSet]:
    # https://learn.microsoft.com/troubleshoot/power-platform/dataverse/dataverse-web-api-and-sdk/web-api-client-errors
    if not request.body.endswith(_CRLF):
        raise refused("its last line does not end with CRLF")
    for headers, content in _parts(request.body, _boundary(request.headers.get("content-type", ""))):
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/mixed"):
            operations = tuple(
                _operation(inner, body, request) for inner, body in _parts(content, _boundary(kind))
            )
            _check_change_set(operations)
            yield _ChangeSet(operations)
        else:
            yield _operation(headers, content, request)


def _check_change_set(operations: tuple[_Operation, ...]) -> None:
    for operation in operations:
        if operation.request.method == "GET":
            raise refused("a change set cannot hold GET requests")
        if operation.content_id is None:
            raise ODataError(
                400, UNKNOWN_NAME, "Content-Id is a required header for each request of a change set."
            )


def _boundary(content_type: str) -> bytes:
    match = re.search(r'boundary="?([^";\s]{1,200})"?', content_type)
    if not content_type.lower().startswith("multipart/mixed") or match is None:
        raise refused("its Content-Type is not multipart/mixed with a boundary")
    return match[1].encode("latin-1", "replace")


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[Mapping[str, str], bytes]]:
    """The parts of a multipart body: headers by lower-case name, and content."""
    delimiter = b"--" + boundary
    if not body.lstrip(_CRLF).startswith(delimiter):
        raise refused("it does not begin with its boundary")
    if _CRLF not in body:
        raise refused("its lines do not end with CRLF")
    pieces = (_CRLF + body).split(_CRLF + delimiter)[1:]
    if not pieces[-1].startswith(b"--"):
        raise refused("its last boundary is missing")
    for piece in pieces[:-1]:
        if not piece.startswith(_CRLF):
            raise refused("a boundary is not a line of its own")
        yield _head_and_rest(piece.removeprefix(_CRLF))


def _head_and_rest(content: bytes) -> tuple[Mapping[str, str], bytes]:
    head, separator, rest = content.partition(_CRLF + _CRLF)
    if not separator and content.endswith(_CRLF):
        head = content.removesuffix(_CRLF)
    headers = {}
    try:
        for line in head.decode("utf-8").split("\r\n"):
            name, colon, value = line.partition(":")
            if not colon and line:
                raise refused("a header has no colon")
            headers[name.strip().lower()] = value.strip()
    except UnicodeDecodeError:
        raise refused("a header is not UTF-8") from None
    return headers, rest


def _operation(headers: Mapping[str, str], content: bytes, batch: Request) -> _Operation:
    if not headers.get("content-type", "").startswith("application/http"):
        raise refused("a part is not application/http")
    line, _, rest = content.partition(_CRLF)
    try:
        match = _REQUEST_LINE.fullmatch(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise refused("a request line is not UTF-8") from None
    if match is None:
        raise refused("a part does not begin with a request line")
    inner, body = _head_and_rest(rest) if rest.strip() else ({}, b"")
    if rest.startswith(_CRLF):  # no headers at all
        inner, body = {}, rest.removeprefix(_CRLF)
    # Headers of the batch do not hold for its parts, save who it is sent for.
    shared = {
        name: batch.headers[name] for name in ("callerobjectid", "mscrmcallerid") if name in batch.headers
    }
    request = Request(match[1], "", {}, {**shared, **inner}, body.removesuffix(_CRLF), batch.root)
    return _Operation(request, match[2], headers.get("content-id") or inner.get("content-id"))


def _part(answer: Answer, content_id: str | None, *, created: bool) -> bytes:
    body = answer.body()
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    if body:
        lines.append(f"Content-Type: {answer.content_type}")
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    if created and "OData-EntityId" in answer.headers:
        lines.append(f"Location: {answer.headers['OData-EntityId']}")
    lines += ["OData-Version: 4.0", "", ""]
    return "\r\n".join(lines).encode() + body


def _multipart(parts: list[bytes], boundary: str) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + _CRLF + part + _CRLF for part in parts) + mark + b"--" + _CRLF
