"""Requests and answers as values: the same for a request of its own and for one inside a batch.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from crm_sandbox.errors import UNKNOWN_NAME, ODataError, bad_property
from crm_sandbox.representing import Annotations

API = "/api/data/v9.2/"
SEARCH_API = "/api/search/v2.0/"
JSON_TYPE = "application/json; odata.metadata=minimal"
# Nothing that was read is given back, so that the time is not a power of the length.
_PREFERENCE = re.compile(r'(?:^|[,;])\s*+([\w.-]++)\s*+(?:=\s*+("[^"]*+"|[^,;]*+))?\s*+(?=[,;]|$)', re.ASCII)


@dataclass(frozen=True)
class Request:
    """A request, taken apart. ``path`` is decoded and below the root; header names are in lower case.

    A path of Dataverse search is whole and begins with a slash.

    ``root`` is the address of the API and ends in a slash.
    """

    method: str
    path: str
    options: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    root: str

    @cached_property
    def preferences(self) -> Mapping[str, str]:
        """The Prefer header: name in lower case to value without quotes."""
        found: dict[str, str] = {}
        for name, value in _PREFERENCE.findall(self.headers.get("prefer", "")):
            found[name.lower()] = value.strip().strip('"')
        return found

    @cached_property
    def annotations(self) -> Annotations:
        """The annotations that are asked for."""
        return Annotations(self.preferences.get("odata.include-annotations", ""))

    @property
    def page_size(self) -> int | None:
        """Rows of a page, when the client set it."""
        text = self.preferences.get("odata.maxpagesize", "")
        return int(text) if re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII) else None

    @property
    def wants_row(self) -> bool:
        """Whether a write is answered with the row."""
        return self.preferences.get("return") == "representation"

    @property
    def aliases(self) -> Mapping[str, str]:
        """The values of parameter aliases: ``@p1`` to text."""
        return {name: value for name, value in self.options.items() if name.startswith("@")}

    def applied(self, *names: str) -> dict[str, str]:
        """The header that says which preferences were honoured, of those named that were asked for."""
        shown = {"odata.include-annotations": '"{}"'.format, "odata.maxpagesize": "{}".format}
        parts = [
            name
            if name == "odata.continue-on-error"
            else f"{name}={shown.get(name, str)(self.preferences[name])}"
            for name in names
            if name in self.preferences
        ]
        return {"Preference-Applied": ",".join(parts)} if parts else {}

    def json(self) -> dict[str, Any]:
        """The body, a JSON object.

        Raises:
            ODataError: 400, it is none.
        """
        try:
            content = json.loads(self.body.decode("utf-8"), parse_constant=_refuse_constant)
            json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError):
            raise bad_property("the body is not JSON in UTF-8") from None
        if not isinstance(content, dict):
            raise bad_property("the body is not a JSON object")
        return content


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; ``content`` that is no text becomes JSON."""

    status: int
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON_TYPE
    row_address: str | None = None
    """The row that a write made or changed, for references inside a batch."""

    def body(self) -> bytes:
        """The content as it is sent."""
        if self.content is None:
            return b""
        if isinstance(self.content, bytes):
            return self.content
        if isinstance(self.content, str):
            return self.content.encode()
        return json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode()


def error_answer(error: ODataError, wanted: Annotations | None = None) -> Answer:
    """The answer that tells of an error, with the details that are asked for as annotations.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors#include-more-details-with-errors
    """
    content = {"code": error.code, "message": error.message}
    details = {
        "Microsoft.PowerApps.CDS.HelpLink": f"http://go.microsoft.com/fwlink/?LinkID=398563&error={error.code}",
        "Microsoft.PowerApps.CDS.TraceText": "",
        "Microsoft.PowerApps.CDS.InnerError.Message": error.message,
    }
    content |= {f"@{name}": text for name, text in details.items() if wanted is not None and name in wanted}
    return Answer(error.status, {"error": content})


def no_resource(request: Request) -> ODataError:
    """The refusal of an operation that is called by the wrong method.

    https://learn.microsoft.com/troubleshoot/power-platform/dataverse/dataverse-web-api-and-sdk/web-api-client-errors
    """
    uri = f"{request.root}{request.path}"
    return ODataError(404, "", f"No HTTP resource was found that matches the request URI '{uri}'.")


def no_method(method: str) -> ODataError:
    """The refusal of a method that an address does not have."""
    return ODataError(405, UNKNOWN_NAME, f"The requested resource does not support http method '{method}'.")
