"""The fault script: what goes wrong, and on which requests.

A script is written in TOML or JSON::

    seed = 7

    [[faults]]
    what = "bad_gateway"      # the create is stored, its answer is lost
    stored = true
    method = "POST"
    path = "/api/data/v9.2/leads"
    after = 2
    count = 1

    [[faults]]
    what = "drop"
    share = 0.05

All conditions of a fault must hold; one without conditions strikes every request. Of several faults that
could strike the same request, the first in the script does.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

HEADER = "x-sandbox-fault"
"""The request header by which a client asks for a fault."""

LONGEST = 86_400
"""The longest wait, in seconds."""
MOST = 1_000_000_000
LONGEST_NAME = 100
"""More of an unknown key is not repeated in a message."""

_PRINTABLE = r"[\x20-\x7e]+"


def _like(pattern: str, rule: str) -> AfterValidator:
    """Only texts that the pattern matches whole; the rule is what it means in words."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(rule)
        return text

    return AfterValidator(check)


Whole = Annotated[int, Field(strict=True, ge=0, le=MOST)]
Positive = Annotated[int, Field(strict=True, ge=1, le=MOST)]
Flag = Annotated[bool, Field(strict=True)]
Method = Annotated[
    Literal["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class FaultScriptError(ValueError):
    """A fault script that cannot be used; the message says which part of it and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Fault(_Part):
    """When a fault strikes. The counting conditions count the requests that the filters let through."""

    method: Method | None = None
    path: (
        Annotated[str, _like(r"[/*][^\ud800-\udfff]*", "a path is a text that begins with / or *")] | None
    ) = None
    """The beginning of the path, without the query; or a pattern for all of it, when it holds * ? or [."""
    header: Annotated[str, _like(_PRINTABLE, "a header is printable ASCII")] | None = None
    """Only requests whose ``x-sandbox-fault`` header has this value."""
    after: Whole = 0
    """So many requests are spared at first."""
    every: Positive = 1
    """Of those after that, the n-th, the 2n-th and so on."""
    count: Positive | None = None
    """At most so many times."""
    share: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] | None = None
    """The probability, drawn for each request from the script's seed."""

    def concerns(self, method: str, path: str, header: str | None) -> bool:
        """Whether the filters let a request through."""
        if self.method not in (None, method) or self.header not in (None, header):
            return False
        return self.path is None or _path_matches(self.path, path)


class Throttle(_Fault):
    """429 with Retry-After, before the application has run."""

    what: Literal["throttle"]
    retry_after: Annotated[int, Field(strict=True, ge=0, le=LONGEST)] = 5
    retry_after_as: Literal["seconds", "date"] = "seconds"


class Gateway(_Fault):
    """502, 503 or 504 with the HTML page of a gateway."""

    what: Literal["bad_gateway", "unavailable", "gateway_timeout"]
    stored: Flag = False
    """Whether the application has run, and stored, before its answer is thrown away."""


class Drop(_Fault):
    """The connection closes without a byte of an answer."""

    what: Literal["drop"]
    stored: Flag = False


class NotJson(_Fault):
    """200 with an HTML page, as a proxy with a page of its own answers."""

    what: Literal["not_json"]
    stored: Flag = False


class ExpiredToken(_Fault):
    """401 with WWW-Authenticate, before the application has run."""

    what: Literal["expired_token"]
    www_authenticate: Annotated[str, _like(_PRINTABLE, "a header is printable ASCII")] = (
        "Bearer authorization_uri=https://login.microsoftonline.com/common/oauth2/authorize, "
        "resource_id=https://sandbox.crm.dynamics.com/"
    )


class Truncate(_Fault):
    """Status, headers and half of the body of the real answer; then the connection closes."""

    what: Literal["truncate"]


class Slow(_Fault):
    """The real answer, late. The application has run when the wait begins."""

    what: Literal["slow"]
    seconds: Annotated[float, Field(strict=True, ge=0, le=LONGEST, allow_inf_nan=False)]
    trickle: Flag = False
    """Whether the body comes in small pieces over that time, instead of all of the answer after it."""


class ForeignNextLink(_Fault):
    """The ``@odata.nextLink`` of the real answer points to another host."""

    what: Literal["foreign_next_link"]
    host: Annotated[str, _like(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", "a host is a name, or name:port")] = (
        "elsewhere.invalid"
    )


Fault = Throttle | Gateway | Drop | NotJson | ExpiredToken | Truncate | Slow | ForeignNextLink

_KINDS: dict[str, type[_Fault]] = {
    what: kind for kind in get_args(Fault) for what in get_args(kind.model_fields["what"].annotation)
}


class FaultScript(_Part):
    """Faults, and the seed of their chances."""

    seed: Annotated[int, Field(strict=True)] = 0
    faults: tuple[Annotated[Fault, Field(discriminator="what")], ...] = ()

    @classmethod
    def load(cls, path: Path | str) -> FaultScript:
        """Read a script from a file that ends in .toml or .json.

        Raises:
            FaultScriptError: The script cannot be used.
            OSError: The file cannot be read.
        """
        path = Path(path)
        readers = {".toml": cls.from_toml, ".json": cls.from_json}
        reader = readers.get(path.suffix.lower())
        if reader is None:
            raise FaultScriptError(f"{path.name}: a fault script is a .toml or a .json file.")
        try:
            return reader(path.read_bytes().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise FaultScriptError(f"{path.name}: the file is not text in UTF-8.") from None
        except FaultScriptError as error:
            raise FaultScriptError(f"{path.name}: {error}") from None

    @classmethod
    def from_toml(cls, text: str) -> FaultScript:
        """Read a script from TOML.

        Raises:
            FaultScriptError: The script cannot be used.
        """
        try:
            content = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise FaultScriptError(f"This is not TOML: {error}") from None
        return cls._checked(content)

    @classmethod
    def from_json(cls, text: str) -> FaultScript:
        """Read a script from JSON.

        Raises:
            FaultScriptError: The script cannot be used.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FaultScriptError(f"This is not JSON: {error}") from None
        return cls._checked(content)

    def as_json(self) -> dict[str, Any]:
        """The script as JSON, with its defaults; reading that gives an equal script."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def _checked(cls, content: Any) -> FaultScript:
        if not isinstance(content, Mapping):
            raise FaultScriptError("A fault script is an object with the keys 'seed' and 'faults'.")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise FaultScriptError("; ".join(map(_problem, error.errors()))) from None


def _path_matches(wanted: str, path: str) -> bool:
    if any(mark in wanted for mark in "*?["):
        return fnmatchcase(path, wanted)
    return path.startswith(wanted)


def _problem(details: ErrorDetails) -> str:
    """One thing that is wrong, in words: ``faults[0].every: ...``."""
    where, known = _place(details["loc"])
    if details["type"] == "extra_forbidden":
        return f"{where}: unknown key; {_nearest(str(details['loc'][-1]), known)}"
    if details["type"] == "union_tag_invalid":
        return f"{where}.what: unknown fault; {_nearest(str(details['ctx']['tag']), list(_KINDS))}"
    if details["type"] == "union_tag_not_found":
        return f"{where}: the key 'what' is missing; it is one of {', '.join(_KINDS)}"
    return f"{where}: {details['msg'].removeprefix('Value error, ')}"


def _place(location: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """Where a problem is, as a reader of the script names it, and the keys that may stand there."""
    if len(location) < 3:
        names = (f"[{part}]" if isinstance(part, int) else part[:LONGEST_NAME] for part in location)
        where = "".join(names)
        return where, list(FaultScript.model_fields)
    # pydantic puts the chosen kind of fault between its index and its key.
    _, index, kind, *rest = location
    where = ".".join([f"faults[{index}]", *(str(part)[:LONGEST_NAME] for part in rest)])
    return where, list(_KINDS[str(kind)].model_fields)


def _nearest(name: str, known: list[str]) -> str:
    name = name[:LONGEST_NAME]
    [nearest] = get_close_matches(name, known, n=1, cutoff=0)
    return f"{name!r} is closest to {nearest!r} (known: {', '.join(known)})"
