"""The one place that encodes OData literals, keys and query options.

The service decodes an address before it parses it, so a quote is doubled first and the whole is
percent-encoded after. https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote
from uuid import UUID


def key(guid: str) -> str:
    """A row's key as it stands between the parentheses of an address: without quotes.

    Raises:
        ValueError: Not a GUID.
    """
    return str(UUID(guid))


def query_string(options: Iterable[tuple[str, str]]) -> str:
    """Query options, each value percent-encoded whole; a bare ``+`` would read as a space."""
    return "&".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in options)


# What may stand in a query as it is: RFC 3986 section 3.4, without & + # % and without quotes.
_SAFE = "$,()/:;=@-._~"
