"""A house for each test, in a lab and with an issuer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_sandbox import create_app
from tests.pages.house import House, a_house, callers_file
from tests.pages.issuer import Issuer, an_issuer, settings_for
from tests.state.conftest import postgresql, url

__all__ = ["company", "house", "issuer", "postgresql", "running_issuer", "sandbox", "url"]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Any]:
    """One CRM for all tests here: each makes the records it needs."""
    app = create_app(accounts=5)
    yield app
    app.close()


@pytest.fixture
async def house(tmp_path: Path, sandbox: Any) -> AsyncIterator[House]:
    async with a_house(sandbox, callers_file=callers_file(tmp_path)) as made:
        yield made


@pytest.fixture(scope="session")
def running_issuer() -> Iterator[Issuer]:
    with an_issuer() as made:
        yield made


@pytest.fixture
def issuer(running_issuer: Issuer) -> Issuer:
    """The issuer, as if it had just begun."""
    running_issuer.claims = {"sub": "bob", "name": "Bob Approver", "roles": ["CRM.Approver"]}
    running_issuer.broken, running_issuer.forged, running_issuer.scopes = {}, False, ""
    running_issuer.asked.clear()
    running_issuer.spoken_to.clear()
    return running_issuer


@pytest.fixture
async def company(issuer: Issuer, sandbox: Any) -> AsyncIterator[House]:
    """A house whose people sign in at the issuer."""
    async with a_house(sandbox, **settings_for(issuer.address)) as made:
        yield made
