"""The one list of checks, in an order in which each failure explains the next ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from crm_server.doctor import local, network, page, page_sign_in, rights, signed_in, stored, tables
from crm_server.doctor.context import Context
from crm_server.doctor.outcomes import Outcome, Status, failed, skipped


@dataclass(frozen=True, slots=True)
class Check:
    """``needs`` are the names of the checks without whose success this one makes no sense."""

    name: str
    run: Callable[[Context], Awaitable[Outcome]]
    needs: tuple[str, ...] = ()


CHECKS = (
    Check("settings", local.settings),
    Check("callers", local.callers),
    Check("policy", local.policy),
    Check("state", stored.state),
    Check("files", local.files),
    Check("tools", local.tools),
    Check("environment", network.environment, ("settings",)),
    Check("issuer", network.issuer, ("callers",)),
    Check("public address", network.public_address, ("callers",)),
    Check("page", page.page, ("callers",)),
    Check("page's sign-in", page_sign_in.sign_in, ("page", "issuer")),
    Check("clock", network.clock),
    Check("sign-in", signed_in.sign_in, ("settings", "environment")),
    Check("who am i", signed_in.who_am_i, ("sign-in",)),
    Check("tables", tables.tables, ("who am i",)),
    Check("policy's names", tables.policy_names, ("policy", "tables")),
    Check("privileges", rights.privileges, ("who am i", "policy's names")),
    Check("search", signed_in.search, ("who am i",)),
)


async def examine(context: Context) -> AsyncGenerator[tuple[str, Outcome], None]:
    """The outcome of each check, by its name, as it comes."""
    ended: dict[str, Outcome] = {}
    try:
        for check in CHECKS:
            outcome = _in_the_way(check, ended, context) or await _made(check, context)
            ended[check.name] = outcome
            yield check.name, outcome
    finally:
        await context.aclose()


async def _made(check: Check, context: Context) -> Outcome:
    try:
        return await check.run(context)
    except Exception as error:  # noqa: BLE001 - one check that breaks must not keep the others from being made
        # Its text stays untold: it may hold what nobody is to read.
        return failed(
            f"the check itself broke ({type(error).__name__})", "Report it to whoever makes this server."
        )


def _in_the_way(check: Check, ended: dict[str, Outcome], context: Context) -> Outcome | None:
    """Why a check cannot be made: one that it needs failed, or was skipped itself."""
    for need in check.needs:
        before = ended[need]
        if before.status is Status.FAILED:
            return skipped(f"because {need} failed")
        # The embedded sandbox has no network to be looked at, and is reached all the same.
        if before.status is Status.SKIPPED and not (need == "environment" and context.embedded):
            return skipped(before.found)
    return None
