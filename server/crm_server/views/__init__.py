"""What hosts with MCP Apps draw of our answers: two pages, each one document that loads nothing from outside.

A host reads a page as a ``ui://`` resource, shows it in a sandboxed frame and hands it the result of a call
(extension ``io.modelcontextprotocol/ui``, SEP-1865). A page asks for no network, calls no tool and keeps
nothing. It draws from the structured result alone, so a host without Apps has the same facts as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm_server.views.composing import compose

EXTENSION = "io.modelcontextprotocol/ui"
"""The name under which a host says that it shows such pages."""
MIME_TYPE = "text/html;profile=mcp-app"
_ORIGINS = ("connectDomains", "resourceDomains", "frameDomains", "baseUriDomains")


@dataclass(frozen=True, slots=True)
class View:
    """A page for the results of a tool, as a resource that a host reads."""

    uri: str
    name: str
    title: str
    description: str
    file: str

    @property
    def html(self) -> str:
        """The whole page, made of its files when it is first asked for."""
        return compose(self.file)


VIEWS = (
    View(
        uri="ui://dynamics-crm/pipeline",
        name="pipeline",
        title="Pipeline",
        description="Draws groups of summarize_records as bars, by stage and month, with totals and a table.",
        file="pipeline.html",
    ),
    View(
        uri="ui://dynamics-crm/record",
        name="record",
        title="Record card",
        description="Draws what get_overview tells of an account, contact or lead as a card.",
        file="record.html",
    ),
)


def resource_meta(view: View) -> dict[str, Any]:
    """The ``_meta`` of the page's resource, alike for all: no other origin, and a border.

    Empty lists say "none" where a host might otherwise have a default of its own.
    """
    return {"ui": {"csp": {origins: [] for origins in _ORIGINS}, "prefersBorder": True}}


def tool_meta(uri: str) -> dict[str, Any]:
    """The ``_meta`` of a tool whose results the page at ``uri`` draws.

    The tool stays the model's alone: our pages call no tools, so nothing in a frame needs to.

    Raises:
        ValueError: No view has this address.
    """
    _require_known(uri)
    return {"ui": {"resourceUri": uri, "visibility": ["model"]}}


def _require_known(uri: str) -> None:
    known = [view.uri for view in VIEWS]
    if uri not in known:
        raise ValueError(f"No view has the address {uri!r}; there are {', '.join(known)}.")


__all__ = ["EXTENSION", "MIME_TYPE", "VIEWS", "View", "resource_meta", "tool_meta"]
