"""Begins writes as the gateway does."""

from __future__ import annotations

from uuid import uuid4

from crm_server.policy.judging import Judgement
from crm_server.policy.limits import left
from crm_server.policy.model import Decision, Limits, Outcome, Policy, Spent
from crm_server.state import Begun, State
from crm_tools.changes import Change
from crm_tools.errors import PolicyDeniedError
from crm_tools.operations import Action


def limited(**limits: int) -> Policy:
    return Policy("limited", (), Limits(**limits), {})


def change(caller: str = "ann", action: Action = Action.UPDATE, record: str = "") -> Change:
    return Change(
        caller, "update_lead", action, "lead", record or str(uuid4()), {"subject": "b"}, {"subject": "a"}
    )


async def write(state: State, policy: Policy, wanted: Change) -> Begun:
    """Begin a write; PolicyDeniedError where a limit is used up."""

    def judge(spent: Spent) -> Judgement:
        if any(one.left == 0 for one in left(policy, wanted.action, spent)):
            raise PolicyDeniedError("used up")
        return Judgement(Decision(Outcome.ALLOWED, (), ""), ())

    return await state.begin_write(policy, wanted, "", judge, {"caller": wanted.caller, "tool": wanted.tool})
