"""Membership of teams.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/addmembersteam
"""

from __future__ import annotations

from collections.abc import Callable

from crm_sandbox.errors import bad_property
from crm_sandbox.messages import Answer
from crm_sandbox.operations.calls import Call, row_reference
from crm_sandbox.schema.model import ManyToMany
from crm_sandbox.session import Privilege


def add_members(call: Call) -> Answer:
    """Put users into a team."""
    return _each(call, call.context.writer.link)


def remove_members(call: Call) -> Answer:
    """Take users out of a team."""
    return _each(call, call.context.writer.unlink)


def _each(call: Call, change: Callable[[ManyToMany, str, str], None]) -> Answer:
    call.needs("POST")
    table = call.bound_table
    call.context.session.caller.require(Privilege.WRITE, table)
    many = table.many_to_many["teammembership_association"]
    for item in call.get("Members", list):
        if not isinstance(item, dict):
            raise bad_property("'Members' takes an array of objects")
        # Without a type it is a user's own key that counts; ownerid may be a team's.
        typed = "@odata.type" in item or "systemuserid" not in item
        kind = {} if typed else {"@odata.type": "#Microsoft.Dynamics.CRM.systemuser"}
        member = row_reference(call.context, {**kind, **item}, "Members")
        if member.table.name != "systemuser":
            raise bad_property("'Members' takes users")
        found = member.get(call.context.store)
        change(many, call.bound_row[table.key], found[member.table.key])
    return Answer(204)
