"""``$batch``: several reads as one request, and its answer as theirs. Nothing is sent here.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message
from uuid import uuid4

from crm_server.dataverse.requests import CrmRequest
from crm_server.dataverse.responses import CrmResponse
from crm_tools.operations import Action

LONGEST_PART_ADDRESS = 65_536
"""Characters of an address inside a batch; outside of one it is half of that."""
_STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3})\b")


def batch_of(reads: Sequence[CrmRequest], api_path: str) -> CrmRequest:
    """One request for all of them. A read that fails does not keep the others from being answered.

    ``api_path`` stands before the paths of requests; a nextLink is a whole address and stays as it is.
    """
    boundary = f"batch_{uuid4()}"
    parts = [_part(read, boundary, api_path) for read in reads]
    return CrmRequest(
        "POST",
        "$batch",
        Action.READ,
        {
            "Content-Type": f"multipart/mixed; boundary={boundary}",
            "Prefer": "odata.continue-on-error",
        },
        content="".join([*parts, f"--{boundary}--\r\n"]).encode(),
    )


def _part(read: CrmRequest, boundary: str, api_path: str) -> str:
    address = read.path if "://" in read.path.partition("?")[0] else api_path + read.path
    headers = {"Accept": "application/json", **read.headers}
    return "".join(
        [
            f"--{boundary}\r\n",
            "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n",
            f"{read.method} {address} HTTP/1.1\r\n",
            *(f"{name}: {value}\r\n" for name, value in headers.items()),
            "\r\n",
        ]
    )


def answers_in(response: CrmResponse) -> list[CrmResponse]:
    """The answers in the answer to a batch, in the order of its parts.

    Raises:
        ValueError: Not the documented shape.
    """
    boundary = _boundary(response.headers.get("content-type", ""))
    opening, *parts = (b"\r\n" + response.body).split(b"\r\n--" + boundary)
    if not parts or opening.strip() or not parts[-1].startswith(b"--"):
        raise ValueError("the batch does not end")
    return [_answer(part) for part in parts[:-1]]


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/mixed" or not isinstance(boundary, str) or not boundary:
        raise ValueError("the answer to a batch is no batch")
    return boundary.encode()


def _answer(part: bytes) -> CrmResponse:
    """One answer: headers of the part, then status line and headers of the answer, then its body."""
    _, _, message = part.partition(b"\r\n\r\n")
    head, _, body = message.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.match(status)
    if match is None:
        raise ValueError("a part of a batch has no status")
    named = (line.partition(b":") for line in lines)
    headers = {name.decode("latin-1").lower(): value.strip().decode("latin-1") for name, _, value in named}
    return CrmResponse(int(match[1]), headers, body)
