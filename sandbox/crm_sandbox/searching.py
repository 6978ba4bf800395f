"""Dataverse search over HTTP: ``/api/search/v2.0/``.

https://learn.microsoft.com/power-apps/developer/data-platform/search/overview
"""

from __future__ import annotations

from crm_sandbox.errors import unknown_segment
from crm_sandbox.messages import SEARCH_API, Answer, no_method
from crm_sandbox.queries.search import SearchIndex
from crm_sandbox.resources.context import Context
from crm_sandbox.schema.model import Table
from crm_sandbox.session import Privilege


def search(context: Context) -> Answer:
    """The answer to a request to search. What the caller may not read is not found.

    Raises:
        ODataError: 400, the request is not as documented; 404 or 405, there is no such operation; 501, it
            asks for what is not done here.
    """
    request = context.request
    index, asker = SearchIndex(context.store), context.session.asker
    asked = {"query": index.query, "suggest": index.suggest, "autocomplete": index.autocomplete}
    told = {"statistics": index.statistics, "status": index.status}
    name = request.path.removeprefix(SEARCH_API).strip("/")
    if name not in asked and name not in told:
        raise unknown_segment(name)
    if request.method != ("POST" if name in asked else "GET"):
        raise no_method(request.method)
    if name in told:
        return Answer(200, told[name]())

    def may_read(table: Table) -> bool:
        return Privilege.READ in context.session.caller.allowed(table)

    return Answer(200, asked[name](request.json(), asker, may_read))
