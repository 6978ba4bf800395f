"""The page for approvals: who may do what on it, and what has to be registered for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crm_server.authorization.lab import read_lab
from crm_server.authorization.rules import APPROVE as APPROVE_SCOPE
from crm_server.authorization.rules import SCOPES
from crm_server.doctor.context import Context
from crm_server.doctor.outcomes import Outcome, failed, ok, skipped, warning
from crm_server.pages.configured import admission_of
from crm_server.pages.site import CALLBACK
from crm_server.settings import APPROVE, SEE, Settings


async def page(context: Context) -> Outcome:
    """Who may approve on the page, and what has to be registered for it."""
    given = context.settings
    if given.page_url is None:
        if given.page_client_secret is not None:
            return failed(
                "DYNAMICS_PAGE_CLIENT_SECRET is of no use without DYNAMICS_PAGE_CLIENT_ID",
                "Set DYNAMICS_PAGE_CLIENT_ID to the application that the secret is of, or remove the secret.",
            )
        return skipped("DYNAMICS_PAGE_CLIENT_ID is not set, so there is no page for approvals")
    return _of_a_lab(given) if given.callers_file is not None else _of_an_issuer(given)


def _of_an_issuer(given: Settings) -> Outcome:
    may = {
        what: [_named(one) for one, grant in given.page_roles.items() if grant == what]
        for what in given.page_roles.values()
    }
    redirect = f"{given.public_url}{CALLBACK}"
    lines = (f"redirect address to register (platform Web): {redirect}", *_who(given, may))
    if not may.get(APPROVE):
        return warning(
            f"{given.page_url}, where nobody may approve",
            "Give a role in DYNAMICS_PAGE_ROLES =approve, such as CRM.Approver=approve.",
            lines=lines,
        )
    return ok(
        f"{given.page_url}, where people sign in at the issuer",
        lines=lines,
        page=given.page_url,
        redirect=redirect,
        roles=dict(given.page_roles),
    )


def _of_a_lab(given: Settings) -> Outcome:
    """The file of callers was read before this check: it is one of those that it needs."""
    admission = admission_of(given, lab=True)
    may: dict[str, list[str]] = {}
    for caller in () if given.callers_file is None else read_lab(given.callers_file).callers:
        visitor = admission.visitor(caller.name, caller.name, caller.roles, caller.scopes)
        if visitor is not None:
            may.setdefault(APPROVE if visitor.approves else SEE, []).append(caller.name)
    lines = _who(given, may)
    if given.page_client_id is not None:
        return warning(
            "DYNAMICS_PAGE_CLIENT_ID is of no use with DYNAMICS_CALLERS_FILE: callers sign in by their token",
            "Remove DYNAMICS_PAGE_CLIENT_ID.",
            lines=lines,
        )
    if not may.get(APPROVE):
        return warning(
            f"{given.page_url}, where nobody may approve",
            f"Give somebody the scope {APPROVE_SCOPE} in the file that DYNAMICS_CALLERS_FILE names.",
            lines=lines,
        )
    return ok(
        f"{given.page_url}, where callers sign in by their token", lines=lines, page=given.page_url, who=may
    )


def _who(given: Settings, may: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    own = "also" if given.approve_own else "not"
    where = "only there" if given.approve_on_page else "there, or by the caller where their client asks"
    return (
        f"may approve: {', '.join(may.get(APPROVE, ())) or 'nobody'}",
        f"may only see: {', '.join(may.get(SEE, ())) or 'nobody'}",
        f"changes are approved {where}; {own} what an approver's own assistant asked for",
    )


def _named(one: str) -> str:
    return f"the scope {one}" if one in SCOPES else f"the role or group {one}"
