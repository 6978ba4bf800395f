"""What a token cannot give its caller, whatever its issuer writes into it."""

from __future__ import annotations

from typing import Any

import pytest

from crm_server.authorization.rules import Issuer
from tests.authorization.issuer import TENANT, signed
from tests.authorization.test_tokens import ENTRA, OLD_ENTRA, SERVICE, Desk

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("claim", ["roles", "groups"])
async def test_what_is_a_scope_is_no_role_and_what_is_a_role_is_no_scope(claim: str) -> None:
    token = signed(ENTRA, scp="crm.read Salesperson", **{claim: ["Salesperson", "crm.approve", "crm.write"]})
    caller = await Desk().caller(token)
    assert caller.roles == {"Salesperson"}
    assert caller.scopes == {"crm.read"}


@pytest.mark.parametrize("more", [{"roles": ["Salesperson"]}, {"scp": None, "scope": "Integration"}])
async def test_a_service_has_no_role_but_that_of_the_settings(more: dict[str, Any]) -> None:
    desk = Desk(services={SERVICE: "Integration"})
    own = {"scp": None, "idtyp": "app", "azp": SERVICE, **more}
    caller = await desk.caller(signed(ENTRA, **own))
    assert caller.roles == {"Integration"}
    assert caller.scopes == frozenset()


async def test_only_entra_may_call_itself_by_its_old_name() -> None:
    assert await Desk(issuer=Issuer(ENTRA)).caller(signed(OLD_ENTRA))
    other = f"https://id.example/{TENANT}"
    assert await Desk(issuer=Issuer(other)).caller(signed(other))
    assert "another issuer" in await Desk(issuer=Issuer(other)).why_refused(signed(OLD_ENTRA))
